/*
 * The tablet's service worker: it gives the page with no signal, whole and of one version.
 *
 * The server puts `self.release = {version, files: {path: SHA-256}}` in front of this script. A new
 * release is fetched beside the one in use and every file is checked against its hash; which one is
 * in use changes only when a page says so, never by itself. Answers of /api are never kept here.
 */
{
  /**
   * @typedef {{version: string, files: Record<string, string>}} Release
   * @typedef {Event & {waitUntil: (work: Promise<unknown>) => void}} Lasting
   * @typedef {Lasting & {request: Request, respondWith: (answer: Promise<Response>) => void}} Asking
   * @typedef {Lasting & {data: any, ports: readonly MessagePort[]}} Said
   */
  const worker = /** @type {any} */ (self);
  const { version, files } = /** @type {Release} */ (worker.release);
  const PREFIX = "fieldops-tablet-";
  /** Holds one small answer that says which release is in use. */
  const POINTER_CACHE = "fieldops-tablet.in-use";
  const POINTER = "/tablet/in-use";
  const SHELL = "/tablet";

  /** @type {Promise<string | null> | null} */
  let inUse = null;

  /** @returns {Promise<string | null>} */
  const readInUse = () => (inUse ??= caches.open(POINTER_CACHE)
    .then((cache) => cache.match(POINTER))
    .then((kept) => (kept ? kept.text() : null)));

  /** @param {string} chosen */
  async function use(chosen) {
    await (await caches.open(POINTER_CACHE)).put(POINTER, new Response(chosen));
    inUse = Promise.resolve(chosen);
    for (const name of await caches.keys()) {
      if (name.startsWith(PREFIX) && name !== PREFIX + chosen && name !== PREFIX + version) await caches.delete(name);
    }
  }

  /** @param {ArrayBuffer} bytes */
  async function hashOf(bytes) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /**
   * Keep one file of this release: what an older release already holds is not fetched again.
   * @param {Cache} cache
   * @param {string[]} olds - names of the caches of other releases
   * @param {string} path
   * @param {string} hash
   */
  async function keep(cache, olds, path, hash) {
    const kept = await cache.match(path);
    if (kept?.headers.get("X-Hash") === hash) return;
    for (const name of olds) {
      const older = await (await caches.open(name)).match(path);
      if (older?.headers.get("X-Hash") === hash) return cache.put(path, older);
    }
    const answer = await fetch(path, { cache: "no-store", credentials: "omit" });
    const bytes = await answer.arrayBuffer();
    if (!answer.ok || (await hashOf(bytes)) !== hash) throw new Error(`${path} is not of release ${version}`);
    const headers = new Headers(answer.headers);
    headers.set("X-Hash", hash);
    headers.delete("Content-Encoding");
    headers.delete("Set-Cookie");
    await cache.put(path, new Response(bytes, { headers }));
  }

  async function install() {
    const cache = await caches.open(PREFIX + version);
    const olds = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== PREFIX + version);
    // One after the other: a tablet's first signal of the day is needed for the work, too.
    for (const [path, hash] of Object.entries(files)) await keep(cache, olds, path, hash);
    await worker.skipWaiting();
  }

  async function activate() {
    const chosen = await readInUse();
    if (chosen === null || !(await caches.has(PREFIX + chosen))) await use(version);
    await worker.clients.claim();
  }

  /** @param {Request} request */
  async function answer(request) {
    const { pathname } = new URL(request.url);
    const path = request.mode === "navigate" ? SHELL : pathname;
    const chosen = await readInUse();
    const kept = chosen === null ? undefined : await (await caches.open(PREFIX + chosen)).match(path);
    return kept ?? fetch(request);
  }

  worker.addEventListener("install", (/** @type {Lasting} */ event) => event.waitUntil(install()));
  worker.addEventListener("activate", (/** @type {Lasting} */ event) => event.waitUntil(activate()));

  worker.addEventListener("fetch", (/** @type {Asking} */ event) => {
    const { request } = event;
    const { origin, pathname } = new URL(request.url);
    if (request.method !== "GET" || origin !== location.origin) return;
    if (request.mode === "navigate" ? pathname.replace(/\/$/, "") !== SHELL : request.cache === "no-store") return;
    // A file of an older release, still in use, is answered from its cache though this one has it no more.
    if (pathname.startsWith("/static/") || pathname === SHELL || pathname in files) event.respondWith(answer(request));
  });

  worker.addEventListener("message", (/** @type {Said} */ event) => {
    const said = event.data;
    event.waitUntil((async () => {
      const pages = await worker.clients.matchAll();
      if (said?.kind === "use" && (!said.only_alone || pages.length < 2)) {
        await use(version);
        for (const page of pages) page.postMessage({ kind: "changed", version });
      }
      event.ports[0]?.postMessage({ in_use: await readInUse(), newest: version });
    })());
  });
}
