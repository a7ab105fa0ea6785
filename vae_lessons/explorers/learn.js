// A small VAE that learns in the page, in a worker: encoder D-H-(mu, log_var), decoder L-H-D, Bernoulli pixels.

// The weights before training: normal, with the variances of He et al. 2015; biases at zero.
function initial(sizes, seed) {
  const noise = normals(seed), { pixels, hidden, latent } = sizes;
  const layer = (rows, columns, scale) => ({
    weight: Float32Array.from({ length: rows * columns }, () => scale * noise()),
    bias: new Float32Array(rows),
  });
  return {
    enter: layer(hidden, pixels, Math.sqrt(2 / pixels)),
    heads: layer(2 * latent, hidden, Math.sqrt(0.1 / hidden)),
    leave: layer(hidden, latent, Math.sqrt(2 / latent)),
    draw: layer(pixels, hidden, Math.sqrt(1 / hidden)),
  };
}

// out = W values + b
function linear({ weight, bias }, values) {
  const out = Float32Array.from(bias), columns = values.length;
  for (let row = 0, at = 0; row < out.length; row++) {
    let sum = 0;
    for (let column = 0; column < columns; column++) sum += weight[at++] * values[column];
    out[row] += sum;
  }
  return out;
}

// What a layer passes back of the slopes of its output, adding its own slopes to `into`.
function backward({ weight }, into, values, slopes, needed = true) {
  const columns = values.length, back = needed ? new Float32Array(columns) : null;
  for (let row = 0; row < slopes.length; row++) {
    const slope = slopes[row], start = row * columns;
    if (slope === 0) continue;
    into.bias[row] += slope;
    for (let column = 0; column < columns; column++) into.weight[start + column] += slope * values[column];
    if (needed) for (let column = 0; column < columns; column++) back[column] += slope * weight[start + column];
  }
  return back;
}

const relu = (values) => values.map((v) => (v > 0 ? v : 0));

// nll and KL of one image in nats, and the slopes of nll + KL added to `slopes`.
function terms(net, x, eps, slopes) {
  const latent = eps.length, h = relu(linear(net.enter, x)), out = linear(net.heads, h);
  const mu = out.subarray(0, latent), logVar = out.subarray(latent);
  const sigma = logVar.map((v) => Math.exp(v / 2)), z = mu.map((m, i) => m + sigma[i] * eps[i]);
  const g = relu(linear(net.leave, z)), logits = linear(net.draw, g), wrong = new Float32Array(logits.length);
  let nll = 0, kl = 0;
  for (let i = 0; i < logits.length; i++) {
    const v = logits[i];
    nll += Math.max(v, 0) - v * x[i] + Math.log1p(Math.exp(-Math.abs(v)));
    wrong[i] = sigmoid(v) - x[i];
  }
  for (let i = 0; i < latent; i++) kl += (mu[i] ** 2 + sigma[i] ** 2 - 1 - logVar[i]) / 2;
  const byG = backward(net.draw, slopes.draw, g, wrong).map((slope, i) => (g[i] > 0 ? slope : 0));
  const byZ = backward(net.leave, slopes.leave, z, byG), byOut = new Float32Array(2 * latent);
  for (let i = 0; i < latent; i++) {
    byOut[i] = byZ[i] + mu[i]; // dz/dmu = 1
    byOut[latent + i] = (byZ[i] * eps[i] * sigma[i]) / 2 + (sigma[i] ** 2 - 1) / 2; // dz/dsigma = eps
  }
  const byH = backward(net.heads, slopes.heads, h, byOut).map((slope, i) => (h[i] > 0 ? slope : 0));
  backward(net.enter, slopes.enter, x, byH, false);
  return { nll, kl };
}

// The learner: one step of Adam (Kingma & Ba 2015) after the other, on batches in a random order.
class Learner {
  constructor(images, count, sizes, { batch, rate, seed }) {
    Object.assign(this, { images, count, sizes, batch, rate, step: 0 });
    this.size = images.length / count;
    this.net = initial(sizes, seed);
    this.noise = normals(seed + 1);
    this.uniform = uniforms(seed + 2);
    const mean = new Float64Array(this.size);
    for (let i = 0; i < images.length; i++) mean[i % this.size] += images[i] / 255 / count;
    mean.forEach((m, i) => { const p = 0.01 + 0.98 * m; this.net.draw.bias[i] = Math.log(p / (1 - p)); });
    [this.slopes, this.first, this.second] = [0, 1, 2].map(() => this.zeros());
  }

  zeros() {
    return Object.fromEntries(Object.entries(this.net).map(([name, { weight, bias }]) =>
      [name, { weight: new Float32Array(weight.length), bias: new Float32Array(bias.length) }]));
  }

  advance() {
    let [nll, kl] = [0, 0];
    for (let b = 0; b < this.batch; b++) {
      const i = Math.floor(this.uniform() * this.count);
      const eps = Float32Array.from({ length: this.sizes.latent }, this.noise);
      const one = terms(this.net, imageAt(this.images, i, this.size), eps, this.slopes);
      nll += one.nll / this.batch;
      kl += one.kl / this.batch;
    }
    this.step += 1;
    const [b1, b2] = [0.9, 0.99], rate = (this.rate * Math.sqrt(1 - b2 ** this.step)) / (1 - b1 ** this.step);
    for (const [name, layer] of Object.entries(this.net))
      for (const part of ["weight", "bias"]) {
        const [w, g, m, v] = [layer, this.slopes[name], this.first[name], this.second[name]].map((of) => of[part]);
        for (let i = 0; i < w.length; i++) {
          const slope = g[i] / this.batch;
          m[i] = b1 * m[i] + (1 - b1) * slope;
          v[i] = b2 * v[i] + (1 - b2) * slope * slope;
          w[i] -= (rate * m[i]) / (Math.sqrt(v[i]) + 1e-8);
          g[i] = 0;
        }
      }
    return { step: this.step, nll, kl };
  }

