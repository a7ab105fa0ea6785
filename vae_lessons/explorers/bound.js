// q, a bell curve to drag, over the exact posterior of an x; and the bar log p(x) = ELBO + gap.
function explore(stage, { edge, log_joint, evidence, lowest, start, colours }) {
  const indigo = colours[0], rose = colours[6], ROOT = Math.sqrt(2 * Math.PI);
  const count = log_joint.length, z = spread(-edge, edge, count), step = z[1] - z[0];
  const first = z.findIndex((v) => v >= -3.5), seen = (values) => values.subarray(first, count - first);
  const posterior = log_joint.map((v) => Math.exp(v - evidence)), peak = Math.max(2, 1.2 * Math.max(...posterior));
  const mu = slider("\u03bc", { low: -3, high: 3, step: 0.02, value: start.mu, changed: draw });
  const sigma = slider("\u03c3", { low: 0.05, high: 1.6, step: 0.01, value: start.sigma, changed: draw });
  const top = new Plot({ width: 390, height: 280, x: [-3.5, 3.5], y: [0, peak], xlabel: "z", ylabel: "density",
    label: "q and the exact posterior" });
  const bar = new Plot({ width: 390, height: 130, x: [lowest, Math.max(0, evidence + 1)], y: [0, 1], yticks: [], xlabel: "nats",
    label: "The bar log p(x), divided into ELBO and gap" });
  const handle = new Handle(top, { label: "peak of q: its mean, and how narrow it is", at: [0, 1], moved: ([x, height]) => {
    const asked = 1 / (ROOT * Math.max(height, 1e-3));
    mu.value = x;
    // At the upper edge a q that is too narrow for the picture stays so.
    sigma.value = height >= peak ? Math.min(sigma.value, asked) : asked;
    draw();
  } });
  top.background(() => top.line(seen(z), seen(posterior)));

  // The ELBO, E_q[log p(x, z) - log q(z)], by the trapezoid rule, in nats.
  function draw() {
    const m = mu.value, s = sigma.value, q = z.map((v) => Math.exp(-(((v - m) / s) ** 2) / 2) / (s * ROOT));
    const fit = q.reduce((sum, density, i) => sum + density * log_joint[i], 0) * step;
    const entropy = Math.log(s * ROOT) + 0.5, elbo = fit + entropy, gap = evidence - elbo;
    handle.at = [m, Math.min(peak, 1 / (s * ROOT))];
    top.begin();
    top.corner([["p(z|x), exact"], ["q = N(\u03bc, \u03c3\u00b2)", { colour: indigo }]], m < 0);
    top.line(seen(z), seen(q), { colour: indigo });
    const split = Math.max(elbo, lowest);
    bar.begin();
    bar.box(lowest, split, 0, 0.5, { colour: indigo, alpha: 0.5 });
    bar.box(split, evidence, 0, 0.5, { colour: rose, alpha: 0.8 });
    bar.line([evidence, evidence], [0, 0.62]);
    bar.write(`log p(x) = ELBO + gap`, 12, 16, { size: 13 });
    bar.write(`${said(evidence, 3)} = ${said(elbo, 3)} + ${said(gap, 3)}`, 12, 35, { size: 13, bold: true });
    for (const [words, from, to] of [["ELBO", lowest, split], ["gap", split, evidence]])
      if (bar.X(to) - bar.X(from) > 40) bar.text(words, (from + to) / 2, 0.25, { size: 13, align: "center" });
    if (elbo < lowest) bar.write("\u25c0 the ELBO ends further left", 16, bar.Y(0.25), { size: 12 });
    stage.drawn(`log p(x) = ELBO + gap: ${said(evidence, 3)} = ${said(elbo, 3)} + ${said(gap, 3)} nats.`,
      { mu: m, sigma: s, evidence, elbo, gap, fit, entropy });
  }

  stage.show(row(mu.element, sigma.element), column(top.element, bar.element));
  draw();
}
