// Images, and what the first L principal components rebuild of them: mean + z components.
function explore(stage, { mean, components: { weight, scale }, codes, images, shape, kept, latent, colours }) {
  const size = mean.length, most = kept.length - 1, count = images.length / size, side = 62, step = side + 6, label = 18;
  const rows = Float32Array.from(weight, (w, i) => w * scale[Math.floor(i / size)]);
  const blocks = []; // five images side by side, so that two blocks fit under each other on a phone
  for (let first = 0; first < count; first += 5) {
    const plot = new Plot({ width: 5 * step, height: 2 * (step + label), label: "Images, and below them what is rebuilt of them" });
    plot.background(() => {
      plot.write("images", 1, 9);
      for (let i = first; i < Math.min(first + 5, count); i++)
        plot.image(imageAt(images, i, size), shape, 1 + (i - first) * step, label, side);
    });
    blocks.push({ first, plot });
  }
  const bar = new Plot({ width: 400, height: 74, x: [0, 100], y: [0, 1], yticks: [], xlabel: "variance of the training images kept, %",
    label: "The share of the variance that is kept" });
  bar.background(() => bar.box(0, 100, 0, 1, { colour: "#e4e4e4" }));
  const chosen = slider("L", { low: 0, high: most, step: 1, value: latent, digits: 0, changed: draw });

  function rebuild(i, many) {
    const picture = Float32Array.from(mean);
    for (let k = 0, at = 0; k < many; k++) {
      const z = codes[i * most + k];
      for (let j = 0; j < size; j++) picture[j] += z * rows[at++];
    }
    return picture;
  }

  function draw() {
    const many = chosen.value, share = kept[many], rebuilt = [];
    for (const { first, plot } of blocks) {
      plot.begin();
      plot.write(`rebuilt, L = ${many}`, 1, step + label + 9);
      for (let i = first; i < Math.min(first + 5, count); i++) {
        rebuilt.push(rebuild(i, many));
        plot.image(rebuilt[i], shape, 1 + (i - first) * step, step + 2 * label, side);
      }
    }
    bar.begin();
    bar.box(0, 100 * share, 0, 1, { colour: colours[0] });
    stage.drawn(`L = ${many}: ${said(100 * share, 1)} % of the variance kept.`, { latent: many, kept: share, rebuilt });
  }

  stage.show(row(...blocks.map(({ plot }) => plot.element)), row(chosen.element, bar.element));
  draw();
}
