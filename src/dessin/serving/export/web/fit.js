// Opaque pixels to the square that a model looks at, byte by byte as dessin.images.fit does it with Pillow.

const MOST_CANVAS = 60e6, TRIM_MARGIN = 0.06;
const MOST_BORDER = 8, FEW = 16, FLOOR = 12, NOISE_FACTOR = 6, SHARE_OF_STRONGEST = 0.125, NOISE_SHARE = 0.5;

/** Pixels (H, W, 3) to a square (S, S, channels), as `image` of the model's card says. */
function fitted(pixels, image) {
  if (image.fit === "trim") pixels = trimmed(pixels);
  if (image.colour === "gray") pixels = gray(pixels);
  if (image.fit === "squash") return resized(pixels, image.size, image.size, image);
  return image.fit === "crop" ? centre(pixels, image) : letterboxed(pixels, image);
}

function gray({ width, height, data }) {
  const out = new Uint8Array(width * height);
  for (let at = 0; at < out.length; at++)
    out[at] = (data[3 * at] * 19595 + data[3 * at + 1] * 38470 + data[3 * at + 2] * 7471 + 0x8000) >> 16;
  return { width, height, channels: 1, data: out };
}

function centre(pixels, image) {
  const side = Math.min(pixels.width, pixels.height);
  const left = (pixels.width - side) / 2, top = (pixels.height - side) / 2;
  return resized(pixels, image.size, image.size, image, [left, top, left + side, top + side]);
}

function letterboxed(pixels, image) {
  const { size } = image;
  const scale = size / Math.max(pixels.height, pixels.width);
  const padding = (side) => Math.min(Math.floor((size - side) / 2 + 0.5), (size - 1) >> 1);
  const top = padding(pixels.height * scale), left = padding(pixels.width * scale);
  const inside = resized(pixels, size - 2 * left, size - 2 * top, image);
  if (!top && !left) return inside;
  return laidInto(filled(size, size, borderMedian(pixels)), inside, left, top);
}

function filled(width, height, colour) {
  const channels = colour.length, data = new Uint8Array(width * height * channels);
  for (let at = 0; at < data.length; at++) data[at] = colour[at % channels];
  return { width, height, channels, data };
}

/** `inside` put on `canvas` with its corner at (left, top), which may lie outside. */
function laidInto(canvas, inside, left, top) {
  const from = Math.max(0, -left), to = Math.min(inside.width, canvas.width - left), { channels } = canvas;
  for (let y = Math.max(0, -top); y < Math.min(inside.height, canvas.height - top); y++) {
    const row = inside.data.subarray((y * inside.width + from) * channels, (y * inside.width + to) * channels);
    canvas.data.set(row, ((y + top) * canvas.width + left + from) * channels);
  }
  return canvas;
}

// Resampling of 8-bit images as Pillow has it: antialiased, along the rows and then along the columns, with weights
// in fixed point and a picture of bytes in between. From its version 13 on the columns of a tall picture come first.

