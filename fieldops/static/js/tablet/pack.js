/** The pack of the tablet's district: fetched with a signal, and read without. */
import { day } from "./day.js";
import { kv } from "./db.js";
import { mergeFacts, writeFacts } from "./pack_facts.js";
import { parsePack } from "./pack_format.js";
import { countKept, fetchFile, FileChanged, forgetOthers, readFile, sourceOf } from "./pack_store.js";
import { api, onRevoked, session, watchSession } from "./session.js";
import { say } from "./words.js";

/** @typedef {import("./pack_format.js").Pack} Pack */
/** @typedef {import("./pack_store.js").PackFile} PackFile */
/** @typedef {{district: string, name: string, geometry_revision: number, revision: number, baked_at: string, files: PackFile[]}} Kept */
/** @typedef {import("./pack_facts.js").ValveFacts} ValveFacts */
/** @typedef {{revision: number, geometry_revision: number, facts_at: string, is_whole: boolean, valves: Record<string, ValveFacts>}} KeptFacts */

/**
 * What is on the device.
 * @typedef {object} PackState
 * @property {string} district
 * @property {string} name - empty for the whole network
 * @property {number} geometry_revision
 * @property {number} revision - of the facts, with those learnt since
 * @property {string} baked_at
 * @property {number} bytes
 * @property {boolean} is_complete
 * @property {string} facts_at - when the facts of valves were last asked for
 * @property {boolean} is_elsewhere - whether it is of another district than the tablet by now
 * @property {boolean} is_old - whether the network was drawn anew since, or this is another district
 */

const KEY = "pack";
const FACTS = "pack_facts";
const WHOLE = "whole";
const EVERY_MS = 10 * 60_000;
const TRIES = 3;
/** So much is fetched by itself; more only when somebody says so. */
const SMALL_BYTES = 20 << 20;

/** @type {Set<() => void>} */
const watchers = new Set();
const channel = new BroadcastChannel("fieldops-pack");
/** @type {{sha256: string, loading: Promise<Pack>} | null} */
let loaded = null;

function tellWatchers() {
  for (const watch of watchers) watch();
}

function tell() {
  tellWatchers();
  channel.postMessage("changed");
}

channel.addEventListener("message", async () => {
  await learn();
  tellWatchers();
});

/**
 * Be told when the pack or its facts are others.
 * @param {() => void} watch
 * @returns {() => void} stops it
 */
export function watchPack(watch) {
  watchers.add(watch);
  return () => void watchers.delete(watch);
}

/** @returns {Promise<Kept | null>} */
const kept = async () => (await kv.get(KEY)) ?? null;

/** @returns {Promise<KeptFacts | null>} */
const keptFacts = async () => (await kv.get(FACTS)) ?? null;

/** The tablet's own district as the server said last; that of the whole network where it has none. */
const ownDistrict = () => day()?.districts?.[0] ?? session()?.device.district ?? WHOLE;

/**
 * What is on the device; null when there is no pack.
 * @returns {Promise<PackState | null>}
 */
export async function packState() {
  const pack = await kept();
  if (!pack) return null;
  const facts = await keptFacts();
  const is_elsewhere = day() !== null && pack.district !== ownDistrict();
  return {
    district: pack.district,
    name: pack.name,
    geometry_revision: pack.geometry_revision,
    revision: facts?.revision ?? pack.revision,
    baked_at: pack.baked_at,
    bytes: sizeOf(pack),
    is_complete: true,
    facts_at: facts?.facts_at ?? pack.baked_at,
    is_elsewhere,
    is_old: is_elsewhere || (facts?.geometry_revision ?? 0) > pack.geometry_revision,
  };
}

/** @param {Kept} pack */
const sizeOf = (pack) => pack.files.reduce((sum, { bytes }) => sum + bytes, 0);

/**
 * Ask what there is to fetch, and how much of it is here already.
 * @returns {Promise<{offer: Kept | null, bytes: number, kept_bytes: number, is_here: boolean}>}
 */
export async function packOffer() {
  const offer = await (await api(`/api/v1/packs/${ownDistrict()}`)).json();
  if (!offer.files.length) return { offer: null, bytes: 0, kept_bytes: 0, is_here: false };
  const parts = await Promise.all(offer.files.map(countKept));
  const here = new Set((await kept())?.files.map(({ sha256 }) => sha256));
  return {
    offer,
    bytes: sizeOf(offer),
    kept_bytes: parts.reduce((sum, bytes) => sum + bytes, 0),
    is_here: offer.files.every((/** @type {PackFile} */ { sha256 }) => here.has(sha256)),
  };
}

