// The drawing surface: strokes by pointer, pictures by paste. What is drawn stays in the window's memory, so that
// it is still there after another page of the studio was opened, and is sent whole after each stroke. Each page
// has a surface of its own, which is empty again in a new round.

const FINEST = 1 / 400;

const empty = () => ({ strokes: [], image: "" });
const memory = (room) => ((window.dessinCanvas ??= {})[room] ??= { items: empty(), history: [], pen: 0, round: 0 });

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  const stop = new AbortController();
  const on = (target, event, act) => target.addEventListener(event, act, { signal: stop.signal });
  const part = (selector) => parentElement.querySelector(selector);
  const canvas = part("canvas"), said = part(".said"), slider = part("input");
  const words = data.words;
  const kept = memory(data.room);
  // Streamlit calls this again whenever the page was run; what listened before is to listen no longer.
  kept.stop?.abort();
  kept.stop = stop;
  kept.pen ||= data.pen;

  part(".undo").textContent = words.undo;
  part(".clear").textContent = words.clear;
  part(".pen span").textContent = words.pen;
  Object.assign(slider, { min: data.thinnest, max: data.thickest, step: 0.001 });
  slider.value = kept.pen;

  const count = () => kept.items.strokes.reduce((sum, stroke) => sum + stroke.points.length, 0);
  const say = (text) => { if (said.textContent !== text) said.textContent = text; };

  function describe() {
    const { strokes, image } = kept.items;
    const state = image ? words.picture : words.count.replace("{n}", strokes.length);
    canvas.setAttribute("aria-label", `${words.label} ${state}`);
    say(image || strokes.length ? state : words.empty);
  }

  function show() {
    const pen = canvas.getContext("2d"), side = canvas.width;
    pen.clearRect(0, 0, side, side);
    if (kept.items.image && kept.bitmap) {
      const { width, height } = kept.bitmap, scale = side / Math.max(width, height);
      pen.drawImage(kept.bitmap, (side - width * scale) / 2, (side - height * scale) / 2, width * scale, height * scale);
    }
    pen.lineCap = pen.lineJoin = "round";
    pen.strokeStyle = "#111";
    for (const stroke of kept.items.strokes.concat(kept.current ?? [])) {
      pen.lineWidth = stroke.width * side;
      pen.beginPath();
      pen.moveTo(stroke.points[0][0] * side, stroke.points[0][1] * side);
      for (const [x, y] of stroke.points) pen.lineTo(x * side, y * side);
      pen.stroke();
    }
  }

  const send = () => setStateValue("drawing", { ...kept.items, round: kept.round });

  function become(items) {
    kept.items = items;
    show();
    describe();
    send();
  }

  function change(items) {
    kept.history.push(kept.items);
    become(items);
  }

  function undo() {
    if (kept.history.length) become(kept.history.pop());
  }

  function clear() {
    if (kept.items.image || kept.items.strokes.length) change(empty());
  }

  function place(event) {
    const box = canvas.getBoundingClientRect();
    const inside = (value) => Math.round(Math.min(1, Math.max(0, value)) * 1e4) / 1e4;
    return [inside((event.clientX - box.left) / box.width), inside((event.clientY - box.top) / box.height)];
  }

  on(canvas, "pointerdown", (event) => {
    if (event.button !== 0 || kept.pointer != null) return;
    const before = kept.items.image ? [] : kept.items.strokes;
    if (before.length >= data.strokes || count() >= data.points) return say(words.full);
    canvas.setPointerCapture(event.pointerId);
    kept.pointer = event.pointerId;
    kept.current = { width: kept.pen, points: [place(event)] };
    show();
  });

  on(canvas, "pointermove", (event) => {
    if (event.pointerId !== kept.pointer || !kept.current) return;
    for (const one of event.getCoalescedEvents?.() ?? []) add(place(one));
    add(place(event));
    show();
  });

  function add([x, y]) {
    const [lastX, lastY] = kept.current.points.at(-1);
    const far = Math.hypot(x - lastX, y - lastY) >= FINEST;
    if (far && count() + kept.current.points.length < data.points) kept.current.points.push([x, y]);
  }

  function lift(event) {
    if (event.pointerId !== kept.pointer) return;
    const stroke = kept.current;
    kept.pointer = kept.current = null;
    if (stroke) change({ strokes: [...(kept.items.image ? [] : kept.items.strokes), stroke], image: "" });
  }
  on(canvas, "pointerup", lift);
  on(canvas, "pointercancel", lift);

  on(part(".undo"), "click", undo);
  on(part(".clear"), "click", clear);
  on(slider, "input", () => { kept.pen = Number(slider.value); });

  const typing = (event) => event.composedPath().some((one) => one.matches?.("textarea, input:not([type=range]), [contenteditable]"));
  on(document, "keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.key.toLowerCase() !== "z" || typing(event)) return;
    event.preventDefault();
    undo();
  });

  on(document, "paste", (event) => {
    if (typing(event)) return;
    const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
    if (!file) return;
    event.preventDefault();
    if (file.size > data.bytes) return say(words.large);
    const reader = new FileReader();
    reader.onload = async () => {
      // A picture that the browser cannot show is sent all the same: the answer says what is wrong with it.
      kept.bitmap = await createImageBitmap(file).catch(() => null);
      change({ strokes: [], image: reader.result.slice(reader.result.indexOf(",") + 1) });
    };
    reader.readAsDataURL(file);
  });

  if (kept.round !== data.round) {
    Object.assign(kept, { round: data.round, history: [], bitmap: null });
    become(empty());
  }
  show();
  describe();
  if (!data.known && (kept.items.image || kept.items.strokes.length)) send();
  return () => stop.abort();
}
