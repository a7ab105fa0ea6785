// A picture that the kernel draws, and on it a handle that the browser moves at once.
const SVG = "http://www.w3.org/2000/svg";
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function render({ model, el }) {
  const get = (name) => model.get(name);
  const [width, height] = get("size");
  const root = document.createElement("div");
  root.className = "vae-stage";
  root.style.cssText = `position:relative;width:${width}px;height:${height}px;touch-action:none`;
  const img = document.createElement("img");
  img.draggable = false;
  img.style.cssText = "display:block;width:100%;height:100%;max-width:none";
  const over = shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height });
  over.style.cssText = "position:absolute;left:0;top:0;overflow:visible;pointer-events:none";
  root.append(img, over);
  el.append(root);

  const paint = () => {
    const data = get("png"), bytes = new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
    let text = "";
    for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
    img.src = `data:image/png;base64,${btoa(text)}`;
  };
  const say = () => { img.alt = get("alt"); };

  // Between the units of the plane and pixels on the screen.
  const pane = () => {
    const [left, top, w, h] = get("pane");
    return [left * width, top * height, w * width, h * height];
  };
  const toScreen = ([x, y]) => {
    const [l, r, b, t] = get("box"), [left, top, w, h] = pane();
    return [left + (w * (x - l)) / (r - l), top + (h * (t - y)) / (t - b)];
  };
  const clamp = ([x, y]) => {
    const [l, r, b, t] = get("box");
    return [Math.min(r, Math.max(l, x)), Math.min(t, Math.max(b, y))];
  };
  const fromScreen = (px, py) => {
    const [l, r, b, t] = get("box"), [left, top, w, h] = pane();
    return clamp([l + ((px - left) / w) * (r - l), t - ((py - top) / h) * (t - b)]);
  };

  const trail = shape("polyline", { fill: "none", stroke: "#222", "stroke-width": 1.5, "stroke-dasharray": "5 3" });
  const marks = shape("g", {});
  const handle = shape("g", { class: "vae-handle", tabindex: 0, role: "slider" });
  handle.style.cssText = "pointer-events:auto;cursor:grab;outline-offset:4px";
  handle.append(
    shape("circle", { r: 9, fill: "#fff", "fill-opacity": 0.65, stroke: "#222", "stroke-width": 2.5 }),
    shape("circle", { r: 2, fill: "#222" }),
  );
  over.append(trail, marks, handle);

  const place = () => {
    const at = get("at");
    handle.style.display = at.length ? "" : "none";
    if (at.length) {
      const [px, py] = toScreen(at);
      handle.setAttribute("transform", `translate(${px} ${py})`);
      const where = at.map((value) => value.toFixed(2)).join(", ");
      handle.setAttribute("aria-label", get("label"));
      handle.setAttribute("aria-valuetext", where);
      handle.setAttribute("aria-valuenow", at[0].toFixed(2));
    }
  };
  const overlay = () => {
    trail.setAttribute("points", get("trail").map((z) => toScreen(z).join(",")).join(" "));
    const rings = get("marks").map(([x, y, colour]) => {
      const [cx, cy] = toScreen([x, y]);
      return shape("circle", { cx, cy, r: 6, fill: "none", stroke: colour, "stroke-width": 3 });
    });
    marks.replaceChildren(...rings);
  };
  const move = (at) => { model.set("at", clamp(at)); model.save_changes(); place(); };
  const ask = () => { model.set("clicks", get("clicks") + 1); model.save_changes(); };

  let dragging = false;
  const drag = (event) => {
    const corner = root.getBoundingClientRect();
    move(fromScreen(event.clientX - corner.left, event.clientY - corner.top));
  };
  root.onpointerdown = (event) => {
    if (!get("at").length) return;
    dragging = true;
    root.setPointerCapture(event.pointerId);
    handle.focus({ preventScroll: true });
    drag(event);
    event.preventDefault();
  };
  root.onpointermove = (event) => { if (dragging) drag(event); };
  root.onpointerup = () => { if (dragging) ask(); dragging = false; };
  root.onpointercancel = () => { dragging = false; };
  root.dataset.lmSuppressShortcuts = "true";
  handle.onkeydown = (event) => {
    if (event.key === "Enter" || event.key === " ") ask();
    else if (KEYS[event.key]) {
      const [l, r, b, t] = get("box"), share = event.shiftKey ? 0.1 : 0.02;
      const [x, y] = get("at"), [dx, dy] = KEYS[event.key];
      move([x + dx * share * (r - l), y + dy * share * (t - b)]);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  // Sliders get the name before them as their own, for those who hear the page.
  const nameSliders = () => {
    for (const knob of el.closest(".vae-explorer")?.querySelectorAll(".noUi-handle") ?? []) {
      const label = knob.closest(".widget-slider")?.querySelector(".widget-label");
      if (label) knob.setAttribute("aria-label", label.textContent);
    }
  };
  setTimeout(nameSliders, 1000);

  const watched = { png: paint, alt: say, at: place, trail: overlay, marks: overlay };
  for (const [name, react] of Object.entries(watched)) {
    react();
    model.on(`change:${name}`, react);
  }
  return () => {
    for (const [name, react] of Object.entries(watched)) model.off(`change:${name}`, react);
  };
}

export default { render };
