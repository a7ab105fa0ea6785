// One step of a training after the other: the pictures of the same codes, and what was measured.
function explore(stage, { steps, draws, rebuilt, images, shape, columns, names, values, colours }) {
  const size = shape.reduce((a, b) => a * b), count = draws.length / size / steps.length, shown = images.length / size;
  const tile = 40, gap = tile + 3, rows = Math.ceil(count / columns), tints = [colours[6], colours[0], colours[9], colours[4]];
  const choose = stepper("step", { values: steps, value: steps[0], changed: draw });
  const drawn = new Plot({ width: columns * gap, height: rows * gap + 18, label: "Pictures of the same codes" });
  const again = new Plot({ width: columns * gap, height: 2 * gap * Math.ceil(shown / columns) + 36, label: "Images and what is rebuilt of them" });
  const curves = names.map((name, k) => {
    const top = 1.08 * Math.max(...values[k], 1e-9);
    const plot = new Plot({ width: 232, height: 170, x: [0, steps.at(-1)], y: [0, top], xticks: ticksOf(0, steps.at(-1), 3), yticks: ticksOf(0, top, 3),
      title: name, xlabel: "step", label: `${name} over the steps` });
    plot.background(() => plot.line(steps, values[k], { colour: tints[k % 4] }));
    return plot;
  });
  const tiled = (plot, bytes, from, many, top) => {
    for (let i = 0; i < many; i++)
      plot.image(imageAt(bytes, from + i, size), shape, 1 + (i % columns) * gap, top + Math.floor(i / columns) * gap, tile, { frame: false });
  };

  function draw() {
    const at = choose.index, below = 36 + gap * Math.ceil(shown / columns);
    drawn.begin();
    drawn.write(`draws at step ${steps[at]}`, 1, 8, { size: 13 });
    tiled(drawn, draws, at * count, count, 18);
    again.begin();
    again.write("images", 1, 8, { size: 13 });
    tiled(again, images, 0, shown, 18);
    again.write(`rebuilt at step ${steps[at]}`, 1, below - 10, { size: 13 });
    tiled(again, rebuilt, at * shown, shown, below);
    curves.forEach((plot, k) => {
      plot.begin();
      plot.line([steps[at], steps[at]], plot.y, { width: 0.8 });
      plot.dots([steps[at]], [values[k][at]], { colour: tints[k % 4], radius: 5 });
    });
    const now = names.map((name, k) => `${name} ${said(values[k][at])}`).join(", ");
    stage.drawn(`Step ${steps[at]}: ${now}.`, { step: steps[at], values: values.map((line) => line[at]),
      first: imageAt(draws, at * count, size), rebuilt: imageAt(rebuilt, at * shown, size) });
  }

  stage.show(choose.element, row(drawn.element, again.element), row(...curves.map((plot) => plot.element)));
  draw();
}