  // The means of q(z|x) of some images, and the pictures of some codes.
  look(images, count, draws) {
    const { latent } = this.sizes, codes = new Float32Array(count * latent);
    for (let i = 0; i < count; i++) {
      codes.set(linear(this.net.heads, relu(linear(this.net.enter, imageAt(images, i, this.size)))).subarray(0, latent), i * latent);
    }
    const pictures = draws.map((z) => linear(this.net.draw, relu(linear(this.net.leave, z))).map(sigmoid));
    return { codes, pictures };
  }
}

// In the worker: learn until it is told to stop, and show the page how far it is every `pause` ms.
function work() {
  let learner, data, running = false;
  const report = (state) => postMessage({ ...state, ...learner.look(data.shown, data.labels.length, data.draws) });
  const turn = () => {
    const start = performance.now();
    let nll = 0, kl = 0, steps = 0;
    while (performance.now() - start < data.pause && learner.step < data.steps) {
      const state = learner.advance();
      [nll, kl, steps] = [nll + state.nll, kl + state.kl, steps + 1];
    }
    if (steps) report({ step: learner.step, nll: nll / steps, kl: kl / steps });
    running = running && learner.step < data.steps;
    if (running) setTimeout(turn, 0);
    else postMessage({ over: true });
  };
  onmessage = ({ data: message }) => {
    if (message.data) {
      data = message.data;
      learner = new Learner(data.images, data.count, data.sizes, data.settings);
      report({ step: 0, nll: null, kl: null });
    } else if (message.run && !running) {
      running = true;
      turn();
    } else if (message.run === false) running = false;
  };
}

function explore(stage, { images, count, shown, labels, colours, shape, sizes, settings, steps, pause, limit }) {
  const noise = normals(7), draws = Array.from({ length: 25 }, () => Float32Array.from({ length: sizes.latent }, noise));
  const plane = new Plot({ width: 360, height: 360, x: [-limit, limit], y: [-limit, limit], equal: true, xlabel: "z\u2081", ylabel: "z\u2082",
    label: "The codes of test images, coloured by class" });
  plane.background(() => plane.prior());
  const tile = 54, drawn = new Plot({ width: 5 * (tile + 3), height: 5 * (tile + 3) + 18, label: "Pictures of draws from N(0, I)" });
  const curve = new Plot({ width: 300, height: 200, x: [0, steps], y: [0, 260], xlabel: "step", ylabel: "nats per image",
    label: "Reconstruction error and KL over the steps" });
  curve.background(() => {
    curve.write("reconstruction error", 290, 20, { align: "right", colour: colours[6], size: 12 });
    curve.write("KL", 290, 36, { align: "right", colour: colours[0], size: 12 });
  });
  const train = button("Train a VAE here", () => { worker.postMessage({ run: true }); working(true); });
  const halt = button("Stop", () => worker.postMessage({ run: false }));
  const again = button("Start again", () => { worker.postMessage({ run: false }); begin(); });
  const working = (on) => { train.disabled = on; halt.disabled = !on; };
  const url = URL.createObjectURL(new Blob([[uniforms, normals, initial, linear, backward, terms, Learner].map(String).join("\n"),
    `\nconst relu = ${relu}, sigmoid = ${sigmoid}, imageAt = ${imageAt};\n(${work})();`], { type: "text/javascript" }));
  let history, worker;

  function begin() {
    worker?.terminate();
    worker = new Worker(url);
    history = [];
    working(false);
    return new Promise((ready, failed) => {
      worker.onerror = (event) => failed(new Error(event.message));
      worker.onmessage = ({ data: state }) => {
        if (state.over) working(false);
        else show(state);
        ready();
      };
      worker.postMessage({ data: { images, count, shown, labels, sizes, settings, steps, pause, draws } });
    });
  }

  function show({ step, nll, kl, codes, pictures }) {
    if (nll !== null) history.push({ step, nll, kl });
    plane.begin();
    scatter(plane, codes, labels, colours);
    drawn.begin();
    drawn.write("draws: z ~ N(0, I)", 1, 8, { size: 13 });
    pictures.forEach((picture, i) => drawn.image(picture, shape, 1 + (i % 5) * (tile + 3), 18 + Math.floor(i / 5) * (tile + 3), tile, { frame: false }));
    curve.begin();
    const at = history.map((one) => one.step);
    curve.line(at, history.map((one) => one.nll), { colour: colours[6] });
    curve.line(at, history.map((one) => one.kl), { colour: colours[0] });
    const words = nll === null ? "Untrained: all codes lie near 0, and no draw is a digit."
      : `Step ${step} of ${steps}: reconstruction error ${nll.toFixed(1)} nats, KL ${kl.toFixed(1)} nats per image.`;
    stage.drawn(words, { step, nll, kl, codes, pictures });
  }

  stage.show(row(train, halt, again), row(plane.element, drawn.element, curve.element));
  return begin();
}
