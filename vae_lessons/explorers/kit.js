// The kit of every explorer: data, networks, a plot with axes, a handle, controls. No library, no network.
const INK = "#222222", FAINT = "#b8b8b8", SHARP = 2, FONT = "system-ui, 'DejaVu Sans', sans-serif";
const MINUS = "\u2212";

// ---- Data: what page.py has packed becomes typed arrays.
const KINDS = {
  int8: Int8Array, uint8: Uint8Array, int16: Int16Array, int32: Int32Array,
  float32: Float32Array, float64: Float64Array,
};

async function unpack(value) {
  if (Array.isArray(value)) return Promise.all(value.map(unpack));
  if (value === null || typeof value !== "object") return value;
  if (!("bytes" in value)) {
    const entries = Object.entries(value).map(async ([name, inner]) => [name, await unpack(inner)]);
    return Object.fromEntries(await Promise.all(entries));
  }
  const packed = Uint8Array.from(atob(value.bytes), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const array = new KINDS[value.dtype](await new Response(stream).arrayBuffer());
  return Object.assign(array, { shape: value.shape });
}

// ---- Networks: linear layers one after the other, as torch runs them.
const sigmoid = (v) => 1 / (1 + Math.exp(-v));
const AFTER = {
  "": (v) => v,
  silu: (v) => v * sigmoid(v),
  relu: (v) => Math.max(v, 0),
  tanh: Math.tanh,
  sigmoid,
};

class Network {
  constructor(layers) {
    this.layers = layers.map(({ weight, scale, bias, after }) => {
      const columns = weight.shape[1];
      const real = scale ? Float32Array.from(weight, (w, i) => w * scale[Math.floor(i / columns)]) : weight;
      return { weight: real, bias, columns, after: AFTER[after] };
    });
  }

  // (I,) -> (O,)
  run(input) {
    let values = input;
    for (const { weight, bias, columns, after } of this.layers) {
      const out = new Float32Array(bias.length);
      for (let row = 0, at = 0; row < out.length; row++) {
        let sum = bias[row];
        for (let column = 0; column < columns; column++) sum += weight[at++] * values[column];
        out[row] = after(sum);
      }
      values = out;
    }
    return values;
  }
}

// The mean picture at a code z, numbers 0 to 1, as `model.picture` gives it.
function picturer({ layers, output }) {
  const network = new Network(layers), last = AFTER[output];
  return (z) => network.run(z).map(last);
}

// Which of some images (bytes, one after the other) is nearest to a picture, numbers -> index and distance.
function finder(images, count) {
  const size = images.length / count, squares = new Float64Array(count);
  for (let i = 0; i < count; i++)
    for (let j = i * size; j < (i + 1) * size; j++) squares[i] += (images[j] / 255) ** 2;
  return (picture) => {
    let best = Infinity, index = 0, own = 0;
    for (const value of picture) own += value * value;
    for (let i = 0; i < count; i++) {
      let product = 0;
      for (let j = 0, at = i * size; j < size; j++, at++) product += images[at] * picture[j];
      const square = squares[i] - (2 * product) / 255 + own;
      if (square < best) [best, index] = [square, i];
    }
    return { index, distance: Math.sqrt(Math.max(best, 0)) };
  };
}

// The i-th of some images as numbers 0 to 1.
const imageAt = (images, i, size) => Float32Array.from(images.subarray(i * size, (i + 1) * size), (b) => b / 255);

// ---- Numbers and words
const spread = (low, high, count) => Float64Array.from({ length: count }, (_, i) => low + ((high - low) * i) / (count - 1));
const said = (value, digits = 2) => value.toFixed(digits).replace(/^-(?=0\.?0*$)/, "").replace("-", MINUS);

function ticksOf(low, high, wanted = 5) {
  const raw = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].find((m) => m * power >= raw) * power;
  const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(10)));
}

