// Light evened on a photographed page, paper to white, as dessin.images.evenly does it with OpenCV.

const WHITE = 0.94, INK = 0.86, MAP = 256;

/** Each channel of pixels (H, W, 3) over the local level of the paper. */
function evened(pixels) {
  const { width, height } = pixels, scale = Math.min(1, MAP / Math.max(width, height));
  const small = resized(pixels, Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)), "bilinear");
  const paper = paperLevel(small), out = new Uint8ClampedArray(pixels.data.length);
  const level = { ...small, data: Uint8Array.from(paper, (value) => Math.min(255, Math.max(1, value * WHITE))) };
  const { data } = resized(level, width, height, "bilinear");
  for (let at = 0; at < out.length; at++) out[at] = Math.round((pixels.data[at] * 255) / data[at]);
  return { ...pixels, data: new Uint8Array(out.buffer) };
}

/** What blank paper would be at each pixel. */
function paperLevel({ width, height, data }) {
  const side = Math.max(width, height), reach = Math.max(1, Math.floor(side / 32)), area = width * height;
  const slide = (values, way) => along(along(values, width, height, 3, reach, way), width, height, 0, reach, way);
  const closed = slide(slide(Float32Array.from(data), Math.max), Math.min);
  const base = [0, 1, 2].map((channel) => quantile(Array.from({ length: area }, (_, at) => closed[3 * at + channel]), 0.75));
  const bright = (base[0] + base[1] + base[2]) / 3, weight = new Float32Array(area * 3), inked = new Float32Array(area * 3);
  for (let at = 0; at < area; at++) {
    const near = closed.subarray(3 * at, 3 * at + 3), luma = (near[0] + near[1] + near[2]) / 3;
    const plain = base.every((value, channel) =>
      Math.abs(near[channel] / Math.max(luma, 1) - value / Math.max(bright, 1)) < 0.2 && data[3 * at + channel] > INK * near[channel]);
    if (!plain || luma <= 0.35 * bright) continue;
    for (let channel = 0; channel < 3; channel++) {
      weight[3 * at + channel] = 1;
      inked[3 * at + channel] = data[3 * at + channel];
    }
  }
  const bottom = blurred(weight, width, height, side / 40), top = blurred(inked, width, height, side / 40);
  return top.map((value, at) => (value + 1e-4 * base[at % 3]) / (bottom[at] + 1e-4));
}

function quantile(values, share) {
  const sorted = Float64Array.from(values).sort(), place = share * (sorted.length - 1), below = Math.floor(place);
  return sorted[below] + (place - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
}

/** The largest or the smallest within reach, along the rows (`step` 3) or the columns (0), of three channels. */
function along(values, width, height, step, reach, way) {
  const stride = step || 3 * width, length = step ? width : height, out = new Float32Array(values.length);
  for (let at = 0; at < values.length; at++) {
    const place = step ? Math.floor(at / 3) % width : Math.floor(at / (3 * width));
    let found = values[at];
    for (let i = Math.max(-reach, -place); i <= Math.min(reach, length - 1 - place); i++) found = way(found, values[at + i * stride]);
    out[at] = found;
  }
  return out;
}

/** Gaussian blur of three channels; beyond the border it is mirrored. */
function blurred(values, width, height, sigma) {
  const reach = Math.round(4 * sigma), parts = Float64Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-((i - reach) ** 2) / (2 * sigma ** 2)));
  const sum = parts.reduce((total, one) => total + one, 0);
  function pass(given, stride, length, lines, start) {
    const out = new Float32Array(given.length), line = new Float64Array(length + 2 * reach);
    for (let number = 0; number < lines; number++) {
      const begin = start(number);
      for (let at = 0; at < line.length; at++) line[at] = given[begin + mirrored(at - reach, length) * stride];
      for (let place = 0; place < length; place++) {
        let total = 0;
        for (let i = 0; i < parts.length; i++) total += parts[i] * line[place + i];
        out[begin + place * stride] = total / sum;
      }
    }
    return out;
  }
  const rows = pass(values, 3, width, 3 * height, (number) => Math.floor(number / 3) * 3 * width + (number % 3));
  return pass(rows, 3 * width, height, 3 * width, (number) => number);
}

function mirrored(place, length) {
  while (length > 1 && (place < 0 || place >= length)) place = place < 0 ? -place : 2 * (length - 1) - place;
  return length > 1 ? place : 0;
}
