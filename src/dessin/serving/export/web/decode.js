// A picture's file to opaque pixels, as dessin.images.decode and .ground do it.
// Pixels are {width, height, channels, data}: bytes by rows, the channels of a pixel side by side.

const MOST_BYTES = 64 * 2 ** 20, MOST_PIXELS = 40e6;
const OPAQUE = 128, SEEN = 40, ENOUGH = 0.01;

class Refusal extends Error {}

/** The pixels of an image file: turned as its camera says, without any colour profile, laid on white. */
async function decoded(file) {
  if (file.size > MOST_BYTES) throw new Refusal("large");
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" }).catch(() => { throw new Refusal("unreadable"); });
  const { width, height } = bitmap;
  if (width * height > MOST_PIXELS) throw new Refusal("large");
  const canvas = new OffscreenCanvas(width, height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(bitmap, 0, 0);
  bitmap.close();
  return onGround(pen.getImageData(0, 0, width, height));
}

/** (H, W, 4) with transparency to (H, W, 3): on white, or on black where white ink could not be seen. */
function onGround(rgba) {
  const white = laidOn(rgba, 255);
  return borderIsClear(rgba) && isFaint(rgba, white) ? laidOn(rgba, 0) : white;
}

function laidOn({ width, height, data }, ground) {
  const out = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    const alpha = data[from + 3];
    for (let channel = 0; channel < 3; channel++) {
      const sum = ground * (255 - alpha) + data[from + channel] * alpha + 128;
      out[to++] = ((sum >> 8) + sum) >> 8;
    }
  }
  return { width, height, channels: 3, data: out };
}

function borderIsClear({ width, height, data }) {
  const alphas = [];
  for (let x = 0; x < width; x++) alphas.push(data[4 * x + 3], data[4 * ((height - 1) * width + x) + 3]);
  for (let y = 0; y < height; y++) alphas.push(data[4 * y * width + 3], data[4 * (y * width + width - 1) + 3]);
  return median(alphas) < OPAQUE;
}

function isFaint(rgba, white) {
  let drawn = 0, seen = 0;
  for (let at = 0; at < rgba.width * rgba.height; at++) {
    drawn += rgba.data[4 * at + 3] >= OPAQUE;
    seen += Math.min(white.data[3 * at], white.data[3 * at + 1], white.data[3 * at + 2]) <= 255 - SEEN;
  }
  return drawn > 0 && seen < ENOUGH * drawn;
}

/** The median of numbers; of two in the middle their mean. */
function median(values) {
  const sorted = Float64Array.from(values).sort(), middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
