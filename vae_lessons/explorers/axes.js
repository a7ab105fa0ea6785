// Two latent axes under a dial: what each draws and holds, and what turning them does to the bounds.
function explore(stage, sent) {
  const { mu, precision, labels, starts, digits, covariance, shared, whole, names, taught, count, pair, steps, shape, colours } = sent;
  const size = precision.length / labels.length, factors = names.length, images = labels.length, tile = 40, step = tile + 4;
  const decode = picturer(sent.decoder), reach = 4, radius = 3, tints = [colours[6], colours[0]];
  const identity = Float64Array.from({ length: size * size }, (_, i) => Number(i % size === Math.floor(i / size)));
  let base = identity, codes, classNames, beforehand, bounds, angle = 0;

  const plane = new Plot({ width: 340, height: 330, x: [-reach, reach], y: [-reach, reach], equal: true,
    xlabel: "A", ylabel: "B", label: "The codes of real images in the plane of two axes, coloured by class" });
  const pictures = new Plot({ width: 34 + steps.length * step, height: 20 + 2 * step, label: "What is decoded along each of the turned axes" });
  const bars = new Plot({ width: 380, height: 44 * factors + 76, x: [0, 1], y: [factors - 0.4, -0.6], yticks: [], xlabel: "R² on test images",
    title: `upper bar: A, lower bar: B, outline: all ${size} axes`,
    label: "How much of each factor an axis holds" });
  const nats = new Plot({ width: 340, height: 160, x: [-90, 90], y: [-1, 0.15], xticks: [-90, -45, 0, 45, 90], yticks: [-1, -0.5, 0],
    xlabel: "turned by, degrees", ylabel: "change, nats", label: "How log p(x) and the ELBO change when the axes are turned" });
  const learned = toggle(`turn to the ${count} labels`, (down) => {
    base = down ? taught : identity; // the labels' slant and thickness are its first two axes
    [one.value, two.value] = down ? [1, 2] : pair.map((axis) => axis + 1);
    restart();
  });
  const [one, two] = ["first axis", "second axis"].map((label, i) =>
    number(label, { low: 1, high: size, value: pair[i] + 1, changed: () => repaired(i) }));
  const turn = slider("turn", { low: -90, high: 90, step: 1, value: 0, digits: 0, changed: () => to(turn.value) });
  const from = stepper("from a", { values: digits, value: digits[0], changed: draw });
  const handle = new Handle(plane, { label: "direction of the first axis", at: [radius, 0], moved: ([x, y]) => {
    const degrees = (Math.atan2(y, x) * 180) / Math.PI; // an axis has two ends: the dial takes the nearer one
    to(degrees > 90 ? degrees - 180 : degrees < -90 ? degrees + 180 : degrees);
  } });

  // Rows of the base times the rotation of the two axes: the turned axes as directions in the model's own space.
  function directions(degrees) {
    const t = (degrees * Math.PI) / 180, [i, j] = [one.value - 1, two.value - 1];
    const mixed = (a, b) => Float64Array.from({ length: size }, (_, k) => a * base[i * size + k] + b * base[j * size + k]);
    return [mixed(Math.cos(t), Math.sin(t)), mixed(-Math.sin(t), Math.cos(t))];
  }

  // What an axis along a direction holds of each factor: squared correlations.
  function held(direction) {
    let variance = 0;
    const products = new Float64Array(factors);
    for (let k = 0; k < size; k++) {
      for (let l = 0; l < size; l++) variance += direction[k] * covariance[k * size + l] * direction[l];
      for (let f = 0; f < factors; f++) products[f] += direction[k] * shared[k * factors + f];
    }
    return products.map((product) => product ** 2 / variance);
  }

  // Mean over images of 1/2 log [u diag(1 / sigma^2) u^T]: what an axis along u adds to KL(q' || turned q).
  function added(u) {
    let sum = 0;
    for (let n = 0; n < images; n++) {
      let narrow = 0;
      for (let k = 0; k < size; k++) narrow += u[k] * u[k] * precision[n * size + k];
      sum += Math.log(narrow) / 2;
    }
    return sum / images;
  }

  const lost = (degrees) => {
    const [u, v] = directions(degrees);
    return beforehand + added(u) + added(v);
  };

  // What changes with the pair or the base, but not with the angle.
  function prepare() {
    const [i, j] = [one.value - 1, two.value - 1];
    beforehand = 0;
    for (let k = 0; k < size; k++) {
      if (k !== i && k !== j) beforehand += added(base.subarray(k * size, (k + 1) * size));
      beforehand -= added(identity.subarray(k * size, (k + 1) * size)); // log det of the covariance, which turns along
    }
    const [u, v] = directions(0);
    codes = new Float64Array(2 * images);
    for (let n = 0; n < images; n++)
      for (let k = 0; k < size; k++) {
        codes[2 * n] += u[k] * mu[n * size + k];
        codes[2 * n + 1] += v[k] * mu[n * size + k];
      }
    classNames = placesOfNames(plane, codes, labels);
    const named = base === identity ? (k) => `axis ${k}` : (k) => ["the slant's direction", "the thickness's direction"][k - 1] ?? `turned axis ${k}`;
    [plane.xlabel, plane.ylabel] = [one, two].map((axis, k) => `${"AB"[k]} at 0°: ${named(axis.value)}`);
    plane.background(() => {
      plane.prior();
      scatter(plane, codes, labels, colours, { names: false });
    });
    const quarter = spread(0, 90, 31).map(lost), across = spread(-90, 90, 61); // a quarter turn swaps the axes
    bounds = across.map((_, k) => -quarter[k % 30]);
    const deepest = Math.max(0.25, 1.6 * Math.max(...quarter)), rounded = ticksOf(0, deepest, 3);
    nats.y = [-deepest, 0.4 * deepest];
    nats.yticks = rounded.map((tick) => -tick);
    nats.background(() => {
      nats.line([-90, 90], [0, 0], { colour: INK, dash: [6, 3] });
      nats.text("log p(x), and the ELBO with a full q", -88, 0.24 * deepest, { size: 11 });
      nats.line(across, bounds, { colour: colours[4] });
      nats.text("the ELBO with a diagonal q", -88, -0.85 * deepest, { size: 11, colour: colours[4], halo: true });
    });
  }

  function restart() {
    prepare();
    to(0);
  }

  function repaired(which) {
    if (one.value === two.value) { // an axis cannot be turned with itself: the other one gives way
      const other = which === 0 ? two : one;
      other.value = (one.value % size) + 1;
    }
    restart();
  }

  function to(degrees) {
    angle = degrees;
    turn.value = degrees;
    draw();
  }

  function draw() {
    const t = (angle * Math.PI) / 180, axes = directions(angle), r2 = axes.map(held), loss = lost(angle);
    const at = starts.subarray(from.index * size, (from.index + 1) * size);
    handle.at = [radius * Math.cos(t), radius * Math.sin(t)];
    plane.begin();
    [[Math.cos(t), Math.sin(t)], [-Math.sin(t), Math.cos(t)]].forEach(([x, y], i) => {
      plane.line([-9 * x, 9 * x], [-9 * y, 9 * y], { colour: tints[i], width: 2.5 });
      plane.text(i ? "B" : "A", 3.6 * x, 3.6 * y, { bold: true, size: 14, align: "center", colour: tints[i], halo: true });
    });
    classNames.forEach((place) => nameClass(plane, place)); // over the lines of the axes
    pictures.begin();
    const drawn = axes.map((axis, row) => {
      pictures.write("AB"[row], 12, 20 + row * step + tile / 2, { bold: true, size: 14, align: "center", colour: tints[row] });
      const here = axis.reduce((sum, u, k) => sum + u * at[k], 0);
      return Array.from(steps, (value, column) => {
        const picture = decode(axis.map((u, k) => at[k] + (value - here) * u));
        pictures.image(picture, shape, 32 + column * step, 20 + row * step, tile);
        return picture;
      });
    });
    pictures.write(`along A and B, from ${said(steps[0], 1)} to ${said(steps.at(-1), 1)}`, 32, 8);
    bars.begin();
    names.forEach((name, f) => {
      bars.text(name, 0.01, f - 0.43, { size: 12 });
      r2.forEach((share, i) => bars.box(0, share[f], f + 0.22 * i - 0.28, f + 0.22 * i - 0.06, { colour: tints[i] }));
      bars.line([0, whole[f], whole[f], 0], [f - 0.3, f - 0.3, f + 0.18, f + 0.18], { colour: INK, width: 1 });
      bars.text(`all ${size}: ${said(whole[f])}`, Math.max(whole[f], 0.2) + 0.01, f - 0.06, { size: 11 });
    });
    nats.begin();
    nats.dots([angle], [-loss], { colour: colours[4], radius: 6 });
    nats.dots([angle], [0], { radius: 5 });
    const learnt = base === taught ? `At 0° A and B are the directions of slant and thickness in ${count} labelled images. ` : "";
    const best = names.map((name, f) => `${name} ${said(r2[0][f])} and ${said(r2[1][f])}`).join(", ");
    stage.drawn(`${learnt}Turned by ${said(angle, 0)}°. R² of A and B: ${best}. p(x) is the same; the ELBO with a diagonal q loses ${said(loss)} nats.`,
      { angle, r2, lost: loss, whole, z: axes, pictures: drawn, pair: [one.value, two.value], taught: base === taught, classes: classNames });
  }

  stage.show(row(learned, one.element, two.element), row(turn.element, from.element),
    row(column(plane.element, nats.element), column(pictures.element, bars.element)));
  restart();
}
