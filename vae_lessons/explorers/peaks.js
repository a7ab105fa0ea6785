// q, a bell curve to drag, over the two peaks of p; both KLs and the Jensen-Shannon divergence beside it.
function explore(stage, { start, peak, sd, best, colours }) {
  const ROOT = Math.sqrt(2 * Math.PI), step = 0.04, names = [...Object.keys(best), "Jensen-Shannon"];
  const tints = [colours[6], colours[0], colours[9]];
  const z = spread(-24, 24, 1201), seen = (values) => values.subarray(475, 726), zs = seen(z); // the picture shows -5 to 5; areas need the tails
  const normal = (v, m, s) => -(((v - m) / s) ** 2) / 2 - Math.log(s * ROOT);
  const either = (a, b) => Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b))) - Math.log(2); // log of the mean
  const logP = z.map((v) => either(normal(v, -peak, sd), normal(v, peak, sd)));
  const means = spread(-4, 4, 41), density = logP.map(Math.exp);

  const mu = slider("\u03bc", { low: -4, high: 4, step: 0.05, value: start.mu, changed: draw });
  const sigma = slider("\u03c3", { low: 0.2, high: 3.5, step: 0.05, value: start.sigma, changed: draw });
  const left = new Plot({ width: 348, height: 300, x: [-5, 5], y: [0, 0.9], xlabel: "z", ylabel: "density",
    label: "The densities of p and of q" });
  const right = new Plot({ width: 348, height: 300, x: [-4, 4], y: [0, 4], xlabel: "mean of q, \u03bc", ylabel: "nats",
    title: "for every mean, with this \u03c3", label: "The divergences for every mean of q" });
  const handle = new Handle(left, { label: "peak of q: its mean, and how narrow it is", at: [0, 0.5], moved: ([x, height]) => {
    mu.value = x;
    sigma.value = 1 / (ROOT * Math.max(height, 1e-3));
    draw();
  } });
  const buttons = Object.entries(best).map(([name, [m, s]]) => button(`smallest ${name}`, () => {
    mu.value = m;
    sigma.value = s;
    draw();
  }));
  left.background(() => left.line(zs, seen(density)));
  let lines, width; // the curves change with sigma only

  function divergences(m, s) {
    let forward = 0, reverse = 0, shared = 0;
    for (let i = 0; i < z.length; i++) {
      const p = logP[i], q = normal(z[i], m, s), P = density[i], Q = Math.exp(q), middle = either(p, q);
      forward += P * (p - q) * step;
      reverse += Q * (q - p) * step;
      shared += ((P * (p - middle) + Q * (q - middle)) / 2) * step;
    }
    return [forward, reverse, shared];
  }

  function draw() {
    const m = mu.value, s = sigma.value, values = divergences(m, s);
    if (s !== width) {
      const all = Array.from(means, (mean) => divergences(mean, s));
      lines = names.map((_, k) => all.map((three) => three[k]));
      width = s;
    }
    handle.at = [m, 1 / (s * ROOT)];
    left.begin();
    left.corner([["p, two peaks"], ["q = N(\u03bc, \u03c3\u00b2)", { colour: colours[0] }]], m < 0);
    left.line(zs, zs.map((v) => Math.exp(normal(v, m, s))), { colour: colours[0] });
    right.begin();
    lines.forEach((line, k) => right.line(means, line, { colour: tints[k] }));
    right.line([m, m], [0, 4], { width: 0.8 });
    values.forEach((value, k) => right.dots([m], [value], { colour: tints[k], radius: 5 }));
    right.corner(names.map((name, k) => [`${name} = ${said(values[k])}${values[k] > 4 ? " (above the plot)" : ""}`, { colour: tints[k], bold: true }]));
    stage.drawn(`With mean ${said(m)} and standard deviation ${said(s)}: ${names.map((name, k) => `${name} is ${said(values[k], 3)}`).join(", ")} nats.`,
      { mu: m, sigma: s, forward: values[0], reverse: values[1], shared: values[2] });
  }

  stage.show(row(mu.element, sigma.element, ...buttons), row(left.element, right.element));
  draw();
}
