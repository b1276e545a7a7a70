/** The service worker and the releases of the page: which is in use, which is ready, and changing it. */
import { serverVersion, watchConnection } from "./connection.js";

const CHECK_MS = 30 * 60_000;

/** The release of the page that is open. */
export const version = document.querySelector('meta[name="release"]')?.getAttribute("content") ?? "";

/** @type {string | null} */
let ready = null;
/** @type {boolean | null} */
let isKept = null;
let isLeaving = false;
/** @type {Set<() => void>} */
const watchers = new Set();

/** Another release that is whole on the device and waits to be used; null when there is none. */
export const readyVersion = () => ready;

/** Whether this page opens with no signal; null while that is not known yet. */
export const isKeptOffline = () => isKept;

/**
 * @param {() => void} tell
 * @returns {() => void} what stops it
 */
export function watchRelease(tell) {
  watchers.add(tell);
  return () => { watchers.delete(tell); };
}

/** @type {any} */
let installOffer = null;
addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault();
  installOffer = event;
  tellAll();
});

/** Whether the browser would put the page on the home screen now. */
export const canInstall = () => installOffer !== null;

/** Let the browser ask whether it should. */
export async function install() {
  await installOffer?.prompt();
  installOffer = null;
  tellAll();
}

const tellAll = () => { for (const tell of watchers) tell(); };

/**
 * @param {object} message
 * @returns {Promise<{in_use: string | null, newest: string} | null>}
 */
function tellWorker(message) {
  const worker = navigator.serviceWorker?.controller;
  if (!worker) return Promise.resolve(null);
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = (event) => resolve(event.data);
    setTimeout(() => resolve(null), 5000);
    worker.postMessage(message, [port2]);
  });
}

/** Find out whether another release is ready beside the one in use. */
async function look() {
  const told = await tellWorker({ kind: "tell" });
  if (!told) return;
  isKept = told.in_use !== null;
  ready = told.newest !== version ? told.newest : null;
  tellAll();
}

/**
 * Use the release that is ready; every open page of the tablet opens anew.
 * @param {{only_alone?: boolean}} [options] - `only_alone`: not while another page is open, where
 *   somebody may be typing
 */
export async function useReady({ only_alone = false } = {}) {
  const told = await tellWorker({ kind: "use", only_alone });
  if (!told && !only_alone) reload();
}

function reload() {
  if (isLeaving) return;
  isLeaving = true;
  location.reload();
}

/**
 * Register the worker; without https there is none, which the page says by itself.
 * @returns {Promise<void>}
 */
export async function startReleases() {
  if (!("serviceWorker" in navigator)) {
    isKept = false;
    return tellAll();
  }
  navigator.serviceWorker.addEventListener("message", (event) => {
    if (event.data?.kind === "changed" && event.data.version !== version) reload();
  });
  navigator.serviceWorker.addEventListener("controllerchange", () => { void look(); });
  try {
    const registration = await navigator.serviceWorker.register("/tablet/sw.js", { scope: "/tablet", updateViaCache: "none" });
    const check = () => { registration.update().catch(() => {}); };
    const { installing } = registration;
    installing?.addEventListener("statechange", () => {
      if (installing.state !== "redundant" || navigator.serviceWorker.controller) return;
      isKept = false;
      tellAll();
    });
    setInterval(check, CHECK_MS);
    const heed = () => {
      const heard = serverVersion();
      if (heard !== null && heard !== version && heard !== ready) check();
    };
    watchConnection(heed);
    heed();
  } catch (error) {
    // With no signal the worker that is here already goes on; else nothing is kept.
    if (!navigator.serviceWorker.controller) isKept = false;
    console.warn(error);
    tellAll();
  }
  return look();
}
