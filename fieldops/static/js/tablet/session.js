import { StorageFull, durably, kv } from "./db.js";
import { wipeStores } from "./wipe.js";

/**
 * Who holds the tablet, and what the server said of it.
 * @typedef {object} Session
 * @property {string} token
 * @property {{id: number, name: string, roles: string[], language: string | null}} person
 * @property {{id: string, name: string, district: string | null}} device
 * @property {{id: string, name: string}[]} crews
 * @property {string} expires_at
 */

/** @typedef {"keep-unsent" | "all"} Wipe */

const KEY = "session";
/** What a tablet remembers of itself when nobody is signed in: its id, name and last token. */
const DEVICE = "device";
const SECRET = "release_key";
const SKEW = "clock_skew_ms";
const CHANNEL = "fieldops-session";
const REVOKED = "device-revoked";
const WAIT_MS = 20_000;

/** There is no way to the server at the moment. */
export class Offline extends Error {}

/** The server wants a sign-in: nothing is dropped, only sending waits. */
export class Unauthorized extends Error {
  /** @param {string} message @param {string} code */
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

/** The server has answered, and not with a yes. */
export class Refused extends Error {
  /** @param {string} message @param {number} status @param {string} code @param {Record<string, any>} problem */
  constructor(message, status, code, problem) {
    super(message);
    this.status = status;
    this.code = code;
    this.problem = problem;
  }
}

/** @type {Session | null} */
let known = null;
let isWantedAnew = false;
let skewMs = 0;
/** @type {Set<() => void>} */
const watchers = new Set();
/** @type {Set<(wipe: Wipe) => void | Promise<void>>} */
const cleaners = new Set();
const channel = new BroadcastChannel(CHANNEL);

async function read() {
  known = (await kv.get(KEY)) ?? null;
  isWantedAnew = Boolean(await kv.get("sign_in_wanted"));
  skewMs = (await kv.get(SKEW)) ?? 0;
}

function tellWatchers() {
  for (const watch of watchers) watch();
}

function tell() {
  tellWatchers();
  channel.postMessage("changed");
}

channel.addEventListener("message", async () => {
  await read();
  tellWatchers();
});

/** Whoever is signed in; past `expires_at` too, for reading and recording go on. */
export const session = () => known;

/** Whether sending waits for a sign-in: the shift's token is over, or the server said so. */
export const mustSignIn = () =>
  known === null || isWantedAnew || serverNow().getTime() >= Date.parse(known.expires_at);

/** The server's clock, as far as this tablet knows how far its own is off. */
export const serverNow = () => new Date(Date.now() + skewMs);

/**
 * Be told when somebody signs in or out, here or in another tab.
 * @param {() => void} watch
 * @returns {() => void} stops it
 */
export function watchSession(watch) {
  watchers.add(watch);
  return () => watchers.delete(watch);
}

/**
 * Be told that the tablet was revoked, to forget what is kept in memory.
 * @param {(wipe: Wipe) => void | Promise<void>} clean
 * @returns {() => void} stops it
 */
export function onRevoked(clean) {
  cleaners.add(clean);
  return () => cleaners.delete(clean);
}

/**
 * Ask the server as whoever is signed in, with the token alone and no cookie.
 * @param {string} path from /api/ on
 * @param {RequestInit} [init]
 * @returns {Promise<Response>} an answer of success, or 304
 * @throws {Offline | Unauthorized | Refused}
 */
export async function api(path, init = {}) {
  if (!known) throw new Unauthorized("nobody is signed in", "signed-out");
  const asked = known.token;
  const headers = new Headers(init.headers);
  headers.set("Authorization", `Bearer ${asked}`);
  return answerOf(await reach(path, { ...init, headers }), asked);
}

/**
 * @param {string} path
 * @param {RequestInit} init
 */
async function reach(path, init) {
  const began = Date.now();
  const headers = new Headers(init.headers);
  headers.set("Accept", "application/json");
  headers.set("Accept-Language", document.documentElement.lang || "zh-CN");
  /** @type {Response} */
  let answer;
  try {
    const signal = init.signal ?? AbortSignal.timeout(WAIT_MS);
    answer = await fetch(path, { cache: "no-store", ...init, headers, signal, credentials: "omit" });
  } catch (error) {
    throw new Offline(String(error));
  }
  noteClock(answer, began);
  return answer;
}

/**
 * Note how far this clock is off the server's; a second or two is the answer's own way.
 * @param {Response} answer
 * @param {number} began
 */
function noteClock(answer, began) {
  const told = Date.parse(answer.headers.get("Date") ?? "");
  if (Number.isNaN(told)) return;
  const off = told + 500 - (began + Date.now()) / 2;
  if (Math.abs(off - skewMs) < 3000) return;
  skewMs = Math.abs(off) < 3000 ? 0 : off;
  // Without any room it is found out again with the next answer.
  kv.set(SKEW, skewMs).catch(() => undefined);
  // By the old clock the shift may have looked over: sending waits for nothing else.
  tellWatchers();
}

/**
 * @param {Response} answer
 * @param {string | null} token the one that was asked with; null where a password was
 */
async function answerOf(answer, token) {
  if (answer.ok || answer.status === 304) return answer;
  const problem = await answer.json().catch(() => ({}));
  const code = String(problem.type ?? "").split(":").pop() || `http-${answer.status}`;
  if (answer.status === 401 && (token !== null || code === REVOKED)) {
    await heedUnauthorized(code, problem.wipe, token);
    throw new Unauthorized(problem.detail ?? "", code);
  }
  throw new Refused(problem.detail ?? answer.statusText, answer.status, code, problem);
}

/**
 * Take a 401 to heart: a revoked tablet is cleared as told, else sending waits for a sign-in.
 * @param {string} code
 * @param {Wipe | undefined} wipe
 * @param {string | null} token the one that was asked with: an older one says nothing of the newer
 */
async function heedUnauthorized(code, wipe, token) {
  if (code === REVOKED) return (await isOwn(token)) ? clear(wipe === "all" ? "all" : "keep-unsent") : read().then(tellWatchers);
  if (known?.token !== token) return undefined;
  const isLast = await durably(["kv"], async (writing) => {
    const kept = writing.objectStore("kv");
    // Another tab may have signed somebody in, of which this one has not heard yet.
    if ((await kept.get(KEY))?.token !== token) return false;
    await kept.put(true, "sign_in_wanted");
    return true;
  }).catch((error) => {
    // Without any room it is known until the page is closed, and heard again then.
    if (!(error instanceof StorageFull)) throw error;
    return true;
  });
  if (!isLast) return read().then(tellWatchers);
  // And so may this one meanwhile; it says by itself that nothing is wanted any more.
  if (known?.token !== token) return undefined;
  isWantedAnew = true;
  tell();
  return undefined;
}

/**
 * Whether a token is this tablet's last: a late answer to an older one, or another tab that has not
 * heard yet, must not clear what was recorded since.
 * @param {string | null} token null where the tablet said itself which it is
 */
async function isOwn(token) {
  if (token === null) return true;
  const [signedIn, device] = await Promise.all([kv.get(KEY), kv.get(DEVICE)]);
  return token === (signedIn?.token ?? null) || token === (device?.last_token ?? null);
}

/** @param {Wipe} wipe */
async function clear(wipe) {
  const before = known;
  known = null;
  isWantedAnew = false;
  await wipeStores(wipe).catch((error) => {
    // Not cleared: the next contact tries again.
    known = before;
    throw error;
  });
  await kv.set("revoked", { wipe, at: new Date().toISOString() });
  for (const clean of cleaners) await clean(wipe);
  tell();
}

/**
 * Sign somebody in; a tablet that was known stays the one it was.
 * @param {{login?: string, password?: string, demo_login?: string, name?: string}} who
 * @returns {Promise<Session>}
 * @throws {Offline | Refused | Unauthorized}
 */
export async function signIn(who) {
  const before = (await kv.get(DEVICE)) ?? null;
  const answer = await reach("/api/v1/devices/sign-in", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      ...who,
      name: who.name ?? before?.name ?? null,
      device_id: before?.id ?? null,
      last_token: before?.last_token ?? null,
    }),
  });
  const said = await (await answerOf(answer, null)).json();
  const { secret, ...device } = said.device;
  await keepSecret(secret);
  const last = known?.person.id ?? (await kv.get("last_person")) ?? null;
  // Another's jobs, with their callers' telephones, are not for the next one to read.
  if (last !== null && last !== said.person.id) await kv.remove("day");
  known = { ...said, device };
  isWantedAnew = false;
  await kv.set(KEY, known);
  await kv.set("sign_in_wanted", false);
  await kv.set("last_person", said.person.id);
  await kv.set(DEVICE, { ...device, last_token: said.token });
  await kv.remove("revoked");
  tell();
  return /** @type {Session} */ (known);
}

