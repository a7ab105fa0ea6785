// Mixtures of 1 to 300 Gaussians over the codes, draws of them decoded, and what they gain in nats.
function explore(stage, { counts, mixtures, draws, nats, codes, labels, box: [l, r, b, t], decoder, shape, start, colours }) {
  const decode = picturer(decoder), many = draws.length / counts.length / 2, side = 58, step = side + 4;
  const plane = new Plot({ width: 400, height: 390, x: [l, r], y: [b, t], equal: true, xlabel: "z\u2081", ylabel: "z\u2082",
    label: "Codes of test images and the Gaussians of the mixture" });
  plane.background(() => scatter(plane, codes, labels, colours));
  const low = Math.min(...nats.flat(), 0), high = Math.max(...nats.flat()), room = 0.08 * (high - low);
  const curve = new Plot({ width: 390, height: 240, x: [1, counts.at(-1)], y: [low - room, high + room], logx: true,
    xlabel: "Gaussians", ylabel: "nats gained an image", label: "Nats gained on training and on test images" });
  const kinds = [["training images", colours[0]], ["test images", colours[6]]];
  curve.background(() => {
    kinds.forEach(([, colour], i) => curve.line(counts, nats.map((pair) => pair[i]), { colour }));
    curve.corner(kinds.map(([name, colour]) => [name, { colour }]));
  });
  const columns = 6, tiles = new Plot({ width: columns * step + 2, height: Math.ceil(many / columns) * step + 18,
    label: "Draws of the mixture, decoded" });
  const chosen = stepper("Gaussians", { values: counts, value: start, changed: draw });

  function draw() {
    const k = chosen.index, { mean, factor } = mixtures[k], [train, test] = nats[k];
    plane.begin();
    for (let i = 0; i < counts[k]; i++) {
      const [a, , c, d] = factor.subarray(4 * i, 4 * i + 4); // lower triangular
      plane.ellipse(mean.subarray(2 * i, 2 * i + 2), [[a, 0], [c, d]], 2, { alpha: counts[k] > 30 ? 0.5 : 1 });
    }
    curve.begin();
    kinds.forEach(([, colour], i) => curve.ring(counts[k], nats[k][i], { colour }));
    tiles.begin();
    tiles.write(`${many} draws, decoded`, 1, 8);
    const pictures = [];
    for (let i = 0; i < many; i++) {
      const at = 2 * (k * many + i), z = draws.subarray(at, at + 2);
      plane.dots([z[0]], [z[1]], { radius: 3.5 });
      pictures.push(decode(z));
      tiles.image(pictures[i], shape, 1 + (i % columns) * step, 17 + Math.floor(i / columns) * step, side);
    }
    const name = counts[k] === 1 ? "1 Gaussian gains" : `${counts[k]} Gaussians gain`;
    stage.drawn(`${name} ${said(train, 2)} nats a training image and ${said(test, 2)} nats a test image over N(0, I). `
      + `Black points are ${many} draws.`, { count: counts[k], train, test, pictures });
  }

  stage.show(row(chosen.element), row(plane.element, column(curve.element, tiles.element)));
  draw();
}
