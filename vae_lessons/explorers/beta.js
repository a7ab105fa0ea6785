// One slider over a sweep: the plane of codes with a handle, the rate-distortion curve, draws from the prior.
function explore(stage, { sweep, start, labels, colours, shape, draws, limit }) {
  const side = 312, tile = 104, small = 40, step = small + 4, count = draws.length / 2;
  const rates = sweep.map((point) => point.kl), distortions = sweep.map((point) => point.nll);
  const plot = new Plot({ width: side + 70, height: side + 64, x: [-limit, limit], y: [-limit, limit], xlabel: "z₁", ylabel: "z₂",
    title: "codes of test images", label: "The means of q(z|x) of test images, coloured by class, over the prior's circles" });
  const curve = new Plot({ width: 286, height: 232, x: around(rates), y: around(distortions), xlabel: "rate: KL, nats per image",
    ylabel: "distortion: nll, nats per image", label: "The rate-distortion curve" });
  curve.background(() => {
    curve.line(rates, distortions, { width: 1.5, dash: [2, 3] });
    curve.dots(rates, distortions, { radius: 2.5 });
  });
  const drawing = new Plot({ width: tile + 4, height: tile + 38, label: "What is decoded at the handle" });
  const drawn = new Plot({ width: 5 * step, height: 18 + Math.ceil(count / 5) * step, label: "Draws from the prior" });
  const models = []; // what stays while the handle moves is drawn once
  const chosen = stepper("β", { values: sweep.map((point) => point.beta), value: sweep[start].beta, changed: turn });
  const handle = new Handle(plot, { label: "place in the plane", at: [0, 0], moved: draw });

  function around(values) {
    const low = Math.min(...values), high = Math.max(...values), room = 0.08 * (high - low) || 1;
    return [low - room, high + room];
  }

  function opened({ codes, decoder }) {
    const decode = picturer(decoder);
    const pictures = Array.from({ length: count }, (_, i) => decode(draws.subarray(2 * i, 2 * i + 2)));
    const outside = labels.filter((_, i) => Math.max(Math.abs(codes[2 * i]), Math.abs(codes[2 * i + 1])) > limit).length;
    plot.background(() => {
      plot.prior();
      scatter(plot, codes, labels, colours);
      if (outside) plot.write(`${outside} of ${labels.length} lie outside`, plot.width - 18, 32, { size: 11, align: "right", halo: true });
    });
    drawn.background(() => {
      drawn.write("draws: z ~ N(0, I)", 1, 8);
      pictures.forEach((picture, i) => drawn.image(picture, shape, 1 + (i % 5) * step, 18 + Math.floor(i / 5) * step, small));
    });
    return { decode, pictures, outside, kept: [plot.kept, drawn.kept] };
  }

  function show() {
    models[chosen.index] ??= opened(sweep[chosen.index]);
    [plot.kept, drawn.kept] = models[chosen.index].kept;
    plot.begin();
    drawn.begin();
  }

  function turn() {
    show();
    curve.begin();
    curve.dots([rates[chosen.index]], [distortions[chosen.index]], { colour: colours[6], radius: 7 });
    draw(handle.at);
  }

  function draw(z) {
    const { decode, pictures, outside } = models[chosen.index], { beta, kl, nll } = sweep[chosen.index], picture = decode(z);
    plot.begin();
    drawing.captioned("decoded there", picture, shape, tile, `z = (${said(z[0])}, ${said(z[1])})`);
    const words = `β = ${beta}: KL ${said(kl, 1)}, nll ${said(nll, 1)} nats per image.`;
    stage.drawn(outside ? `${words} ${outside} of ${labels.length} codes lie outside the axes.` : words,
      { beta, kl, nll, outside, z, picture, pictures });
  }

  stage.show(row(chosen.element), row(plot.element, column(drawing.element, curve.element), drawn.element));
  turn();
  // Once the first picture stands, the other models are opened one by one, so that no move waits for it.
  sweep.forEach((point, i) => setTimeout(() => { models[i] ??= opened(point); show(); }));
}
