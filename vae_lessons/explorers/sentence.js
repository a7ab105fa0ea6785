// A slider for each word, the picture of the sentence, and what a writer expects next.
function explore(stage, { decoder, book, embed, input, state, output, starts, digits, shape, colours }) {
  const decode = picturer(decoder), [size, width] = book.shape, words = starts.shape[1], units = embed.weight.shape[1];
  const [gates, memory, logits] = [input, state, output].map((layer) => new Network([layer]));
  const uniform = uniforms(1), side = 200;
  const from = stepper("start with the sentence of a", { values: digits, value: digits[0], changed: restart });
  const sliders = Array.from({ length: words }, (_, m) =>
    slider(`word ${m + 1}`, { low: 0, high: size - 1, step: 1, value: 0, digits: 0, changed: draw }));
  const keep = slider("keep", { low: 0, high: words - 1, step: 1, value: 0, digits: 0, changed: draw });
  const rest = button("write the rest", () => { write(); draw(); });
  const drawing = new Plot({ width: side + 4, height: side + 38, label: "The picture of the sentence" });
  const bars = new Plot({ width: 390, height: 260, x: [-0.5, size - 0.5], y: [0, 1], xlabel: "next word", ylabel: "probability",
    label: "The probability of each next word" });

  // One step of a gated recurrent unit, as torch runs it: a word (or `size`, the start) and a state -> the next state.
  function step(word, before) {
    const row = embed.weight.subarray(word * units, (word + 1) * units);
    const a = gates.run(Float32Array.from(row, (v) => v * embed.scale[word])), b = memory.run(before);
    return before.map((old, k) => {
      const reset = sigmoid(a[k] + b[k]), update = sigmoid(a[units + k] + b[units + k]);
      return (1 - update) * Math.tanh(a[2 * units + k] + reset * b[2 * units + k]) + update * old;
    });
  }

  // p(next word | these words)
  function next(sentence) {
    const values = logits.run([size, ...sentence].reduce((h, word) => step(word, h), new Float32Array(units)));
    const highest = Math.max(...values), shares = values.map((v) => Math.exp(v - highest));
    const total = shares.reduce((sum, v) => sum + v, 0);
    return shares.map((v) => v / total);
  }

  const sentence = () => sliders.map((made) => made.value);

  function write() {
    for (let m = keep.value; m < words; m++) {
      const p = next(sentence().slice(0, m));
      let left = uniform(), word = 0;
      while (word < size - 1 && left > p[word]) left -= p[word++];
      sliders[m].value = word;
    }
  }

  function restart() {
    sliders.forEach((made, m) => { made.value = starts[from.index * words + m]; });
    draw();
  }

  function draw() {
    const now = sentence(), kept = keep.value, p = next(now.slice(0, kept));
    const picture = decode(Float32Array.from({ length: words * width }, (_, i) => book[now[Math.floor(i / width)] * width + (i % width)]));
    drawing.captioned("drawn", picture, shape, side, now.join(" "));
    let best = 0;
    p.forEach((v, k) => { if (v > p[best]) best = k; });
    const top = [0.25, 0.5, 1].find((limit) => p[best] <= limit);
    if (top !== bars.y[1]) {
      bars.y = [0, top];
      bars.yticks = ticksOf(0, top);
      bars.background();
    }
    bars.begin();
    p.forEach((v, k) => bars.box(k - 0.45, k + 0.45, 0, v, { colour: colours[k === now[kept] ? 0 : 6] }));
    bars.corner([[`word ${kept + 1} is now ${now[kept]}`, { colour: colours[0] }]], true);
    const given = kept ? `After ${now.slice(0, kept).join(" ")}` : "At the start";
    stage.drawn(`${given}, the writer's likeliest next word is ${best}, with probability ${said(p[best])}. Word ${kept + 1} is now ${now[kept]}, with probability ${said(p[now[kept]])}.`,
      { sentence: now, picture, p, kept });
  }

  stage.show(row(from.element, keep.element, rest), row(column(...sliders.map((made) => made.element)), drawing.element, bars.element));
  restart();
}