const FILTERS = {
  bilinear: { reach: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: {
    reach: 2,
    weight: (x) => {
      const a = -0.5;
      x = Math.abs(x);
      return x < 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
    },
  },
};
const ONE = 2 ** 22, SHIFT = 22;

function resized(pixels, width, height, { interpolation, tall_first }, box = [0, 0, pixels.width, pixels.height]) {
  const [left, top, right, bottom] = box, filter = FILTERS[interpolation];
  const rows = (given) => width !== pixels.width || left || right !== width
    ? alongRows(given, width, weights(pixels.width, left, right, width, filter)) : given;
  const columns = (given) => height !== pixels.height || top || bottom !== height
    ? alongColumns(given, height, weights(pixels.height, top, bottom, height, filter)) : given;
  const shorter = pixels.height - height, narrower = pixels.width - width;
  return tall_first && shorter > Math.max(0, 2 * narrower) ? rows(columns(pixels)) : columns(rows(pixels));
}

/** For each of `size` places where the pixels begin that it is made of, and their weights. */
function weights(from, low, high, size, { reach, weight }) {
  const scale = (high - low) / size, wide = Math.max(1, scale), support = reach * wide;
  return Array.from({ length: size }, (_, place) => {
    const middle = low + (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(middle - support + 0.5));
    const last = Math.min(from, Math.trunc(middle + support + 0.5));
    const found = Array.from({ length: last - first }, (_, at) => weight((at + first - middle + 0.5) * (1 / wide)));
    const sum = found.reduce((total, one) => total + one, 0);
    return { first, parts: Int32Array.from(found, (one) => Math.trunc((one / sum) * ONE + Math.sign(one) * 0.5)) };
  });
}

function alongRows({ width, height, channels, data }, size, places) {
  const out = new Uint8ClampedArray(size * height * channels);
  for (let y = 0, to = 0; y < height; y++)
    for (const { first, parts } of places)
      for (let channel = 0; channel < channels; channel++) {
        let sum = ONE / 2, at = (y * width + first) * channels + channel;
        for (let i = 0; i < parts.length; i++, at += channels) sum += data[at] * parts[i];
        out[to++] = sum >> SHIFT;
      }
  return { width: size, height, channels, data: new Uint8Array(out.buffer) };
}

function alongColumns({ width, channels, data }, size, places) {
  const row = width * channels, out = new Uint8ClampedArray(row * size), sums = new Int32Array(row);
  places.forEach(({ first, parts }, y) => {
    sums.fill(ONE / 2);
    parts.forEach((part, i) => {
      for (let x = 0, at = (first + i) * row; x < row; x++, at++) sums[x] += data[at] * part;
    });
    for (let x = 0; x < row; x++) out[y * row + x] = sums[x] >> SHIFT;
  });
  return { width, height: size, channels, data: new Uint8Array(out.buffer) };
}

// Paper and ink, as in dessin.images.ink.

/** Every value of a channel in a thin frame. */
function frame({ width, height, channels, data }, channel) {
  const thick = Math.min(MOST_BORDER, Math.max(1, Math.floor(Math.min(height, width) / 64))), values = [];
  for (let y = 0; y < height; y++) {
    const whole = y < thick || y >= height - thick;
    for (let x = 0; x < width; x++)
      if (whole || x < thick || x >= width - thick) values.push(data[(y * width + x) * channels + channel]);
  }
  return values;
}

/** The lower median of the frame, channel by channel. */
function borderMedian(pixels) {
  return Array.from({ length: pixels.channels }, (_, channel) => {
    const values = Uint8Array.from(frame(pixels, channel)).sort();
    return values[(values.length - 1) >> 1];
  });
}

/** How far each pixel (H, W, 3) is from the paper in its farthest channel, (H, W, 1). */
function fromPaper(pixels) {
  const [red, green, blue] = borderMedian(pixels), { width, height, data } = pixels;
  const out = new Uint8Array(width * height);
  for (let at = 0; at < out.length; at++)
    out[at] = Math.max(Math.abs(data[3 * at] - red), Math.abs(data[3 * at + 1] - green), Math.abs(data[3 * at + 2] - blue));
  return { width, height, channels: 1, data: out };
}

/** From how far on a pixel is ink. */
function leastInk(apart) {
  const counts = new Uint32Array(256);
  for (const level of apart.data) counts[level]++;
  const enough = Math.min(FEW, apart.data.length);
  let strongest = 255;
  for (let sum = counts[255]; sum < enough; sum += counts[strongest]) strongest--;
  const uneven = Math.min(NOISE_FACTOR * median(frame(apart, 0)), NOISE_SHARE * strongest);
  return Math.max(FLOOR, uneven, SHARE_OF_STRONGEST * strongest);
}

/** The smallest box {top, left, bottom, right} around the ink, the last two exclusive; null without ink. */
function inkBox(pixels) {
  const apart = fromPaper(pixels), least = leastInk(apart), { width, height } = apart;
  let top = height, left = width, bottom = 0, right = 0;
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++, at++)
      if (apart.data[at] >= least) {
        top = Math.min(top, y);
        left = Math.min(left, x);
        bottom = y + 1;
        right = Math.max(right, x + 1);
      }
  return bottom ? { top, left, bottom, right } : null;
}

/** The ink with its margin; blank pixels, and a strip too long for one, stay as they are. */
function trimmed(pixels) {
  const box = inkBox(pixels);
  if (!box) return pixels;
  const width = box.right - box.left, height = box.bottom - box.top;
  const margin = Math.max(1, halfEven(TRIM_MARGIN * Math.max(width, height)));
  if ((height + 2 * margin) * (width + 2 * margin) > MOST_CANVAS) return pixels;
  const canvas = filled(width + 2 * margin, height + 2 * margin, borderMedian(pixels));
  return laidInto(canvas, pixels, margin - box.left, margin - box.top);
}

function halfEven(value) {
  const below = Math.floor(value);
  return value - below === 0.5 ? below + (below % 2) : Math.round(value);
}
