// A picture to look at, of which a box can be chosen: by dragging, or with the arrow keys.

const LEAST_SIDE = 8, KEY_STEP = 1 / 40;

/** Make `canvas` show pictures; `changed` is called after another box was chosen. */
function cropper(canvas, changed) {
  const pen = canvas.getContext("2d");
  let pixels = null, shown = null, box = null, start = null;

  const whole = () => [0, 0, pixels.width, pixels.height];

  /** Where the picture lies on the canvas: its scale and its corner. */
  function place() {
    const side = canvas.width, scale = side / Math.max(pixels.width, pixels.height);
    return { scale, left: (side - pixels.width * scale) / 2, top: (side - pixels.height * scale) / 2 };
  }

  function show() {
    if (!pixels) return;
    const { scale, left, top } = place(), [x0, y0, x1, y1] = box;
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(shown, left, top, pixels.width * scale, pixels.height * scale);
    if (!cropped()) return;
    const [x, y, width, height] = [left + x0 * scale, top + y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale];
    pen.fillStyle = "#12151ba0";
    pen.beginPath();
    pen.rect(0, 0, canvas.width, canvas.height);
    pen.rect(x, y, width, height);
    pen.fill("evenodd");
    pen.lineWidth = canvas.width / 200;
    pen.strokeStyle = "#8eaaff";
    pen.strokeRect(x, y, width, height);
  }

  const cropped = () => box.some((value, at) => value !== whole()[at]);

  function choose(next, done) {
    const limits = [pixels.width, pixels.height];
    const inside = next.map((value, at) => Math.min(limits[at % 2], Math.max(0, Math.round(value))));
    if (inside[2] - inside[0] < LEAST_SIDE || inside[3] - inside[1] < LEAST_SIDE) return;
    box = inside;
    show();
    if (done) changed();
  }

  function point(event) {
    const seen = canvas.getBoundingClientRect(), { scale, left, top } = place(), zoom = canvas.width / seen.width;
    return [((event.clientX - seen.left) * zoom - left) / scale, ((event.clientY - seen.top) * zoom - top) / scale];
  }

  const between = ([x0, y0], [x1, y1]) => [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || start) return;
    canvas.setPointerCapture(event.pointerId);
    start = point(event);
  });
  canvas.addEventListener("pointermove", (event) => { if (start) choose(between(start, point(event)), false); });
  canvas.addEventListener("pointerup", (event) => {
    if (start) choose(between(start, point(event)), false);
    start = null;
    changed();
  });
  canvas.addEventListener("pointercancel", () => { start = null; });
  canvas.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const step = KEY_STEP * Math.max(pixels.width, pixels.height), [x, y] = way.map((one) => one * step);
    // With Shift the far corner moves alone; against the picture's side the box becomes smaller.
    choose(box.map((value, at) => (event.shiftKey && at < 2 ? value : value + [x, y][at % 2])), true);
  });

  return {
    /** Show pixels (H, W, 3), whole. */
    open(next) {
      pixels = next;
      shown = new OffscreenCanvas(next.width, next.height);
      shown.getContext("2d").putImageData(withAlpha(next), 0, 0);
      box = whole();
      show();
      changed();
    },
    reset() {
      box = whole();
      show();
      changed();
    },
    get cropped() { return cropped(); },
    /** What is in the box, (h, w, 3). */
    pixels: () => cropped() ? laidInto(filled(box[2] - box[0], box[3] - box[1], [0, 0, 0]), pixels, -box[0], -box[1]) : pixels,
  };
}

function withAlpha({ width, height, data }) {
  const out = new ImageData(width, height);
  for (let at = 0; at < width * height; at++) {
    out.data.set(data.subarray(3 * at, 3 * at + 3), 4 * at);
    out.data[4 * at + 3] = 255;
  }
  return out;
}