/**
 * Take over what the server says of this tablet: it may have got another name or district.
 * @param {Session["device"] | null} told
 */
export async function noteDevice(told) {
  const own = known?.device;
  if (!known || !own || told?.id !== own.id || (told.name === own.name && told.district === own.district)) return;
  known = { ...known, device: { id: told.id, name: told.name, district: told.district } };
  await kv.set(KEY, known);
  await kv.set(DEVICE, { ...known.device, last_token: known.token });
  tell();
}

/**
 * Keep the key of release codes so that no script can read it out again.
 * @param {string} secret in base64
 */
async function keepSecret(secret) {
  const bytes = Uint8Array.from(atob(secret), (letter) => letter.charCodeAt(0));
  const way = { name: "HMAC", hash: "SHA-256" };
  // Only where crypto is: off localhost that is https, which the page says by itself.
  if (globalThis.crypto?.subtle) await kv.set(SECRET, await crypto.subtle.importKey("raw", bytes, way, false, ["sign"]));
}

/** @returns {Promise<CryptoKey | null>} the key of release codes */
export const releaseKey = async () => (await kv.get(SECRET)) ?? null;

/** @returns {Promise<{id: string, name: string} | null>} which tablet this is, signed in or not */
export const thisDevice = async () => (await kv.get(DEVICE)) ?? null;

