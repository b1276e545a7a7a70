/** Whether the server can be reached: asked for, since a browser only knows whether it has a network. */

const EVERY_MS = 20_000;
const PATIENCE_MS = 8_000;

/** @type {boolean | null} */
let isReached = null;
/** @type {Date | null} */
let lastReached = null;
/** @type {string | null} */
let newest = null;
/** @type {Set<() => void>} */
const watchers = new Set();

/** True while the last question was answered; null as long as none has been. */
export const isOnline = () => isReached;

/** When the server last answered this page. */
export const lastOnline = () => lastReached;

/** The release that the server has, as far as it was heard. */
export const serverVersion = () => newest;

/**
 * @param {() => void} tell
 * @returns {() => void} what stops it
 */
export function watchConnection(tell) {
  watchers.add(tell);
  return () => { watchers.delete(tell); };
}

/** Ask the server now. */
export async function askServer() {
  const before = isReached;
  const heardBefore = newest;
  try {
    if (!navigator.onLine) throw new Error("no network");
    const answer = await fetch("/tablet/version.json", { cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) throw new Error(`answer ${answer.status}`);
    newest = (await answer.json()).version;
    isReached = true;
    lastReached = new Date();
  } catch {
    isReached = false;
  }
  if (isReached !== before || newest !== heardBefore) for (const tell of watchers) tell();
}

/** Go on asking while the page can be seen. */
export function startConnection() {
  const ask = () => { if (!document.hidden) void askServer(); };
  addEventListener("online", ask);
  addEventListener("offline", ask);
  document.addEventListener("visibilitychange", ask);
  setInterval(ask, EVERY_MS);
  ask();
}
