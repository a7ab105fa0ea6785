// q, an ellipse to drag over the exact posterior of an image; ELBO, L_K and log p(x) as bars.
function explore(stage, { posteriors, limit, points, unit, draws, colours }) {
  const indigo = colours[0], teal = colours[7], green = colours[9], LOG2PI = Math.log(2 * Math.PI);
  const normal = normals(0), eps = Float64Array.from({ length: 2 * draws }, normal);
  const cell = (2 * limit) / (points - 1), logW = new Float64Array(draws);
  const grids = posteriors.map(({ steps, top }) => {
    const grid = new Float32Array(points * points);
    for (let i = 0, level = 0; i < grid.length; i++) {
      level = i % points ? level + steps[i] : steps[i];
      grid[i] = top + unit * level;
    }
    return grid;
  });
  const names = posteriors.map(({ name }) => name);
  const which = choice("posterior of", { options: names, value: names[0], changed: pick });
  const widths = Array.from({ length: 21 }, (_, i) => 2 ** (i / 4 - 2));
  const width = stepper("width of q, relative to the start", { values: widths, value: 1, changed: draw,
    names: widths.map((v) => said(v)) });
  const many = stepper("K, draws in each bound", { values: [1, 10, 100, 1000], value: 1000, changed: draw,
    names: ["1", "10", "100", "1,000"] });
  const plane = new Plot({ width: 380, height: 364, x: [-limit, limit], y: [-limit, limit], equal: true, xlabel: "z\u2081",
    ylabel: "z\u2082", label: "The exact posterior of z, dark where it is high, and q as ellipses" });
  const paper = new Plot({ width: 110, height: 130, label: "The image" });
  let shown, bars, mean, reach;
  const barPlace = column();
  const handle = new Handle(plane, { label: "mean of q", at: [0, 0], moved: (place) => { mean = place; draw(); } });

  function pick() {
    const index = names.indexOf(which.value), { image, shape, mu, top } = posteriors[index];
    shown = { ...posteriors[index], grid: grids[index] };
    mean = mu;
    plane.background(() => {
      const side = 2 * cell;
      for (let i = 0; i < points; i += 2)
        for (let j = 0; j < points; j += 2) {
          const height = Math.exp((shown.grid[i * points + j] - top) / 2), x = j * cell - limit, y = i * cell - limit;
          if (height > 0.02) plane.box(x - side / 2, x + side / 2, y - side / 2, y + side / 2, { alpha: 0.85 * height });
        }
    });
    reach = 0;
    paper.begin();
    if (image) {
      paper.write("the image x", 1, 8);
      paper.image(Float32Array.from(image, (b) => b / 255), shape, 1, 18, 104);
    }
    paper.element.style.visibility = image ? "" : "hidden";
    draw();
  }

  // log p(x, z) between four points of the grid; beyond its edge p(x|z) stays as it is there.
  function logJoint(x, y) {
    const cx = Math.min(limit, Math.max(-limit, x)), cy = Math.min(limit, Math.max(-limit, y));
    const u = (cx + limit) / cell, v = (cy + limit) / cell;
    const j = Math.min(points - 2, Math.floor(u)), i = Math.min(points - 2, Math.floor(v)), s = u - j, t = v - i;
    const { grid } = shown, at = i * points + j;
    const low = grid[at] * (1 - s) + grid[at + 1] * s, high = grid[at + points] * (1 - s) + grid[at + points + 1] * s;
    return low * (1 - t) + high * t + (cx * cx - x * x + cy * cy - y * y) / 2;
  }

  // The mean, over groups of k draws, of f(their first, k): L_k and the effective samples of k draws.
  function grouped(k, f) {
    let sum = 0;
    for (let first = 0; first < draws; first += k) sum += f(first, first + k);
    return (sum * k) / draws;
  }
  function highest(first, end) {
    let top = -Infinity;
    for (let d = first; d < end; d++) top = Math.max(top, logW[d]);
    return top;
  }
  function bound(first, end) {
    const top = highest(first, end);
    let sum = 0;
    for (let d = first; d < end; d++) sum += Math.exp(logW[d] - top);
    return top + Math.log(sum / (end - first));
  }
  function effective(first, end) {
    const top = highest(first, end);
    let sum = 0, squares = 0;
    for (let d = first; d < end; d++) { const w = Math.exp(logW[d] - top); sum += w; squares += w * w; }
    return (sum * sum) / squares;
  }

  // Bars from below the lowest of them: the axis is rebuilt when q is moved to where another length is needed.
  function scaled(lowest) {
    const { evidence } = shown, needed = 12 * 2 ** Math.max(0, Math.ceil(Math.log2(Math.max(1, evidence - lowest) / 10)));
    if (needed === reach) return;
    reach = needed;
    bars = new Plot({ width: 340, height: 190, x: [evidence - reach, evidence + reach / 8], y: [0, 3], yticks: [], xlabel: "nats",
      label: "ELBO, bound from K draws and log p(x), as bars" });
    barPlace.replaceChildren(bars.element);
  }

  function draw() {
    const scale = width.value, [a, b] = shown.sigma.map((s) => s * scale), [m, n] = mean, { evidence } = shown;
    let elbo = 0;
    for (let d = 0; d < draws; d++) {
      const e = eps[2 * d], f = eps[2 * d + 1];
      const logQ = -LOG2PI - Math.log(a * b) - (e * e + f * f) / 2;
      logW[d] = logJoint(m + a * e, n + b * f) - logQ;
      elbo += logW[d] / draws;
    }
    const k = many.value, reached = grouped(k, bound), effectively = grouped(k, effective);
    handle.at = mean;
    plane.begin();
    for (const radius of [1, 2, 3]) plane.ellipse(mean, [[a, 0], [0, b]], radius, { colour: indigo, width: 2 });
    scaled(elbo);
    bars.begin();
    const low = bars.x[0], K = k.toLocaleString("en");
    [["ELBO", elbo, indigo], [`L for K = ${K}`, reached, teal], ["log p(x)", evidence, green]].forEach(([name, value, colour], i) => {
      const y = 2.1 - i;
      bars.box(low, Math.max(low, Math.min(value, bars.x[1])), y, y + 0.65, { colour, alpha: 0.45 });
      bars.write(`${name} = ${said(value)}`, 18, bars.Y(y + 0.32), { size: 13 });
    });
    bars.line([evidence, evidence], [0, 3], { colour: green, dash: [4, 3] });
    stage.drawn(`The ELBO is ${said(elbo)} nats, the bound from ${K} draw${k > 1 ? "s" : ""} ${said(reached)}, log p(x) `
      + `${said(evidence)}. Of ${K} draws, ${said(effectively, 1)} are effective.`,
      { elbo, bound: reached, evidence, effective: effectively, mean, sigma: [a, b], k, axis: bars.x, logW: [...logW] });
  }

  stage.show(row(which.element), row(width.element, many.element),
    row(plane.element, column(barPlace, paper.element)));
  pick();
}
