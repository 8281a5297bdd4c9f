// The page itself: what is drawn, chosen, pasted, dropped or photographed is answered to, in the reader's language.

const page = JSON.parse(document.getElementById("page").textContent);
const { card, words } = page;
const find = (name) => document.getElementById(name);
const SHOWN = 5, LEAST_PAGE = 256;

// Words.

let spoken = [localStored(), ...(navigator.languages ?? [])].map((code) => String(code).slice(0, 2)).find((code) => Object.hasOwn(words, code)) ?? "en";
let told = [];

function localStored() {
  try { return localStorage.getItem("dessin-language"); } catch { return ""; }
}

function say(name, values = {}) {
  return words[spoken][name].replace(/\{(\w+)\}/g, (_, value) => values[value]);
}

function speak(code) {
  spoken = code;
  document.documentElement.lang = code;
  const counts = { n: card.classes.length };
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = say(element.dataset.word, counts);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", say(element.dataset.label, counts));
  document.title = say("title");
  for (const button of find("languages").children) button.setAttribute("aria-pressed", String(button.value === code));
  show(...told);
}

// The answer.

/** A sentence in the answer's place, or an answer. */
function show(kind, value) {
  told = [kind, value];
  const [small, title, text, note] = ["small", "verdict", "says", "took"].map(find), bars = find("bars");
  for (const element of [small, title, text, note]) element.textContent = "";
  bars.replaceChildren();
  find("answer").className = `card ${kind ?? ""}`;
  if (kind !== "answer") {
    text.textContent = kind ? say(kind) : "";
    return;
  }
  const { probabilities, score, milliseconds } = value;
  const order = probabilities.map((_, column) => column).sort((a, b) => probabilities[b] - probabilities[a]);
  const best = { name: card.names[order[0]], probability: percent(probabilities[order[0]]), threshold: percent(card.threshold) };
  const silence = card.rejection && score < card.rejection.threshold ? "no_class" : probabilities[order[0]] < card.threshold ? "unsure" : "";
  find("answer").classList.toggle("silent", Boolean(silence));
  small.textContent = silence ? "" : say("looks");
  title.textContent = silence ? say(silence) : best.name;
  text.textContent = silence ? say(`${silence}_says`, best) : "";
  note.textContent = `${say(card.calibrated ? "calibrated" : "uncalibrated")} ${say("answered", { milliseconds: Math.round(milliseconds) })}`;
  for (const column of order.slice(0, SHOWN)) bars.append(bar(card.names[column], probabilities[column]));
}

function bar(name, probability) {
  const row = document.createElement("li"), track = document.createElement("span"), fill = document.createElement("i");
  for (const text of [name, percent(probability)]) row.append(Object.assign(document.createElement("span"), { textContent: text }));
  track.className = "share";
  fill.style.width = `${100 * probability}%`;
  track.append(fill);
  row.append(track);
  return row;
}

/** Never 0% or 100%, which no model can know. */
function percent(probability) {
  return probability < 0.005 ? "< 1%" : probability > 0.995 ? "> 99%" : `${Math.round(100 * probability)}%`;
}

let answer = null, running = false, again = false;

/** Answer to what lies there now; what comes in between is answered to once, at the end. */
async function ask() {
  again = true;
  if (!answer || running) return;
  running = true;
  while (again) {
    again = false;
    const pixels = current();
    if (!pixels) {
      show("empty");
      continue;
    }
    const begin = performance.now(), found = await answer(pixels).catch(() => null);
    if (!again) show(...(found ? ["answer", { ...found, milliseconds: performance.now() - begin }] : ["failed"]));
  }
  running = false;
}

// What is looked at.

const drawing = pad(find("pad"), card.look, ask), picture = cropper(find("picture"), () => {
  find("whole").disabled = !picture.cropped;
  ask();
});
let mode = "drawing", taken = false;

