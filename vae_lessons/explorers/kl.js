// q, a bell curve to drag, beside p = N(0, 1); and the integrand whose area is KL(q || p).
function explore(stage, { start, colours }) {
  const indigo = colours[0], rose = colours[6], ROOT = Math.sqrt(2 * Math.PI), step = 0.01;
  const z = spread(-20, 20, 4001), log_p = z.map((v) => -v * v / 2 - Math.log(ROOT)); // wider than the picture: whole areas
  const seen = (values) => values.subarray(1400, 2601), zs = seen(z), nothing = zs.map(() => 0); // from -6 to 6
  const mu = slider("\u03bc", { low: -3, high: 3, step: 0.05, value: start.mu, changed: draw });
  const sigma = slider("\u03c3", { low: 0.3, high: 2.5, step: 0.05, value: start.sigma, changed: draw });
  const left = new Plot({ width: 348, height: 300, x: [-6, 6], y: [0, 1.4], xlabel: "z", ylabel: "density",
    label: "The densities of q and of p" });
  const right = new Plot({ width: 348, height: 300, x: [-6, 6], y: [-1, 3], xlabel: "z", ylabel: "nats per unit of z",
    title: "integrand q (log q \u2212 log p)", label: "The integrand of the KL" });
  const handle = new Handle(left, { label: "peak of q: its mean, and how narrow it is", at: [0, 1], moved: ([x, height]) => {
    mu.value = x;
    sigma.value = 1 / (ROOT * Math.max(height, 1e-3));
    draw();
  } });
  left.background(() => left.line(zs, seen(log_p).map(Math.exp)));
  right.background(() => right.line([-6, 6], [0, 0], { width: 0.8 }));

  function draw() {
    const m = mu.value, s = sigma.value;
    const q = new Float64Array(z.length), integrand = new Float64Array(z.length);
    let above = 0, below = 0;
    for (let i = 0; i < z.length; i++) {
      const log_q = -(((z[i] - m) / s) ** 2) / 2 - Math.log(s * ROOT);
      q[i] = Math.exp(log_q);
      integrand[i] = q[i] * (log_q - log_p[i]);
      if (integrand[i] > 0) above += integrand[i] * step;
      else below -= integrand[i] * step;
    }
    const mean = (m * m) / 2, width = (s * s - 1) / 2 - Math.log(s), kl = mean + width;
    handle.at = [m, 1 / (s * ROOT)];
    left.begin();
    left.corner([["p = N(0, 1)"], ["q = N(\u03bc, \u03c3\u00b2)", { colour: indigo }]], m < 0);
    left.line(zs, seen(q), { colour: indigo });
    right.begin();
    right.area(zs, nothing, seen(integrand).map((v) => Math.max(v, 0)), { colour: rose });
    right.area(zs, nothing, seen(integrand).map((v) => Math.min(v, 0)), { colour: indigo });
    right.line(zs, seen(integrand), { width: 1 });
    right.corner([
      [`KL(q \u2016 p) = ${said(kl)} nats`, { bold: true }],
      [`area above 0: ${said(above)}`, { colour: "#9c3b50" }],
      [`area below 0: ${said(below)}`, { colour: indigo }],
      [Math.max(...integrand) > 3 ? "(the peak is cut off)" : ""],
    ], m < 0);
    stage.drawn(`KL(q \u2016 p) is ${said(kl, 3)} nats: an area of ${said(above)} above the axis less ${said(below)} below it. ` +
      `The mean costs ${said(mean)} nats and the width ${said(width)}.`, { mu: m, sigma: s, kl, above, below, mean, width });
  }

  stage.show(row(mu.element, sigma.element), row(left.element, right.element));
  draw();
}
