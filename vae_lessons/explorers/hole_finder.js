// A plane to ask about: is there a hole under the handle? The answers were measured beforehand, on a grid.
function explore(stage, { decoder, codes, labels, colours, box, shape, grid, distance, index, own, limit }) {
  const HOLE = colours[6], FULL = colours[0], RINGS = 60;
  const [left, right, bottom, top] = box, side = 330, tile = 140, size = shape.reduce((a, b) => a * b);
  const decode = picturer(decoder), holes = distance.map((d) => d > limit);
  const share = holes.reduce((a, b) => a + b) / holes.length;
  const asked = []; // [x, y, whether it is a hole]
  let shown = false, answer;

  // The square of the map in which a place lies, and the middle of a square.
  const squareAt = ([x, y]) => [(x - left) / (right - left), (top - y) / (top - bottom)]
    .map((s) => Math.min(grid - 1, Math.max(0, Math.floor(s * grid))));
  const middle = ([i, j]) => [left + ((i + 0.5) / grid) * (right - left), top - ((j + 0.5) / grid) * (top - bottom)];

  const plot = new Plot({ width: side + 70, height: side + 48, x: [left, right], y: [bottom, top], xlabel: "z₁", ylabel: "z₂",
    label: "The codes of real images, coloured by class" });
  plot.background(() => scatter(plot, codes, labels, colours));
  const [drawing, nearest] = ["What is decoded at the handle", "The nearest of the model's own pictures"].map((label) =>
    new Plot({ width: tile + 4, height: tile + 38, label }));
  const shade = shaded();
  const handle = new Handle(plot, { label: "place to ask about", at: middle([grid >> 1, grid >> 1]),
    moved: () => { answer = undefined; draw(); }, released: ask });

  function shaded() {
    const small = element("canvas", { width: grid, height: grid }), ctx = small.getContext("2d");
    const pixels = ctx.createImageData(grid, grid), rose = [1, 3, 5].map((at) => parseInt(HOLE.slice(at, at + 2), 16));
    holes.forEach((hole, i) => pixels.data.set([...rose, hole ? 90 : 0], 4 * i));
    ctx.putImageData(pixels, 0, 0);
    return small;
  }

  function draw() {
    const z = handle.at;
    plot.begin();
    if (shown) {
      plot.ctx.imageSmoothingEnabled = false;
      plot.ctx.drawImage(shade, plot.X(left), plot.Y(top), side, side);
    }
    for (const [x, y, hole] of asked.slice(-RINGS)) plot.ring(x, y, { colour: hole ? HOLE : FULL, width: 3 });
    if (answer) plot.ring(...z, { colour: answer.hole ? HOLE : FULL, width: 3, radius: 15 }); // around the handle
    const picture = decode(z);
    drawing.captioned("decoded there", picture, shape, tile, `z = (${said(z[0])}, ${said(z[1])})`);
    const white = new Float32Array(size).fill(shape[0] === 3 ? 1 : 0), verdict = answer?.hole ? "A hole" : "Not a hole";
    nearest.captioned("nearest own picture", answer ? imageAt(own, answer.index, size) : white, shape, tile,
      answer ? verdict : "not asked yet", answer && { bold: true, colour: answer.hole ? HOLE : FULL });
    const found = asked.filter(([, , hole]) => hole).length, tries = asked.length;
    const words = [answer
      ? `${verdict}: the nearest of the model's own pictures is ${said(answer.distance)} away, the limit is ${said(limit)}.`
      : "Is this a hole? Let go of the handle, or press Enter or “Ask here”."];
    if (tries) words.push(`${found} found in ${tries} ${tries === 1 ? "try" : "tries"}.`);
    if (shown) words.push(`All holes are shaded, ${Math.round(100 * share)} % of the plane.`);
    stage.drawn(words.join(" "), { z, picture, found, tries, shown, share, ...answer });
  }

  function ask() {
    const [i, j] = squareAt(handle.at), at = j * grid + i;
    handle.at = middle([i, j]); // where the distance was measured
    answer = { hole: Boolean(holes[at]), distance: distance[at], index: index[at] };
    asked.push([...handle.at, answer.hole]);
    draw();
  }

  stage.show(row(plot.element, tiles(drawing, nearest)),
    row(button("Ask here", ask), toggle("Show all holes", (down) => { shown = down; draw(); })));
  draw();
}
