// A photographed page evenly lit on white paper, without ruling, as dessin.images.evenly and .ink do it with OpenCV.

const WHITE = 0.94, MAP = 256, SOFT = 1, LONGEST = 1600, PLAIN = { interpolation: "bilinear" };
const RULING = { run: 0.12, few: 3, least: 14, faint: 0.6, alike: 1.8, over: 8 };

/** With the longer side at most `side`. */
function shrunk(pixels, side) {
  const scale = Math.min(1, side / Math.max(pixels.width, pixels.height));
  const [width, height] = [pixels.width, pixels.height].map((each) => Math.max(1, Math.round(each * scale)));
  return scale < 1 ? resized(pixels, width, height, PLAIN) : pixels;
}

/** Each channel of pixels (H, W, 3) over the local level of the paper. */
function evened(pixels) {
  const { width, height } = pixels, small = shrunk(pixels, MAP);
  const paper = paperLevel(small), out = new Uint8ClampedArray(pixels.data.length);
  const level = { ...small, data: Uint8Array.from(paper, (value) => Math.min(255, Math.max(1, value * WHITE))) };
  const { data } = resized(level, width, height, PLAIN);
  for (let at = 0; at < out.length; at++) out[at] = Math.round((pixels.data[at] * 255) / data[at]);
  return { ...pixels, data: new Uint8Array(out.buffer) };
}

/** What blank paper would be at each pixel: a shadow's edge stays where it is. */
function paperLevel({ width, height, data }) {
  const side = Math.max(width, height), reach = Math.max(1, Math.floor(side / 32)), area = width * height;
  const slide = (values, size, way) => along(along(values, width, height, 3, size, way), width, height, 0, size, way);
  const closed = slide(slide(Float32Array.from(data), reach, Math.max), reach, Math.min);
  const base = [0, 1, 2].map((channel) => quantile(Array.from({ length: area }, (_, at) => closed[3 * at + channel]), 0.75));
  const bright = (base[0] + base[1] + base[2]) / 3, paper = new Float32Array(area * 3);
  for (let at = 0; at < area; at++) {
    const near = closed.subarray(3 * at, 3 * at + 3), luma = (near[0] + near[1] + near[2]) / 3;
    const plain = base.every((value, channel) =>
      Math.abs(near[channel] / Math.max(luma, 1) - value / Math.max(bright, 1)) < 0.2);
    if (plain && luma > 0.35 * bright) paper.fill(1, 3 * at, 3 * at + 3);
  }
  const weight = slide(paper, 1, Math.min);
  const bottom = blurred(weight, width, height, side / 40);
  const top = blurred(closed.map((value, at) => value * weight[at]), width, height, side / 40);
  const level = closed.map((value, at) => weight[at] ? value : (top[at] + 1e-4 * base[at % 3]) / (bottom[at] + 1e-4));
  return blurred(level, width, height, SOFT);
}

/** An evened page (H, W, 3) without its ruled and squared lines, but where ink crosses them. */
function withoutRuling(pixels) {
  const { width, height, data } = pixels, { run, few, least, faint, alike, over } = RULING;
  const strength = new Uint8Array(width * height), lines = new Uint8Array(width * height);
  for (let at = 0; at < strength.length; at++) strength[at] = 255 - Math.min(data[3 * at], data[3 * at + 1], data[3 * at + 2]);
  const runs = (values, length, down, way) => extremes(values, width, height, length, down, way);
  const near = runs(runs(strength, 3, false, Math.max), 3, true, Math.max);
  for (const down of [true, false]) {
    const side = down ? height : width, length = Math.max(9, Math.floor(run * side));
    const found = runs(runs(near, length, down, Math.min), length, down, Math.max);
    let count = 0;
    for (const level of found) if (level >= least) count++;
    if (count / side / 3 >= few) for (let at = 0; at < lines.length; at++) lines[at] = Math.max(lines[at], found[at]);
  }
  const seen = lines.filter((level) => level >= least), out = data.slice();
  const darkest = seen.length ? Math.min(faint * reached(strength), alike * quantile(seen, 0.5)) : 0;
  for (let at = 0; at < lines.length; at++)
    if (lines[at] && lines[at] < darkest && strength[at] <= 2 * lines[at] + over) out.fill(255, 3 * at, 3 * at + 3);
  return { ...pixels, data: out };
}

/** The level that a thousandth of the pixels reaches. */
function reached(strength) {
  const counts = new Uint32Array(256), enough = Math.max(FEW, Math.floor(strength.length / 1000));
  for (const level of strength) counts[level]++;
  let level = 255;
  for (let sum = counts[255]; level && sum < enough; sum += counts[level]) level--;
  return level;
}

/** The largest or smallest of `length` values around each, along rows or `down`, in time of its logarithm. */
function extremes(values, width, height, length, down, way) {
  const [lines, size, stride, next] = down ? [width, height, width, 1] : [height, width, 1, width];
  const out = new Uint8Array(values.length), line = new Uint8Array(size + length - 1), half = length >> 1;
  for (let number = 0; number < lines; number++) {
    for (let at = 0; at < line.length; at++) line[at] = values[number * next + Math.min(size - 1, Math.max(0, at - half)) * stride];
    for (let covered = 1, step; covered < length; covered += step) {
      step = Math.min(covered, length - covered);
      for (let at = 0; at + step < line.length; at++) line[at] = way(line[at], line[at + step]);
    }
    for (let at = 0; at < size; at++) out[number * next + at * stride] = line[at];
  }
  return out;
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
