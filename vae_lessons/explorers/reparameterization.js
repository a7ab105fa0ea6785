// z = mu + sigma * eps with eps held fixed; the slope of the loss at each draw; each draw's share of both gradients.
function explore(stage, { eps, start, colours }) {
  const indigo = colours[0], rose = colours[6], ROOT = Math.sqrt(2 * Math.PI), x = [-6.5, 6.5];
  const loss = (z) => (z - 2) ** 2, slope = (z) => 2 * (z - 2), at = spread(...x, 521), bell = (v) => Math.exp(-v * v / 2) / ROOT;
  const mu = slider("\u03bc", { low: -3, high: 3, step: 0.05, value: start.mu, changed: draw });
  const sigma = slider("\u03c3", { low: 0.2, high: 2, step: 0.05, value: start.sigma, changed: draw });
  // One scale for both bells: that of eps stands on its row, that of z hangs from its own.
  const ways = new Plot({ width: 348, height: 300, x, y: [-2.05, 1.6], yticks: [], xlabel: "z", title: "every draw moves: z = \u03bc + \u03c3\u03b5",
    label: "Nine draws, each joined to its noise" });
  const paid = new Plot({ width: 348, height: 300, x, y: [-2, 34], xlabel: "z", ylabel: "loss f(z)", title: "f(z) = (z \u2212 2)\u00b2 and its slope at each draw",
    label: "The loss and its slope at each draw" });
  const shares = [["f\u2032(z) \u00b7 1", "\u03bc", [-18, 16]], ["f\u2032(z) \u00b7 \u03b5", "\u03c3", [-18, 36]]].map(([words, name, y]) =>
    new Plot({ width: 348, height: 220, x, y, xlabel: "z", ylabel: `loss per unit of ${name}`, title: `each draw\u2019s gradient for ${name}: ${words}`,
      label: `What each draw adds to the gradient for ${name}` }));
  const handle = new Handle(ways, { label: "tip of the bell of z: its mean, and how narrow it is", at: [0, 0], moved: ([z, tip]) => {
    mu.value = z;
    sigma.value = 1 / (ROOT * Math.max(-tip, 1e-3));
    draw();
  } });
  ways.background(() => {
    ways.line(at, at.map((v) => 1 + bell(v)), { width: 1.2 });
    ways.line(x, [1, 1], { width: 0.7, colour: FAINT });
    ways.line(x, [0, 0], { width: 0.7, colour: FAINT });
    ways.dots(eps, eps.map(() => 1), { radius: 3.5 });
    ways.text("\u03b5", -6.3, 1.14, { size: 15 });
    ways.text("z", -6.3, 0.14, { size: 15, colour: indigo });
  });
  paid.background(() => paid.line(at, at.map(loss), { width: 1.2 }));
  for (const share of shares) share.background(() => share.line(x, [0, 0], { width: 0.8 }));

  function draw() {
    const m = mu.value, s = sigma.value, z = eps.map((e) => m + s * e), slopes = z.map(slope);
    const pushes = [slopes, slopes.map((v, i) => v * eps[i])], exact = [2 * (m - 2), 2 * s]; // of E[f(z)] = (mu - 2)^2 + sigma^2
    const gradients = pushes.map((push) => push.reduce((sum, v) => sum + v, 0) / push.length);
    handle.at = [m, -1 / (s * ROOT)];
    ways.begin();
    z.forEach((v, i) => ways.line([eps[i], v], [1, 0], { colour: "#999999", width: 0.9 }));
    ways.line(at, at.map((v) => -bell((v - m) / s) / s), { colour: indigo });
    ways.dots(z, z.map(() => 0), { colour: indigo, radius: 3.5 });
    paid.begin();
    paid.dots(z, z.map(loss), { colour: indigo, radius: 3.5 });
    z.forEach((v, i) => {
      const run = 0.7 / Math.hypot(1, slopes[i] / 4);
      paid.line([v - run, v + run], [loss(v) - run * slopes[i], loss(v) + run * slopes[i]], { colour: rose });
    });
    shares.forEach((share, k) => {
      share.begin();
      z.forEach((v, i) => {
        const colour = pushes[k][i] > 0 ? rose : indigo;
        share.line([v, v], [0, pushes[k][i]], { colour, width: 2 });
        share.dots([v], [pushes[k][i]], { colour, radius: 3 });
      });
      share.line(x, [gradients[k], gradients[k]], { width: 1, dash: [5, 3] });
      const name = "\u03bc\u03c3"[k];
      share.corner([
        [`mean ${said(gradients[k])} (exact ${said(exact[k])})`, { bold: true }],
        [`rose: descent lowers ${name}`, { size: 12, colour: "#9c3b50" }],
        [`indigo: descent raises ${name}`, { size: 12, colour: indigo }],
      ], m < 0);
    });
    stage.drawn(`The mean gradient of the nine draws is ${said(gradients[0])} for \u03bc, where that of E[f(z)] is ${said(exact[0])}, and ` +
      `${said(gradients[1])} for \u03c3, where it is ${said(exact[1])}.`, { mu: m, sigma: s, z, slopes, pushes, gradients, exact });
  }

  stage.show(row(mu.element, sigma.element), row(ways.element, paid.element), row(...shares.map((share) => share.element)));
  draw();
}
