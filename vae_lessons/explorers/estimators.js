// Three estimators of one coordinate's gradient: 80 estimates each, and their variance beside what theory says.
function explore(stage, { repeats, samples, latent, start, estimators }) {
  const names = Object.keys(estimators), inks = Object.values(estimators), LOW = 1e-3;
  const K = stepper("K, draws in each estimate", { values: samples, value: start.samples, changed: draw });
  const L = stepper("L, latent dimensions", { values: latent, value: start.latent, changed: draw });
  const bend = (v) => Math.asinh(v / 2); // nearly straight near 0, a logarithm far from it
  const dots = new Plot({ width: 348, height: 290, x: [bend(-3000), bend(3000)], y: [2.5, -0.65], xticks: [], yticks: [],
    xlabel: "estimate of the gradient for \u03bc\u2081 (true: \u22124)", label: `${repeats} estimates by each of three estimators` });
  const bars = new Plot({ width: 348, height: 290, x: [LOW, 1e6], y: [2.5, -0.65], yticks: [], logx: true,
    xlabel: `variance of the ${repeats} estimates`, label: "The variance of each estimator" });
  const title = (plot, row) => plot.write(names[row], 18, plot.Y(row - 0.46), { size: 13, bold: true, colour: inks[row], halo: true });
  dots.background(() => {
    for (const v of [-1000, -100, -10, 0, 10, 100, 1000]) {
      dots.write(v.toLocaleString("en").replace("-", MINUS), dots.X(bend(v)), 263, { size: 11, align: "center" });
      dots.line([bend(v), bend(v)], [2.5, 2.44], { width: 0.8 });
    }
    dots.line([bend(-4), bend(-4)], [2.5, -0.65], { width: 1 });
  });
  bars.background(() => bars.write("black line: theory", 338, 12, { align: "right" }));

  // With mu = 0 and sigma = 1, z is the noise, and an estimate is made of the means over its K draws of f, z_1 and
  // f z_1, where f is the sum of (z_j - 2)^2 over L numbers. All K and L share one noise, of which they take the first
  // K draws and L numbers: drawing once for the largest settles all.
  const normal = normals(1), most = samples.at(-1), wide = latent.at(-1), levels = latent.length;
  const sums = new Float64Array(repeats * levels * 3), kept = new Map();
  let drawn = 0;
  function drawOne() {
    for (let r = 0, at = 0; r < repeats; r++) {
      let f = 0, first = 0;
      for (let j = 1; j <= wide; j++) {
        const z = normal();
        if (j === 1) first = z;
        f += (z - 2) ** 2;
        if ((j & (j - 1)) === 0) { // L is a power of 2
          sums[at++] += f;
          sums[at++] += first;
          sums[at++] += f * first;
        }
      }
    }
    if (samples.includes(++drawn)) kept.set(drawn, sums.map((sum) => sum / drawn));
  }
  function ahead() { // the rest, in pieces of a few milliseconds, before anyone asks for it
    for (let i = 0; i < 16 && drawn < most; i++) drawOne();
    if (drawn < most) setTimeout(ahead);
  }

  // As `score_function_gradient`, with its baseline "others", and `reparameterized_gradient` of the package.
  function estimates() {
    while (drawn < K.value) drawOne();
    const means = kept.get(K.value), total = repeats * K.value;
    const each = Array.from({ length: repeats }, (_, r) => means.subarray(3 * (r * levels + L.index)).subarray(0, 3));
    const baseline = each.reduce((sum, [f]) => sum + f, 0) / repeats;
    return [
      each.map(([, , product]) => product),
      each.map(([, first, product]) => ((product - baseline * first) * total) / (total - 1)),
      each.map(([, first]) => 2 * (first - 2)),
    ];
  }

  function variance(values) {
    const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
    return values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1);
  }

  function draw() {
    const found = estimates(), variances = found.map(variance), l = L.value;
    const theory = [25 * l * l + 38 * l + 24, 18 * l + 24, 4].map((v) => v / K.value);
    dots.begin();
    bars.begin();
    found.forEach((values, row) => {
      dots.dots(values.map(bend), values.map((_, i) => row + 0.5 * (((i * 0.618) % 1) - 0.5) + 0.12), { colour: inks[row], radius: 2.2, alpha: 0.5 });
      bars.box(LOW, variances[row], row - 0.13, row + 0.37, { colour: inks[row], alpha: 0.7 });
      bars.line([theory[row], theory[row]], [row - 0.2, row + 0.44]);
      title(dots, row);
      title(bars, row);
      bars.text(short(variances[row]), Math.max(variances[row], theory[row]) * 1.5, row + 0.12, { size: 13 });
    });
    const right = found.map((values) => values.filter((v) => v < 0).length);
    stage.drawn(`With K = ${K.value} and L = ${l} the variances are ${names.map((name, i) => `${short(variances[i])} (${name})`).join(", ")}; ` +
      `${right[0]}, ${right[1]} and ${right[2]} of ${repeats} estimates have the right sign.`, { samples: K.value, latent: l, estimates: found, variances, theory });
  }

  stage.show(row(K.element, L.element), row(dots.element, bars.element));
  draw();
  ahead();
}
const short = (v) => (v < 1000 ? String(Number(v.toPrecision(3))) : Math.round(v).toLocaleString("en"));
