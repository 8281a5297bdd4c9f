// The drawing surface: strokes by mouse, finger or pen, and by the arrow keys. What is looked at is drawn anew, as
// large and with lines as wide as in the drawings that the model has learned from, as dessin's studio does it.

const FINEST = 1 / 400, MOST_POINTS = 50_000, SMALLEST_DRAWING = 0.05, STEP = 1 / 50;

/** Make `canvas` a surface; `changed` is called after each stroke. */
function pad(canvas, look, changed) {
  const pen = canvas.getContext("2d");
  let strokes = [], current = null, pointer = null, cursor = null;

  function show() {
    drawStrokes(pen, canvas.width, current ? [...strokes, current] : strokes, look.thickness, look);
    if (!cursor || document.activeElement !== canvas) return;
    const [x, y] = cursor.map((value) => value * canvas.width), reach = canvas.width / 40;
    pen.lineWidth = canvas.width / 200;
    pen.strokeStyle = "#3157c4";
    pen.beginPath();
    pen.moveTo(x - reach, y); pen.lineTo(x + reach, y);
    pen.moveTo(x, y - reach); pen.lineTo(x, y + reach);
    pen.stroke();
  }

  function set(next) {
    [strokes, current, pointer] = [next, null, null];
    show();
    changed();
  }

  function place(event) {
    const box = canvas.getBoundingClientRect(), inside = (value) => Math.min(1, Math.max(0, value));
    return [inside((event.clientX - box.left) / box.width), inside((event.clientY - box.top) / box.height)];
  }

  function add(point) {
    const [x, y] = current.at(-1), far = Math.hypot(point[0] - x, point[1] - y) >= FINEST;
    if (far && current.length + strokes.flat().length < MOST_POINTS) current.push(point);
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || pointer !== null) return;
    canvas.setPointerCapture(event.pointerId);
    [pointer, current, cursor] = [event.pointerId, [place(event)], null];
    show();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    for (const one of [...(event.getCoalescedEvents?.() ?? []), event]) add(place(one));
    show();
  });
  for (const name of ["pointerup", "pointercancel"])
    canvas.addEventListener(name, (event) => { if (event.pointerId === pointer) set([...strokes, current]); });

  // By keyboard: arrows move, the space bar puts the pen down and lifts it.
  const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    const way = WAYS[event.key];
    if (pointer !== null || !(way || event.key === " ") || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    cursor ??= [0.5, 0.5];
    if (!way) {
      if (current) return set([...strokes, current]);
      current = [cursor];
    } else {
      cursor = cursor.map((value, axis) => Math.min(1, Math.max(0, value + way[axis] * STEP * (event.shiftKey ? 0.2 : 1))));
      if (current) add(cursor);
    }
    show();
  });
  for (const name of ["focus", "blur"]) canvas.addEventListener(name, show);

  show();
  return {
    get empty() { return !strokes.length; },
    undo: () => set(strokes.slice(0, -1)),
    clear: () => set([]),
    /** The strokes as pixels (side, side, 3), brought to the look of the training drawings. */
    pixels(side) {
      const sheet = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true });
      drawStrokes(sheet, side, asTrained(strokes, look), look.thickness, look);
      return onGround(sheet.getImageData(0, 0, side, side));
    },
  };
}

/** In the middle of the page, as large as the drawings of the look. */
function asTrained(strokes, look) {
  const points = strokes.flat(), axes = [0, 1].map((axis) => points.map((point) => point[axis]));
  const reach = (find) => axes.map((values) => values.reduce((a, b) => find(a, b)));
  const low = reach(Math.min), high = reach(Math.max);
  const extent = Math.max(high[0] - low[0], high[1] - low[1], SMALLEST_DRAWING);
  const scale = Math.max(look.size - look.thickness, look.thickness) / extent;
  return strokes.map((stroke) => stroke.map((point) => point.map((v, axis) => (v - (low[axis] + high[axis]) / 2) * scale + 0.5)));
}

function drawStrokes(pen, side, strokes, thickness, { paper, ink }) {
  pen.fillStyle = paper;
  pen.fillRect(0, 0, side, side);
  pen.lineCap = pen.lineJoin = "round";
  pen.strokeStyle = ink;
  pen.lineWidth = Math.max(1, thickness * side);
  for (const stroke of strokes) {
    pen.beginPath();
    pen.moveTo(stroke[0][0] * side, stroke[0][1] * side);
    for (const [x, y] of stroke) pen.lineTo(x * side, y * side);
    pen.stroke();
  }
}
