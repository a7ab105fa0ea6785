// A Gaussian bent by b over the banana's posterior, and the bar log p(x) = ELBO + gap.
function explore(stage, { density, edge, evidence, eps, sigma_x, x, lowest, start, colours }) {
  const indigo = colours[0], rose = colours[6], side = Math.sqrt(density.length), cell = (2 * edge) / (side - 1);
  const plane = new Plot({ width: 390, height: 380, x: [-edge, edge], y: [-edge, edge], equal: true, xlabel: "z\u2081", ylabel: "z\u2082",
    label: "The exact posterior, and draws of the bent Gaussian" });
  plane.background(() => {
    density.forEach((value, i) => {
      const z1 = -edge + cell * (i % side), z2 = -edge + cell * Math.floor(i / side);
      if (value > 0.01) plane.box(z1 - cell / 2, z1 + cell / 2, z2 - cell / 2, z2 + cell / 2, { colour: "#000", alpha: 0.8 * value });
    });
  });
  const bar = new Plot({ width: 390, height: 130, x: [lowest, 0], y: [0, 1], yticks: [], xlabel: "nats",
    label: "The bar log p(x), divided into ELBO and gap" });
  const bent = slider("b", { low: -1.5, high: 0.5, step: 0.01, value: start.b, changed: draw });
  const wide = slider("\u03c3\u2081", { low: 0.1, high: 1.2, step: 0.01, value: start.s, changed: draw });

  // The best m_2 and sigma_2 are known for each b and sigma_1: log p(x, z) is a square in z_2.
  function best(b, s) {
    const v = sigma_x ** 2, w = s * s, m = ((x - (1 + b) * w) / v - b * w) / (1 / v + 1), sigma = (1 / v + 1) ** -0.5;
    const away = (x - m) ** 2 - 2 * (x - m) * (1 + b) * w + 3 * (1 + b) ** 2 * w * w + sigma ** 2;
    const square = m * m + 2 * m * b * w + 3 * b * b * w * w + sigma ** 2, tau = 2 * Math.PI;
    const fit = -away / (2 * v) - Math.log(tau * v) / 2 - (w + square) / 2 - Math.log(tau);
    return { m, sigma, elbo: fit + Math.log(s * sigma) + Math.log(tau * Math.E) };
  }

  function draw() {
    const b = bent.value, s = wide.value, { m, sigma, elbo } = best(b, s), gap = evidence - elbo, xs = [], ys = [];
    for (let i = 0; i < eps.length; i += 2) {
      xs.push(s * eps[i]);
      ys.push(m + sigma * eps[i + 1] + b * (s * eps[i]) ** 2);
    }
    plane.begin();
    plane.dots(xs, ys, { colour: indigo, radius: 2, alpha: 0.7 });
    const split = Math.max(elbo, lowest);
    bar.begin();
    bar.box(lowest, split, 0, 0.5, { colour: indigo, alpha: 0.5 });
    bar.box(split, evidence, 0, 0.5, { colour: rose, alpha: 0.8 });
    bar.line([evidence, evidence], [0, 0.62]);
    bar.write("log p(x) = ELBO + gap", 12, 16, { size: 13 });
    bar.write(`${said(evidence, 3)} = ${said(elbo, 3)} + ${said(gap, 3)}`, 12, 35, { size: 13, bold: true });
    if (elbo < lowest) bar.write("\u25c0 the ELBO ends further left", 16, bar.Y(0.25), { size: 12 });
    stage.drawn(`log p(x) = ELBO + gap: ${said(evidence, 3)} = ${said(elbo, 3)} + ${said(gap, 3)} nats, at b = ${said(b)}.`,
      { b, s, m, sigma, elbo, gap, xs, ys });
  }

  stage.show(row(bent.element, wide.element), column(plane.element, bar.element));
  draw();
}
