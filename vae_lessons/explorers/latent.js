// Planes of codes with one handle, what each model draws there, and the nearest real image.
function explore(stage, { models, images, shape, labels, colours, walk }) {
  const several = models.length > 1, side = several ? 260 : 380, tile = several ? 112 : 140;
  const count = labels.length, size = images.length / count, nearest = finder(images, count);
  const planes = models.map((model, i) => new Plane(model, i));
  const [a, b] = [0, 1].map((end) => number(end ? "to image" : "from image", {
    low: 0, high: count - 1, value: walk[end], changed: () => { thumbs(); along(); } }));
  const step = slider("walk", { low: 0, high: 1, step: 0.02, value: 0, percent: true, changed: along });
  const ends = [0, 1].map((end) => new Plot({ width: 36, height: 36, label: end ? "where the walk ends" : "where the walk starts" }));

  function Plane({ name, codes, box: [l, r, bottom, top], decoder }, i) {
    const decode = picturer(decoder);
    const plot = new Plot({ width: side + 46, height: side + (several ? 48 : 32), x: [l, r], y: [bottom, top], equal: true,
      title: several ? name : "", label: "The codes of real images, coloured by class" });
    plot.background(() => scatter(plot, codes, labels, colours));
    const [drawing, real] = ["What is decoded at the handle", "The nearest real image"].map((label) =>
      new Plot({ width: tile + 4, height: tile + 38, label }));
    const handle = new Handle(plot, { label: several ? `place in the plane of ${name}` : "place in the plane",
      at: at(walk[0]), moved: (z) => go(planes.map((plane) => plane.from(share(z)))) });

    function at(index) { return [codes[2 * index], codes[2 * index + 1]]; }
    const share = ([x, y]) => [(x - plot.x[0]) / (plot.x[1] - plot.x[0]), (y - plot.y[0]) / (plot.y[1] - plot.y[0])];
    const from = ([u, v]) => [plot.x[0] + u * (plot.x[1] - plot.x[0]), plot.y[0] + v * (plot.y[1] - plot.y[0])];

    function draw(z) {
      handle.at = z;
      plot.begin();
      const line = [at(a.value), at(b.value)];
      plot.line(line.map(([x]) => x), line.map(([, y]) => y), { width: 1.5, dash: [5, 3] });
      const picture = decode(z), { index, distance } = nearest(picture);
      drawing.captioned("decoded there", picture, shape, tile, `z = (${said(z[0])}, ${said(z[1])})`);
      real.captioned(`nearest image: a ${labels[index]}`, imageAt(images, index, size), shape, tile, `distance ${said(distance)}`);
      const words = `decoded at (${said(z[0])}, ${said(z[1])}); the nearest image is a ${labels[index]}, at distance ${distance.toFixed(2)}`;
      return { picture, index, distance, z, words: several ? `${name}: ${words}.` : `D${words.slice(1)}.` };
    }
    return { at, from, share, draw, element: row(plot.element, tiles(drawing, real)) };
  }

  function go(places) {
    const drawn = planes.map((plane, i) => plane.draw(places[i]));
    stage.drawn(drawn.map(({ words }) => words).join(" "), { planes: drawn });
  }

  function along() {
    const t = step.value;
    go(planes.map(({ at }) => at(a.value).map((v, j) => (1 - t) * v + t * at(b.value)[j])));
  }

  function thumbs() {
    [a, b].forEach((end, i) => {
      ends[i].begin();
      ends[i].image(imageAt(images, end.value, size), shape, 1, 1, 34);
      ends[i].canvas.setAttribute("aria-label", `Image ${end.value}, a ${labels[end.value]}`);
    });
  }

  stage.show(row(...planes.map((plane) => plane.element)),
    row(a.element, ends[0].element, step.element, ends[1].element, b.element));
  thumbs();
  along();
}
