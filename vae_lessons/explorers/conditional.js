// The plane of a conditional VAE: one place, and what is decoded there as each class.
function explore(stage, { decoder, loudness, codes, labels, numbers, names, classes, images, shape, reach, start, colours }) {
  const count = labels.length, size = images.length / count, decode = picturer(decoder), side = 62, step = side + 6, label = 18;
  const across = Math.min(5, classes), rows = Math.ceil(classes / across);
  const plane = new Plot({ width: 350, height: 344, x: [-reach, reach], y: [-reach, reach], equal: true, xlabel: "z₁", ylabel: "z₂",
    label: "The codes of real images, coloured by class" });
  plane.background(() => {
    plane.prior();
    scatter(plane, codes, labels, colours, { names: false, radius: 2.2 });
  });
  const ten = new Plot({ width: Math.max(across * step, 200), height: rows * (step + label), label: "What is decoded at the handle, as each class" });
  const source = new Plot({ width: 2 * step, height: side + label + 2, label: "The image chosen" });
  const image = number("handwriting of test image", { low: 0, high: count - 1, value: start, changed: choose });
  const sliders = names.map((name) => slider(name, { low: -2, high: 2, step: 0.1, value: 0, digits: 1, changed: draw }));
  const handle = new Handle(plane, { label: "place in the plane of z", at: [0, 0], moved: draw });

  // To the code and the numbers of the image chosen.
  function choose() {
    const i = image.value;
    handle.at = [codes[2 * i], codes[2 * i + 1]];
    sliders.forEach((one, k) => { one.value = numbers[i * names.length + k]; });
    source.captioned(`a ${labels[i]}, to compare:`, imageAt(images, i, size), shape, side, "");
    draw();
  }

  function draw() {
    const z = handle.at, asked = sliders.map((one) => one.value), pictures = [];
    plane.begin();
    ten.begin();
    for (let c = 0; c < classes; c++) {
      const one = Array.from({ length: classes }, (_, k) => (k === c ? loudness : 0));
      pictures.push(decode([...z, ...one, ...asked.map((value) => loudness * value)]));
      const px = 1 + (c % across) * step, py = Math.floor(c / across) * (step + label);
      ten.write(String(c), px, py + 9, { bold: true, colour: colours[c % colours.length] });
      ten.image(pictures[c], shape, px, py + label, side);
    }
    const words = names.map((name, k) => `, ${name} ${said(asked[k], 1)}`).join("");
    stage.drawn(`All ${classes} classes at z = (${said(z[0])}, ${said(z[1])})${words}: one handwriting.`, { z, asked, pictures, image: image.value });
  }

  stage.show(row(image.element, ...sliders.map((one) => one.element)), row(plane.element, column(source.element, ten.element)));
  choose();
}
