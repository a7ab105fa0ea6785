// A Gaussian cloud with its ellipses, its covariance, and how many numbers its kind takes.
function explore(stage, { eps, start, colours }) {
  const KINDS = { isotropic: () => 1, diagonal: (D) => D, full: (D) => (D * (D + 1)) / 2 };
  const [indigo] = colours, names = Object.keys(KINDS), low = 0.2, high = 3, even = [-6, -4, -2, 0, 2, 4, 6];
  const kind = choice("covariance", { options: names, value: start.kind, changed: draw });
  const [first, second] = [1, 2].map((i) => slider(`\u03c3${"\u2080\u2081\u2082"[i]}`,
    { low, high, step: 0.05, value: start[`sigma_${i}`], changed: draw }));
  const correlation = slider("correlation \u03c1", { low: -0.95, high: 0.95, step: 0.05, value: start.correlation, changed: draw });
  const plot = new Plot({ width: 370, height: 370, x: [-6, 6], y: [-6, 6], equal: true, xticks: even, yticks: even, xlabel: "x\u2081", ylabel: "x\u2082",
    label: "Draws of the Gaussian and its ellipses" });
  const table = new Plot({ width: 320, height: 270, label: "The covariance matrix, and how many numbers it takes" });
  const handle = new Handle(plot, { label: "\u03c3\u2081 and \u03c3\u2082, the corner of the innermost ellipse's box",
    at: [start.sigma_1, start.sigma_2], moved: (place) => {
      const one = kind.value === "isotropic"; // one sigma for both directions
      first.value = one ? (place[0] + place[1]) / 2 : place[0];
      if (!one) second.value = place[1];
      draw();
    } });

  // What a kind cannot have is left out.
  function covariance() {
    const s = first.value, t = kind.value === "isotropic" ? s : second.value;
    const rho = kind.value === "full" ? correlation.value : 0;
    return { s, t, rho, matrix: [[s * s, rho * s * t], [rho * s * t, t * t]], factor: [[s, 0], [rho * t, t * Math.sqrt(1 - rho * rho)]] };
  }

  function draw() {
    const { s, t, matrix, factor } = covariance(), [[a], [b, c]] = factor;
    second.input.disabled = kind.value === "isotropic";
    correlation.input.disabled = kind.value !== "full";
    handle.at = [s, t];
    const xs = [], ys = []; // A eps, with the same eps for every covariance: the draws move
    for (let i = 0; i < eps.length; i += 2) {
      xs.push(a * eps[i]);
      ys.push(b * eps[i] + c * eps[i + 1]);
    }
    plot.begin();
    plot.dots(xs, ys, { colour: indigo, radius: 1.5, alpha: 0.6 });
    plot.line([-s, s, s, -s], [-t, -t, t, t], { colour: "#777777", width: 1, dash: [4, 3], closed: true });
    for (const radius of [1, 2, 3]) plot.ellipse([0, 0], factor, radius, { width: 1.2 });
    write(matrix);
    stage.drawn(`The covariance is ${kind.value}: the variances are ${said(matrix[0][0])} and ${said(matrix[1][1])}, ` +
      `and the covariance of x\u2081 and x\u2082 is ${said(matrix[0][1])}.`, { kind: kind.value, covariance: matrix, z: [xs, ys] });
  }

  function write([[a, b], [, d]]) {
    table.begin();
    table.write(`\u03a3\u2081\u2081 = \u03c3\u2081\u00b2 = ${said(a)}`, 0, 14, { size: 15 });
    table.write(`\u03a3\u2082\u2082 = \u03c3\u2082\u00b2 = ${said(d)}`, 0, 42, { size: 15 });
    table.write(`\u03a3\u2081\u2082 = \u03a3\u2082\u2081 = \u03c1 \u03c3\u2081 \u03c3\u2082 = ${said(b)}`, 0, 70, { size: 15 });
    table.write("numbers in the covariance of D dimensions", 0, 122, { size: 13 });
    const right = { size: 13, align: "right" };
    [["D = 2", 170], ["D = 784", 270]].forEach(([words, x]) => table.write(words, x, 150, right));
    names.forEach((name, i) => {
      const chosen = name === kind.value, style = { bold: chosen, colour: chosen ? indigo : INK }, y = 180 + 28 * i;
      table.write(name, 0, y, { size: 13, ...style });
      [[2, 170], [784, 270]].forEach(([D, x]) => table.write(KINDS[name](D).toLocaleString("en"), x, y, { ...right, ...style }));
    });
  }

  stage.show(kind, row(first.element, second.element, correlation.element), row(plot.element, table.element));
  draw();
}
