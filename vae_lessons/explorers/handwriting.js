// A pad to write on, and what each model makes of the digit: where its code lies, and its copies.
function explore(stage, { models, images, shape, labels, colours, first, copies }) {
  const [, height, width] = shape, size = height * width, pen = 10, side = 224;
  const pad = new Plot({ width: side, height: side, label: "A pad to write a digit on" });
  const seen = new Plot({ width: 96, height: 118, label: "The image that the models get" });
  const ink = element("canvas", { width: side, height: side }), writing = ink.getContext("2d", { willReadFrequently: true });
  const noise = normals(0), eps = Array.from({ length: copies }, () => [noise(), noise()]);
  const views = models.map((model) => new View(model));
  const which = number("or take test image", { low: 0, high: labels.length - 1, value: first, changed: take });
  Object.assign(writing, { lineWidth: 2 * pen, lineCap: "round", lineJoin: "round" });
  pad.element.style.touchAction = "none";
  pad.element.style.cursor = "crosshair";
  pad.element.style.border = "1px solid #999";

  let last = null;
  const place = (event) => {
    const frame = pad.canvas.getBoundingClientRect(), scale = side / frame.width;
    return [(event.clientX - frame.left) * scale, (event.clientY - frame.top) * scale];
  };
  const stroke = (event) => {
    const [x, y] = place(event);
    writing.beginPath();
    writing.moveTo(...(last ?? [x, y]));
    writing.lineTo(x, y + 0.01);
    writing.stroke();
    last = [x, y];
    written();
  };
  pad.element.addEventListener("pointerdown", (event) => {
    if (fromImage) wipe();
    pad.element.setPointerCapture(event.pointerId);
    last = null;
    stroke(event);
    dragging = true;
    event.preventDefault();
  });
  let dragging = false, fromImage = true;
  pad.element.addEventListener("pointermove", (event) => { if (dragging) stroke(event); });
  for (const end of ["pointerup", "pointercancel"]) pad.element.addEventListener(end, () => { dragging = false; });

  function wipe() {
    writing.clearRect(0, 0, side, side);
    fromImage = false;
  }

  function take() {
    wipe();
    fromImage = true;
    const x = imageAt(images, which.value, size);
    pad.begin();
    pad.image(x, shape, 0, 0, side, { frame: false });
    show(x, `Test image ${which.value}, a ${labels[which.value]}`);
  }

  function written() {
    pad.begin();
    pad.ctx.drawImage(ink, 0, 0, side, side);
    const x = centred(writing.getImageData(0, 0, side, side), side, height);
    if (x) show(x, "Your digit");
    else stage.drawn("The pad is empty: write a digit on it.");
  }

  function show(x, name) {
    seen.begin();
    seen.write("the models get", 1, 8);
    seen.image(x, shape, 1, 18, 92);
    const drawn = views.map((view) => view.draw(x, name));
    stage.drawn(`${name}. ${drawn.map(({ words }) => words).join(" ")}`, { x, models: drawn });
  }

  function View({ name, codes, box: [l, r, bottom, top], encoder, decoder }) {
    const encode = new Network(encoder), decode = picturer(decoder), tile = 58;
    const plot = new Plot({ width: 330, height: 330, x: [l, r], y: [bottom, top], equal: true, title: name,
      label: `The plane of ${name} with the code of the digit` });
    plot.background(() => scatter(plot, codes, labels, colours, { alpha: 0.35 }));
    const below = new Plot({ width: 330, height: tile + 26, label: `Copies by ${name}` });

    this.element = column(plot.element, below.element);
    this.draw = (x) => {
      const out = encode.run(x), mu = [out[0], out[1]];
      const sigma = out.length === 4 ? [Math.exp(out[2] / 2), Math.exp(out[3] / 2)] : null;
      plot.begin();
      below.begin();
      const pictures = [decode(mu)];
      if (sigma) {
        const draws = eps.map((e) => mu.map((m, i) => m + sigma[i] * e[i]));
        for (const radius of [1, 2]) plot.ellipse(mu, [[sigma[0], 0], [0, sigma[1]]], radius, { width: 2 });
        plot.dots(draws.map(([a]) => a), draws.map(([, b]) => b), { radius: 2, alpha: 0.6 });
        pictures.push(...draws.map(decode));
        below.write("mean", 1, 8);
        below.write("draws z ~ q(z|x)", tile + 16, 8);
      } else {
        plot.ring(...mu, { radius: 7 });
        plot.dots([mu[0]], [mu[1]], { radius: 3 });
        below.write("its one copy", 1, 8);
      }
      pictures.slice(0, 5).forEach((picture, i) => below.image(picture, shape, 1 + i * (tile + 4) + (i ? 10 : 0), 18, tile));
      const where = `(${said(mu[0])}, ${said(mu[1])})`;
      const words = sigma
        ? `${name}: a cloud around ${where} with standard deviations ${said(sigma[0])} and ${said(sigma[1])}.`
        : `${name}: one code at ${where}.`;
      return { mu, sigma, pictures, words };
    };
  }

  stage.show(row(column(pad.element, row(button("Clear", () => { wipe(); written(); }), which.element)), seen.element),
    row(...views.map((view) => view.element)));
  take();
}

// What was written on a pad as the data have it: its longer side takes 20 of 28 pixels, its mass is central.
function centred({ data }, side, size) {
  let [left, right, top, bottom] = [side, -1, side, -1];
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++)
      if (data[4 * (y * side + x) + 3] > 0) {
        [left, right] = [Math.min(left, x), Math.max(right, x)];
        [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
      }
  if (right < 0) return null;
  const scale = ((20 / 28) * size) / Math.max(right - left + 1, bottom - top + 1, side / 10);
  let total = 0, [mx, my] = [0, 0];
  for (let y = top; y <= bottom; y++)
    for (let x = left; x <= right; x++) {
      const weight = data[4 * (y * side + x) + 3];
      total += weight;
      mx += weight * x;
      my += weight * y;
    }
  const [cx, cy] = [mx / total, my / total], out = new Float32Array(size * size);
  // each pixel of the image is the average over the piece of the pad that it covers
  for (let row = 0; row < size; row++)
    for (let column = 0; column < size; column++) {
      let sum = 0;
      for (let i = 0; i < 4; i++)
        for (let j = 0; j < 4; j++) {
          const x = Math.round((column + (j + 0.5) / 4 - size / 2) / scale + cx);
          const y = Math.round((row + (i + 0.5) / 4 - size / 2) / scale + cy);
          if (x >= 0 && y >= 0 && x < side && y < side) sum += data[4 * (y * side + x) + 3];
        }
      out[row * size + column] = sum / 16 / 255;
    }
  return out;
}
