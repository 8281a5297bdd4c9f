// From a square of pixels to probabilities: ONNX Runtime for each model, their views, and the tree that joins them,
// as dessin.answers does it.

const TIE = 1e-4, SMALLEST = 1e-7;

/** The bytes of a part of this page: gzip in base64, in a script that no browser runs. */
async function part(name) {
  const element = document.getElementById(name), text = element.textContent.trim();
  element.remove();
  const packed = Uint8Array.fromBase64?.(text) ?? Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** What answers as `card` says, once its models are ready. */
async function answerer(card) {
  // A module of an address of its own: a page that was opened as a file may load no other.
  const address = URL.createObjectURL(new Blob([await part("runtime")], { type: "text/javascript" }));
  const { InferenceSession, Tensor, env } = await import(address);
  URL.revokeObjectURL(address);
  Object.assign(env.wasm, { numThreads: 1, wasmBinary: (await part("wasm")).buffer });
  const sessions = {};
  for (const name of Object.keys(card.models)) sessions[name] = await InferenceSession.create(await part(`model ${name}`));

  async function logits(session, { size, channels }, values) {
    const given = new Tensor("float32", values, [1, channels, size, size]);
    const { logits: found } = await session.run({ pixels: given });
    if (!found.data.every(Number.isFinite)) throw new Error("The model answers with NaN or infinity.");
    return found.data;
  }

  /** Probabilities and energy of one model: the means over the views. */
  async function asked(name, square) {
    const { classes, image, temperature } = card.models[name];
    const found = { probabilities: new Float64Array(classes.length), energy: 0 };
    for (const view of card.views) {
      const values = await logits(sessions[name], image, VIEWS[view](planes(square), square));
      softmax(values, temperature).forEach((one, column) => { found.probabilities[column] += one / card.views.length; });
      found.energy += logSumExp(values) / card.views.length;
    }
    return found;
  }

  /** Pixels (H, W, 3) to {probabilities, score}: in the order of the classes, and what a rejection looks at. */
  return async function answer(pixels) {
    const squares = new Map(), answers = {};
    let energy = 0;
    for (const [name, { image }] of Object.entries(card.models)) {
      const kind = JSON.stringify(image);
      if (!squares.has(kind)) squares.set(kind, fitted(pixels, image));
      const found = await asked(name, squares.get(kind));
      answers[name] = found.probabilities;
      energy += found.energy / Object.keys(card.models).length;
    }
    const joined = combined(card.root, answers, card);
    const probabilities = tempered(byName(joined, card.classes), card.temperature);
    const scores = {
      energy: () => energy,
      max_probability: () => Math.max(...probabilities),
      negative_entropy: () => probabilities.reduce((sum, p) => sum + (p > 0 ? p * Math.log(p) : 0), 0),
    };
    return { probabilities: [...probabilities], score: card.rejection ? scores[card.rejection.score]() : 0 };
  };
}

/** (S, S, channels) bytes as (channels, S, S) float32. */
function planes({ width, height, channels, data }) {
  const out = new Float32Array(data.length), area = width * height;
  for (let at = 0; at < data.length; at++) out[(at % channels) * area + Math.floor(at / channels)] = data[at];
  return out;
}

// Views, as in dessin.training.views.

const VIEWS = {
  identity: (values) => values,
  hflip: (values, square) => moved(values, square, (x, y) => [-x, y]),
  vflip: (values, square) => moved(values, square, (x, y) => [x, -y]),
  rotate_left: turned(10, 1),
  rotate_right: turned(-10, 1),
  smaller: turned(0, 0.85),
  larger: turned(0, 1.15),
};

function turned(degrees, scale) {
  const turn = (degrees * Math.PI) / 180, cosine = Math.cos(turn) / scale, sine = Math.sin(turn) / scale;
  return (values, square) => moved(values, square, (x, y) => [cosine * x - sine * y, sine * x + cosine * y]);
}

/** What lies at `way` of each place, from -1 to 1, between pixels; outside of the picture is its background. */
function moved(values, square, way) {
  const { width: size, channels } = square, fill = borderMedian(square), out = new Float32Array(values.length);
  const inside = (at) => at >= 0 && at < size;
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++) {
      const [across, down] = way((2 * x + 1) / size - 1, (2 * y + 1) / size - 1).map((v) => ((v + 1) * size - 1) / 2);
      const left = Math.floor(across), top = Math.floor(down);
      for (let channel = 0; channel < channels; channel++) {
        let sum = fill[channel];
        for (const [column, near] of [[left, 1 - across + left], [left + 1, across - left]])
          for (const [row, close] of [[top, 1 - down + top], [top + 1, down - top]])
            if (inside(column) && inside(row))
              sum += near * close * (values[(channel * size + row) * size + column] - fill[channel]);
        out[(channel * size + y) * size + x] = sum;
      }
    }
  return out;
}