/**
 * Fetch the pack, or what is missing of it; in one tab at a time. The old one stays until then.
 * @param {(done: number, whole: number) => void} [onProgress] - in bytes
 * @returns {Promise<PackState | null>}
 * @throws {Error} when there is none to fetch yet
 */
export async function downloadPack(onProgress = () => undefined) {
  /** @returns {Promise<PackState | null>} */
  const work = async () => {
    for (let tries = 1; ; tries += 1) {
      const { offer, bytes, is_here } = await packOffer();
      if (!offer) throw new Error(say("The map of the district is still being made: try again in a minute."));
      if (is_here) {
        onProgress(bytes, bytes);
        await refreshFacts();
        return packState();
      }
      try {
        await fetchAll(offer, onProgress);
        await refreshFacts().catch(() => undefined);
        return packState();
      } catch (error) {
        // It was made anew while we fetched it: begin with the new one.
        if (!(error instanceof FileChanged) || tries === TRIES) throw error;
      }
    }
  };
  return navigator.locks ? navigator.locks.request("fieldops-pack", work) : work();
}

/**
 * @param {Kept} offer
 * @param {(done: number, whole: number) => void} onProgress
 */
async function fetchAll(offer, onProgress) {
  const before = await kept();
  await forgetOthers([...offer.files, ...(before?.files ?? [])].map(({ sha256 }) => sha256));
  const whole = sizeOf(offer);
  let done = 0;
  for (const file of offer.files) {
    await fetchFile(file, (have) => onProgress(done + have, whole));
    done += file.bytes;
  }
  const { district, name, geometry_revision, revision, baked_at, files } = offer;
  await kv.remove(FACTS);
  await kv.set(KEY, { district, name, geometry_revision, revision, baked_at, files });
  loaded = null;
  await forgetOthers(files.map(({ sha256 }) => sha256));
  tell();
}

/**
 * The arrays to compute with, with the facts of valves as last heard; null when there is no pack.
 * @returns {Promise<Pack | null>}
 */
export async function topology() {
  const file = (await kept())?.files.find(({ kind }) => kind === "topology");
  if (!file) return null;
  if (loaded?.sha256 !== file.sha256) {
    const loading = readFile(file).then(parsePack).then(async (pack) => {
      writeFacts(pack, await keptFacts());
      return pack;
    });
    loading.catch(() => { loaded = null; });
    loaded = { sha256: file.sha256, loading };
  }
  return loaded.loading;
}

/** Bring the arrays in memory up to the facts that are kept. */
async function learn() {
  if (loaded) writeFacts(await loaded.loading, await keptFacts());
}

/** Ask what changed of the valves since, and keep it. */
export async function refreshFacts() {
  const pack = await kept();
  if (!pack) return;
  const before = await keptFacts();
  const since = before?.revision ?? pack.revision;
  const told = await (await api(`/api/v1/packs/${pack.district}/facts?since=${since}`)).json();
  const valves = mergeFacts(told.is_whole ? {} : (before?.valves ?? {}), told.valves);
  // Meanwhile another pack may have come, to which these facts do not belong.
  if ((await kept())?.baked_at !== pack.baked_at) return;
  await kv.set(FACTS, {
    revision: told.revision,
    geometry_revision: told.geometry_revision,
    facts_at: new Date().toISOString(),
    is_whole: told.is_whole || Boolean(before?.is_whole),
    valves,
  });
  await learn();
  tell();
}

/** The drawing, for the library of PMTiles; null when there is no pack. */
export async function pmtilesSource() {
  const file = (await kept())?.files.find(({ kind }) => kind === "drawing");
  return file && file.bytes ? sourceOf(file) : null;
}

/** Keep the pack as new as the signal allows: a small one is fetched by itself, a large one when asked. */
async function look() {
  if (!navigator.onLine || !session() || document.hidden) return;
  const { offer, bytes, kept_bytes, is_here } = await packOffer();
  if (!offer) return;
  const isBegun = kept_bytes > 0;
  // A tablet that was given another district must not go on with the old one.
  const isMoved = ((await kept())?.district ?? offer.district) !== offer.district;
  if (is_here) await refreshFacts();
  else if (bytes <= SMALL_BYTES || isBegun || isMoved) await downloadPack();
  else await refreshFacts();
}

/**
 * @returns {() => void} stops it
 */
export function startPack() {
  const lookAgain = () => void look().catch(() => undefined);
  const timer = setInterval(lookAgain, EVERY_MS);
  addEventListener("online", lookAgain);
  const stops = [
    watchSession(lookAgain),
    onRevoked(() => {
      loaded = null;
      tell();
    }),
  ];
  lookAgain();
  return () => {
    clearInterval(timer);
    removeEventListener("online", lookAgain);
    for (const stop of stops) stop();
  };
}