function median(values) {
  const sorted = Float64Array.from(values).sort(), middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// Pseudo-random numbers, the same for the same seed: between 0 and 1 (mulberry32), and from N(0, 1) (Box & Muller 1958).
function uniforms(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
}

function normals(seed) {
  const uniform = uniforms(seed);
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

// ---- Elements
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made[name] = value;
    else if (value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

const row = (...children) => element("div", { class: "vae-row" }, ...children);
// Small papers under each other beside a plot, and beside each other under it where the page is narrow.
const tiles = (...papers) => element("div", { class: "vae-tiles" }, ...papers.map((paper) => paper.element));
const column = (...children) => element("div", { class: "vae-column" }, ...children);

const STYLE = `
.vae-page { color-scheme: light; background: #fff; color: ${INK}; font: 14px/1.4 ${FONT}; padding: 10px;
  border-radius: 6px; max-width: 60rem; box-sizing: border-box; overflow-wrap: anywhere; }
.vae-page .vae-row { display: flex; flex-flow: row wrap; gap: 6px 18px; align-items: center; margin: 4px 0; }
.vae-page .vae-column { display: flex; flex-direction: column; gap: 4px; min-width: 0; max-width: 100%; }
.vae-page .vae-tiles { display: grid; gap: 6px 14px; }
@media (max-width: 600px) { .vae-page .vae-tiles { grid-auto-flow: column; } }
.vae-page .vae-paper { position: relative; }
.vae-page .vae-paper canvas { display: block; width: 100%; height: 100%; }
.vae-page .vae-handle { position: absolute; width: 18px; height: 18px; margin: -11px 0 0 -11px; border-radius: 50%;
  border: 2.5px solid ${INK}; background: radial-gradient(${INK} 2px, rgb(255 255 255 / .65) 2.5px); cursor: grab; }
.vae-page .vae-handle:focus-visible { outline: 2px solid #0a66c2; outline-offset: 3px; }
.vae-page label.vae-control { display: flex; flex-wrap: wrap; gap: 2px 8px; align-items: center; max-width: 100%; }
.vae-page input[type=range] { width: 190px; max-width: 55vw; margin: 0; accent-color: #332288; }
.vae-page input[type=number] { width: 5.5em; font: inherit; }
.vae-page output { min-width: 3.2em; font-variant-numeric: tabular-nums; }
.vae-page fieldset { border: 0; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 2px 12px; min-width: 0; }
.vae-page legend { float: left; padding: 0; margin-right: 12px; }
.vae-page button { font: inherit; padding: 3px 12px; cursor: pointer; }
.vae-page button[aria-pressed=true] { background: #332288; color: #fff; }
.vae-page p.vae-words { margin: 4px 0 0; min-height: 1.4em; font-size: 14px; }
`;

// ---- Controls, HTML's own. Each has `element` and `value`, and calls `changed` when the reader moves it.
function slider(label, { low, high, step, value, changed, digits = 2, percent = false }) {
  const input = element("input", { type: "range", min: low, max: high, step, "aria-label": label });
  const shown = element("output");
  let exact; // a handle may put it between two steps
  const show = () => {
    shown.textContent = percent ? `${Math.round(100 * exact)} %` : said(exact, digits);
    input.setAttribute("aria-valuetext", shown.textContent);
  };
  const set = (v) => { input.value = exact = Math.min(high, Math.max(low, v)); show(); };
  set(value);
  input.addEventListener("input", () => { set(Number(input.value)); changed(); });
  return {
    element: element("label", { class: "vae-control" }, label, input, shown),
    input,
    get value() { return exact; },
    set value(v) { set(v); },
  };
}

// A slider over a list of values.
function stepper(label, { values, value, changed, names = values.map(String) }) {
  const input = element("input", { type: "range", min: 0, max: values.length - 1, step: 1, "aria-label": label });
  input.value = Math.max(0, values.indexOf(value));
  const shown = element("output");
  const show = () => {
    shown.textContent = names[input.value];
    input.setAttribute("aria-valuetext", shown.textContent);
  };
  show();
  input.addEventListener("input", () => { show(); changed(); });
  return {
    element: element("label", { class: "vae-control" }, label, input, shown),
    input,
    get index() { return Number(input.value); },
    get value() { return values[input.value]; },
  };
}

// One of a few names, as radio buttons.
function choice(label, { options, value, changed }) {
  const group = `vae-${Math.random().toString(36).slice(2)}`;
  const inputs = options.map((option) => {
    const input = element("input", { type: "radio", name: group, value: option });
    input.checked = option === value;
    input.addEventListener("change", changed);
    return input;
  });
  const labels = inputs.map((input, i) => element("label", {}, input, ` ${options[i]}`));
  return {
    element: element("fieldset", {}, element("legend", {}, label), ...labels),
    get value() { return inputs.find((input) => input.checked).value; },
  };
}

// A whole number between two others; what is out of range is put back into it.
function number(label, { low, high, value, changed }) {
  const input = element("input", { type: "number", min: low, max: high, step: 1 });
  input.value = value;
  let last = value;
  input.addEventListener("change", () => {
    const asked = Math.round(Number(input.value));
    last = input.value = Number.isFinite(asked) ? Math.min(high, Math.max(low, asked)) : last;
    changed();
  });
  return {
    element: element("label", { class: "vae-control" }, label, input),
    get value() { return Number(last); },
    set value(v) { last = input.value = v; },
  };
}

function button(label, pressed) {
  return element("button", { type: "button", onclick: pressed }, label);
}

// A button that stays down: `changed` gets whether it is.
function toggle(label, changed) {
  const made = element("button", { type: "button", "aria-pressed": "false" }, label);
  made.onclick = () => {
    const down = made.getAttribute("aria-pressed") !== "true";
    made.setAttribute("aria-pressed", String(down));
    changed(down);
  };
  return made;
}

// ---- A plot: a canvas with axes, in units of the data. Without `x` and `y` the units are the page's pixels.
class Plot {
  constructor({ width, height, x, y, label, title = "", xlabel = "", ylabel = "", xticks, yticks,
    logx = false, frame = Boolean(x), equal = false }) {
    const left = frame ? (yticks?.length === 0 ? 12 : 36) + (ylabel ? 16 : 0) : 0;
    this.pane = frame
      ? [left, title ? 24 : 8, width - left - 18, height - (title ? 24 : 8) - (xlabel ? 40 : 24)]
      : [0, 0, width, height];
    Object.assign(this, { width, height, logx, title, xlabel, ylabel, frame });
    this.x = x ?? [0, width];
    this.y = y ?? [height, 0];
    if (equal) this.y = this._equal(this.x, this.y);
    this.xticks = xticks ?? (logx ? decades(...this.x) : ticksOf(...this.x));
    this.yticks = yticks ?? ticksOf(...this.y);
    this.canvas = element("canvas", { width: width * SHARP, height: height * SHARP, role: "img", "aria-label": label });
    this.element = element("div", { class: "vae-paper", style: `width:${width}px;max-width:100%;aspect-ratio:${width}/${height}` }, this.canvas);
    this.ctx = this.canvas.getContext("2d");
    this.ctx.scale(SHARP, SHARP);
    this.ctx.lineJoin = "round";
    this.background();
  }

  _equal([l, r], [b, t]) {
    const half = ((r - l) * this.pane[3]) / this.pane[2] / 2, middle = (b + t) / 2;
    return [middle - half, middle + half];
  }

  // Draw once what stays: white paper, axes, and what `draw` adds to them.
  background(draw = () => {}) {
    const { ctx } = this;
    ctx.save();
    ctx.fillStyle = "#fff";
    ctx.fillRect(0, 0, this.width, this.height);
    if (this.frame) this._axes();
    draw(this);
    ctx.restore();
    this.kept = document.createElement("canvas");
    [this.kept.width, this.kept.height] = [this.canvas.width, this.canvas.height];
    this.kept.getContext("2d").drawImage(this.canvas, 0, 0);
  }

  // Back to what `background` drew.
  begin() {
    this.ctx.save();
    this.ctx.setTransform(1, 0, 0, 1, 0, 0);
    this.ctx.drawImage(this.kept, 0, 0);
    this.ctx.restore();
  }

  X(v) {
    const [l, r] = this.x, [left, , width] = this.pane;
    return left + (this.logx ? Math.log(v / l) / Math.log(r / l) : (v - l) / (r - l)) * width;
  }

  Y(v) {
    const [b, t] = this.y, [, top, , height] = this.pane;
    return top + ((t - v) / (t - b)) * height;
  }

  // From pixels of the page, relative to the paper's corner, to units of the data, inside the axes.
  where(px, py) {
    const [left, top, width, height] = this.pane, share = (v) => Math.min(1, Math.max(0, v));
    const [l, r] = this.x, [b, t] = this.y;
    return [l + share((px - left) / width) * (r - l), t - share((py - top) / height) * (t - b)];
  }

  _axes() {
    const [left, top, width, height] = this.pane, { ctx } = this, bottom = top + height;
    ctx.strokeStyle = INK;
    ctx.lineWidth = 0.8;
    ctx.beginPath();
    if (this.yticks.length) { ctx.moveTo(left, top); ctx.lineTo(left, bottom); }
    ctx.moveTo(left, bottom);
    ctx.lineTo(left + width, bottom);
    for (const v of this.xticks) { ctx.moveTo(this.X(v), bottom); ctx.lineTo(this.X(v), bottom + 3); }
    for (const v of this.yticks) { ctx.moveTo(left, this.Y(v)); ctx.lineTo(left - 3, this.Y(v)); }
    ctx.stroke();
    const name = (v) => (this.logx ? power(v) : String(v)).replace("-", MINUS);
    for (const v of this.xticks) this.write(name(v), this.X(v), bottom + 13, { size: 11, align: "center" });
    for (const v of this.yticks)
      this.write(String(v).replace("-", MINUS), left - 6, this.Y(v), { size: 11, align: "right" });
    this.write(this.title, left + width / 2, 10, { size: 13, align: "center" });
    this.write(this.xlabel, left + width / 2, this.height - 9, { size: 12, align: "center" });
    if (this.ylabel) {
      ctx.save();
      ctx.translate(9, top + height / 2);
      ctx.rotate(-Math.PI / 2);
      this.write(this.ylabel, 0, 0, { size: 12, align: "center" });
      ctx.restore();
    }
  }

  _clipped(draw) {
    const [left, top, width, height] = this.pane;
    this.ctx.save();
    if (this.frame) {
      this.ctx.beginPath();
      this.ctx.rect(left, top - 1, width, height + 2);
      this.ctx.clip();
    }
    draw(this.ctx);
    this.ctx.restore();
  }

  // Words at a place in pixels of the page.
  write(words, px, py, { size = 12, align = "left", bold = false, colour = INK, halo = false } = {}) {
    const { ctx } = this;
    ctx.font = `${bold ? "bold " : ""}${size}px ${FONT}`;
    ctx.textAlign = align;
    ctx.textBaseline = "middle";
    if (halo) {
      ctx.strokeStyle = "#fff";
      ctx.lineWidth = 4;
      ctx.strokeText(words, px, py);
    }
    ctx.fillStyle = colour;
    ctx.fillText(words, px, py);
  }

  // Words at a place in units of the data.
  text(words, x, y, style) {
    this.write(words, this.X(x), this.Y(y), style);
  }

  // Lines of words, [words, style], in an upper corner.
  corner(lines, right = false) {
    const [left, top, width] = this.pane, place = right ? [left + width, "right"] : [left + 10, "left"];
    lines.forEach(([words, style], i) =>
      this.write(words, place[0], top + 10 + 18 * i, { size: 13, align: place[1], halo: true, ...style }));
  }

  line(xs, ys, { colour = INK, width = 2, dash = [], alpha = 1, closed = false } = {}) {
    this._clipped((ctx) => {
      Object.assign(ctx, { strokeStyle: colour, lineWidth: width, globalAlpha: alpha });
      ctx.setLineDash(dash);
      ctx.beginPath();
      for (let i = 0; i < xs.length; i++) ctx.lineTo(this.X(xs[i]), this.Y(ys[i]));
      if (closed) ctx.closePath();
      ctx.stroke();
    });
  }

  // What lies between two curves.
  area(xs, low, high, { colour = INK, alpha = 0.5 } = {}) {
    this._clipped((ctx) => {
      Object.assign(ctx, { fillStyle: colour, globalAlpha: alpha });
      ctx.beginPath();
      for (let i = 0; i < xs.length; i++) ctx.lineTo(this.X(xs[i]), this.Y(high[i]));
      for (let i = xs.length - 1; i >= 0; i--) ctx.lineTo(this.X(xs[i]), this.Y(low[i]));
      ctx.fill();
    });
  }

  dots(xs, ys, { colour = INK, radius = 1.7, alpha = 1 } = {}) {
    this._clipped((ctx) => {
      Object.assign(ctx, { fillStyle: colour, globalAlpha: alpha });
      for (let i = 0; i < xs.length; i++) {
        ctx.beginPath();
        ctx.arc(this.X(xs[i]), this.Y(ys[i]), radius, 0, 2 * Math.PI);
        ctx.fill();
      }
    });
  }

  // A ring of `radius` pixels around a place.
  ring(x, y, { colour = INK, radius = 6, width = 2.5, fill } = {}) {
    this._clipped((ctx) => {
      ctx.beginPath();
      ctx.arc(this.X(x), this.Y(y), radius, 0, 2 * Math.PI);
      if (fill) { ctx.fillStyle = fill; ctx.fill(); }
      Object.assign(ctx, { strokeStyle: colour, lineWidth: width });
      ctx.stroke();
    });
  }

  box(x0, x1, y0, y1, { colour = INK, alpha = 1 } = {}) {
    this._clipped((ctx) => {
      Object.assign(ctx, { fillStyle: colour, globalAlpha: alpha });
      ctx.fillRect(this.X(x0), this.Y(y1), this.X(x1) - this.X(x0), this.Y(y0) - this.Y(y1));
    });
  }

  // An ellipse through mean + radius * A (cos t, sin t), A = [[a, b], [c, d]].
  ellipse([mx, my], [[a, b], [c, d]], radius, style) {
    const turn = spread(0, 2 * Math.PI, 121);
    const xs = turn.map((t) => mx + radius * (a * Math.cos(t) + b * Math.sin(t)));
    this.line(xs, turn.map((t) => my + radius * (c * Math.cos(t) + d * Math.sin(t))), { width: 1, ...style });
  }

  // All that a small paper shows: words, a picture below them, words below it.
  captioned(above, values, shape, side, below, style) {
    this.begin();
    this.write(above, 1, 8);
    this.image(values, shape, 1, 17, side);
    this.write(below, 1, side + 28, style);
  }

  // The circles at 1, 2 and 3 standard deviations of N(0, I).
  prior() {
    for (const radius of [1, 2, 3]) this.ellipse([0, 0], [[1, 0], [0, 1]], radius, { dash: [2, 3] });
  }

  // An image, numbers 0 to 1 (*shape), its corner and side in pixels of the page: one channel is ink on white.
  image(values, [channels, height, width], px, py, side, { frame = true } = {}) {
    const small = element("canvas", { width, height }), inner = small.getContext("2d");
    const pixels = inner.createImageData(width, height), plane = width * height;
    for (let i = 0; i < plane; i++) {
      for (let c = 0; c < 3; c++) {
        const value = values[channels === 3 ? c * plane + i : i];
        pixels.data[4 * i + c] = 255 * (channels === 3 ? value : 1 - value); // clamped, and rounded
      }
      pixels.data[4 * i + 3] = 255;
    }
    inner.putImageData(pixels, 0, 0);
    const { ctx } = this, scale = side / Math.max(width, height);
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(small, px + (side - scale * width) / 2, py + (side - scale * height) / 2, scale * width, scale * height);
    if (frame) {
      Object.assign(ctx, { strokeStyle: "#cccccc", lineWidth: 1 });
      ctx.strokeRect(px, py, side, side);
    }
  }
}

function decades(low, high) {
  const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
}

const power = (v) => "10" + String(Math.round(Math.log10(v))).replace(/./g, (c) => "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"["0123456789".indexOf(c)] ?? "\u207b");

// The codes of images, (N, 2) one after the other, coloured by class, and each class's name at its median.
function scatter(plot, codes, labels, colours, { names = true, radius = 1.8, alpha = 0.6 } = {}) {
  for (const [kind, ...places] of byClass(codes, labels))
    plot.dots(...places, { colour: colours[kind % colours.length], radius, alpha });
  if (names) placesOfNames(plot, codes, labels).forEach((place) => nameClass(plot, place));
}

const byClass = (codes, labels) => [...new Set(labels)].sort((a, b) => a - b).map((kind) => {
  const places = [...labels.keys()].filter((i) => labels[i] === kind);
  return [kind, places.map((i) => codes[2 * i]), places.map((i) => codes[2 * i + 1])];
});

const nameClass = (plot, [name, px, py]) => plot.write(name, px, py, { size: 16, bold: true, align: "center", halo: true });

// Each class's name and its place: the median of its codes, or where other names leave it room, `gap` pixels.
function placesOfNames(plot, codes, labels, gap = 15) {
  const classes = byClass(codes, labels), at = classes.map(([, xs, ys]) => [plot.X(median(xs)), plot.Y(median(ys))]);
  if (classes.length < 2) return [];
  for (let round = 0; round < 200; round++)
    for (let i = 0; i < at.length; i++)
      for (let j = 0; j < i; j++) {
        const [x, y] = [at[i][0] - at[j][0], at[i][1] - at[j][1]], far = Math.hypot(x, y) || 1e-9;
        const push = Math.max(0, gap - far) / far / 4, way = far > 1e-6 ? [x * push, y * push] : [1, 0];
        way.forEach((step, k) => { at[i][k] += step; at[j][k] -= step; });
      }
  return classes.map(([kind], k) => [String(kind), ...at[k]]);
}

// ---- A handle on a plot, moved by pointer, touch or arrow keys (with Shift in larger steps).
class Handle {
  constructor(plot, { label, at, moved, released = () => {} }) {
    this.plot = plot;
    this.element = element("div", { class: "vae-handle", tabindex: 0, role: "slider", "aria-label": label,
      "aria-roledescription": "point in a plane" });
    plot.element.append(this.element);
    plot.element.style.touchAction = "none";
    this.at = at;
    const move = (place) => { this.at = place; moved(this.at); };
    const drag = (event) => {
      const frame = plot.element.getBoundingClientRect(), scale = plot.width / frame.width;
      move(plot.where((event.clientX - frame.left) * scale, (event.clientY - frame.top) * scale));
    };
    let dragging = false;
    plot.element.addEventListener("pointerdown", (event) => {
      dragging = true;
      plot.element.setPointerCapture(event.pointerId);
      this.element.focus({ preventScroll: true });
      drag(event);
      event.preventDefault();
    });
    plot.element.addEventListener("pointermove", (event) => { if (dragging) drag(event); });
    plot.element.addEventListener("pointerup", () => { if (dragging) released(this.at); dragging = false; });
    plot.element.addEventListener("pointercancel", () => { dragging = false; });
    this.element.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (step) {
        const share = event.shiftKey ? 0.1 : 0.02, [l, r] = plot.x, [b, t] = plot.y, [x, y] = this.at;
        move([Math.min(r, Math.max(l, x + step[0] * share * (r - l))), Math.min(t, Math.max(b, y + step[1] * share * (t - b)))]);
      } else if (event.key === "Enter" || event.key === " ") released(this.at);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  get at() { return this._at; }

  set at(place) {
    this._at = place;
    const { plot } = this, [x, y] = place;
    this.element.style.left = `${(100 * plot.X(x)) / plot.width}%`;
    this.element.style.top = `${(100 * plot.Y(y)) / plot.height}%`;
    this.element.setAttribute("aria-valuemin", plot.x[0].toFixed(2));
    this.element.setAttribute("aria-valuemax", plot.x[1].toFixed(2));
    this.element.setAttribute("aria-valuenow", x.toFixed(2));
    this.element.setAttribute("aria-valuetext", `${said(x)}, ${said(y)}`);
  }
}

// ---- Start: an explorer takes the place of its still picture once it has drawn itself.
class Stage {
  constructor() {
    this.words = element("p", { class: "vae-words", role: "status" });
    this.element = element("div", { class: "vae-page" });
    this.element.addEventListener("keydown", (event) => {
      if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); // JupyterLab would take the arrow keys
    });
  }

  show(...parts) {
    this.element.replaceChildren(element("style", {}, STYLE), ...parts.map((part) => part.element ?? part), this.words);
  }

  // The picture for the last input stands: say it in words, and to those who measure.
  drawn(words, values = {}) {
    this.words.textContent = words;
    this.element.dispatchEvent(new CustomEvent("vae-drawn", { bubbles: true, detail: values }));
  }
}

async function launch(key, explore, data) {
  const roots = [...document.querySelectorAll(`[data-vae="${key}"]:not([data-live])`)];
  for (const root of roots) {
    root.dataset.live = "";
    const stage = new Stage(), still = [...root.childNodes];
    stage.element.style.display = "none";
    root.append(stage.element);
    try {
      await explore(stage, await unpack(data));
      for (const node of still) node.remove();
      stage.element.style.display = "";
    } catch (error) {
      stage.element.remove(); // the still picture stays
      console.warn("An explorer could not start:", error);
    }
  }
}