function softmax(logits, temperature) {
  const largest = Math.max(...logits), powers = Float64Array.from(logits, (one) => Math.exp((one - largest) / temperature));
  return normalised(powers);
}

function logSumExp(logits) {
  const largest = Math.max(...logits);
  return largest + Math.log(logits.reduce((sum, one) => sum + Math.exp(one - largest), 0));
}

function normalised(powers) {
  const sum = powers.reduce((total, one) => total + one, 0);
  return powers.map((one) => (sum > 0 ? one / sum : 1 / powers.length));
}

/** Probabilities p as p^(1/temperature), normalised. */
function tempered(table, temperature) {
  if (temperature === 1) return table;
  const largest = Math.max(...table);
  return normalised(table.map((p) => (p / largest) ** (1 / temperature)));
}

// The tree of a committee, as in dessin.answers.tree: {classes, table} of a node.

function combined(node, answers, card) {
  if (node.kind === "model") return { classes: card.models[node.bundle].classes, table: answers[node.bundle] };
  if (node.kind === "vote") return voted(node, node.ballots.map((ballot) => combined(ballot.node, answers, card)));
  return routed(node, answers, card);
}

function byName({ classes, table }, wanted) {
  return Float64Array.from(wanted, (label) => table[classes.indexOf(label)]);
}

function voted({ ballots, rule }, members) {
  const { classes } = members[0], total = ballots.reduce((sum, { weight }) => sum + weight, 0);
  const parts = members.map((member, at) => tempered(byName(member, classes), ballots[at].temperature));
  const summed = (value) => classes.map((_, column) => parts.reduce((sum, part, at) => sum + (ballots[at].weight / total) * value(part, column), 0));
  if (rule === "geometric") return { classes, table: softmax(summed((part, column) => Math.log(Math.max(part[column], SMALLEST))), 1) };
  const mean = summed((part, column) => part[column]);
  if (rule === "soft") return { classes, table: mean };
  const votes = summed((part, column) => Number(part.indexOf(Math.max(...part)) === column));
  return { classes, table: votes.map((share, column) => (share + TIE * mean[column]) / (1 + TIE)) };
}

function routed({ generalist, router, families, experts }, answers, card) {
  const { classes, table } = combined(generalist, answers, card), names = [...new Set(Object.values(families))];
  const members = (name) => classes.map((_, column) => column).filter((column) => families[classes[column]] === name);
  const own = names.map((name) => members(name).reduce((sum, column) => sum + table[column], 0));
  const family = router ? byName(combined(router, answers, card), names) : own;
  const joined = new Float64Array(classes.length);
  names.forEach((name, at) => {
    const columns = members(name), inside = columns.map((column) => classes[column]);
    const within = Object.hasOwn(experts, name) ? byName(combined(experts[name], answers, card), inside) : normalised(columns.map((column) => table[column]));
    columns.forEach((column, place) => { joined[column] = family[at] * within[place]; });
  });
  return { classes, table: joined };
}
