// Keeps the page in the browser, whole, so that after the first visit it needs no network. Another page has another
// digest, and takes the place of this one.

const KEPT = `dessin ${self.registration.scope} `, NAME = `${KEPT}DIGEST`;

self.addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const answer = await fetch("index.html", { cache: "no-cache" });
    if (!answer.ok) throw new Error(`index.html: ${answer.status}`);
    // Anew: a browser shows no page whose answer was led elsewhere.
    const whole = new Response(await answer.blob(), { headers: { "Content-Type": "text/html; charset=utf-8" } });
    await (await caches.open(NAME)).put("index.html", whole);
    await self.skipWaiting();
  })());
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    const old = (await caches.keys()).filter((name) => name.startsWith(KEPT) && name !== NAME);
    await Promise.all(old.map((name) => caches.delete(name)));
    await self.clients.claim();
  })());
});

self.addEventListener("fetch", (event) => {
  const { pathname } = new URL(event.request.url), home = new URL(self.registration.scope).pathname;
  if (event.request.mode !== "navigate" || ![home, `${home}index.html`].includes(pathname)) return;
  event.respondWith((async () => (await (await caches.open(NAME)).match("index.html")) ?? fetch(event.request))());
});