function current() {
  if (mode === "picture") return seen(picture.pixels(), taken || picture.cropped);
  return mode === "camera" || drawing.empty ? null : drawing.pixels(Math.max(LEAST_PAGE, ...Object.values(card.models).map(({ image }) => image.size)));
}

/** A model that looks for the sheet of paper in a photograph sees it evenly lit and without ruling. */
function seen(pixels, isSheet) {
  return card.page && isSheet ? withoutRuling(evened(shrunk(pixels, LONGEST))) : pixels;
}

function become(next) {
  mode = next;
  for (const element of document.querySelectorAll("[data-mode]")) element.hidden = element.dataset.mode !== next;
}

function draw() {
  stopCamera();
  become("drawing");
  ask();
}

async function look(file, camera = false) {
  stopCamera();
  try {
    const pixels = await decoded(file);
    taken = camera;
    become("picture");
    picture.open(pixels);
  } catch (error) {
    draw();
    show(error instanceof Refusal ? error.message : "failed");
  }
}

// The camera.

let stream = null;

function stopCamera() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
}

async function startCamera() {
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1600 } } });
  } catch {
    return show("no_camera");
  }
  become("camera");
  find("shoot").disabled = true;
  find("video").srcObject = stream;
  show("aim");
}

async function shoot() {
  const video = find("video"), still = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  still.getContext("2d").drawImage(video, 0, 0);
  await look(await still.convertToBlob(), true);
}

// What the reader does.

const on = (name, event, act) => find(name).addEventListener(event, act);
on("undo", "click", drawing.undo);
on("clear", "click", drawing.clear);
on("choose", "click", () => find("file").click());
on("file", "change", ({ target }) => { if (target.files[0]) look(target.files[0]); target.value = ""; });
on("camera", "click", startCamera);
on("video", "loadeddata", () => { find("shoot").disabled = false; });
on("shoot", "click", shoot);
on("stop", "click", draw);
on("back", "click", draw);
on("whole", "click", picture.reset);
find("camera").hidden = !navigator.mediaDevices?.getUserMedia;

const image = (files) => [...(files ?? [])].find((file) => file.type.startsWith("image/"));
document.addEventListener("paste", (event) => {
  const file = image(event.clipboardData?.files);
  if (file) look(file);
});
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  const file = event.dataTransfer?.files[0];
  if (file) look(file);
});
document.addEventListener("keydown", (event) => {
  if (mode !== "drawing" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.key.toLowerCase() !== "z") return;
  event.preventDefault();
  drawing.undo();
});

for (const code of Object.keys(words)) {
  const button = Object.assign(document.createElement("button"), { type: "button", value: code, lang: code, textContent: words[code].own_name });
  button.addEventListener("click", () => {
    try { localStorage.setItem("dessin-language", code); } catch { /* for this visit alone */ }
    speak(code);
  });
  find("languages").append(button);
}

become("drawing");
told = ["loading"];
speak(spoken);

// Served over http it is kept by the browser; opened as a file it is there anyway.
if (location.protocol.startsWith("http") && navigator.serviceWorker)
  navigator.serviceWorker.register("sw.js").then(() => navigator.serviceWorker.ready)
    .then(() => { find("kept").hidden = false; }).catch(() => {});

const ready = answerer(card).then((found) => { answer = found; return ask(); });
ready.catch((error) => { show("failed"); console.error(error); });

/** For whoever puts this page to use from a program: the answer to an image file. */
globalThis.dessin = {
  ready,
  /**
   * @param {Blob} file
   * @param {boolean} isSheet whether it is a sheet of paper, photographed and cut out
   * @returns {Promise<{probabilities: number[], score: number, milliseconds: number}>}
   */
  async answer(file, isSheet = false) {
    await ready;
    const pixels = await decoded(file), begin = performance.now(), found = await answer(seen(pixels, isSheet));
    return { ...found, milliseconds: performance.now() - begin };
  },
};