/** @returns {Promise<{wipe: Wipe, at: string} | null>} that this tablet was revoked */
export const revocation = async () => (await kv.get("revoked")) ?? null;

/**
 * Make the contact of a tablet on which nobody is signed in: it may have been revoked since. A
 * sign-out that had no signal is told now.
 */
export async function tellSignedOut() {
  /** @type {string | null} */
  const token = known ? null : ((await kv.get(DEVICE))?.last_token ?? null);
  if (token === null) return;
  const headers = { Authorization: `Bearer ${token}` };
  const answer = await reach("/api/v1/devices/sign-out", { method: "POST", headers });
  await answerOf(answer, token).catch((error) => {
    // That the sign-in is over is what was wanted.
    if (!(error instanceof Unauthorized)) throw error;
  });
}

/**
 * Sign out. What is not sent stays on the tablet, and waits for the same person.
 *
 * With anything unsent it does nothing unless `confirm`, given the count, says yes.
 * @param {(unsent: number) => Promise<boolean> | boolean} confirm
 * @returns {Promise<boolean>} whether somebody was signed out
 */
export async function signOut(confirm) {
  if (!known) return false;
  const { counts } = await import("./outbox.js");
  const { unsent, parked, photos } = await counts();
  const waiting = unsent + parked + photos;
  if (waiting > 0 && !(await confirm(waiting))) return false;
  await api("/api/v1/devices/sign-out", { method: "POST" }).catch(() => undefined);
  known = null;
  isWantedAnew = false;
  await kv.remove(KEY);
  await kv.remove("day");
  tell();
  return true;
}

await read();
