/**
 * The way out when the network never comes: everything unsent in files that a dispatcher reads in.
 * A file is taken in once however often it comes, so nothing here is removed by exporting it.
 */
import { kv, open } from "./db.js";
import { photosLeft, sha256Of } from "./photos.js";
import { asSent } from "./sender.js";
import { session, thisDevice } from "./session.js";

/** @typedef {import("./db.js").Op} Op */
/** @typedef {import("./db.js").KeptPhoto} KeptPhoto */
/** @typedef {{name: string, file: Blob, ops: number, photos: number, unreadable: number}} Rescue */

const FORMAT = "fieldops-rescue";
const VERSION = 1;
/** What a dispatcher's browser sends at once, and a server reads at once. */
const MOST_PHOTO_BYTES = 24 * 1024 ** 2;
const MOST_OPS = 2000;

/**
 * Write everything unsent into as few files as hold it.
 * @param {string} [op_id] only this one operation, with its photos
 * @returns {Promise<Rescue[]>}
 */
export async function makeRescue(op_id) {
  const db = await open();
  const all = [...(await db.getAllFromIndex("parked", "by_seq")), ...(await db.getAllFromIndex("ops", "by_seq"))];
  const ops = all.filter((op) => op_id === undefined || op.op_id === op_id).sort((a, b) => a.seq - b.seq || a.sequence - b.sequence);
  const spoken = new Set(ops.flatMap(photosOf));
  const photos = (await photosLeft()).filter((photo) => op_id === undefined || spoken.has(photo.sha256));
  const parts = split(ops, photos);
  const at = new Date();
  const files = [];
  for (const [index, part] of parts.entries()) files.push(await write(part, at, index + 1, parts.length));
  if (op_id === undefined && files.length) await kv.set("rescued_at", at.toISOString()).catch(() => undefined);
  return files;
}

/** @typedef {{ops: Op[], photos: KeptPhoto[]}} Part */

/**
 * All data first, photos by as many as a file may hold.
 * @param {Op[]} ops
 * @param {KeptPhoto[]} photos
 * @returns {Part[]}
 */
function split(ops, photos) {
  /** @type {Part[]} */
  const parts = [];
  for (let from = 0; from < ops.length; from += MOST_OPS) parts.push({ ops: ops.slice(from, from + MOST_OPS), photos: [] });
  let bytes = 0;
  for (const photo of photos) {
    bytes += photo.bytes;
    if (!parts.length || bytes > MOST_PHOTO_BYTES) {
      parts.push({ ops: [], photos: [] });
      bytes = photo.bytes;
    }
    parts.at(-1)?.photos.push(photo);
  }
  return parts;
}

/**
 * @param {Part} part
 * @param {Date} at
 * @param {number} number
 * @param {number} of
 * @returns {Promise<Rescue>}
 */
async function write({ ops, photos }, at, number, of) {
  const device = session()?.device ?? (await thisDevice());
  let unreadable = 0;
  const written = [];
  for (const { blob, state: _state, ...facts } of photos) {
    const data = blob && (await base64(blob).catch(() => null));
    if (data) written.push({ ...facts, data });
    else unreadable += 1;
  }
  const content = JSON.stringify({
    exported_at: at.toISOString(),
    part: number,
    parts: of,
    device: device && { id: device.id, name: device.name },
    skew_s: (await kv.get("skew_s")) ?? null,
    ops: ops.map((op) => ({ ...asSent(op), person_id: op.person_id, person_name: op.person_name, answer: op.answer?.status ?? null })),
    photos: written,
  });
  const sha256 = await sha256Of(new TextEncoder().encode(content).buffer);
  const file = new Blob([JSON.stringify({ format: FORMAT, version: VERSION, sha256, content })], { type: "application/json" });
  const stamp = at.toISOString().replace(/[-:]|\.\d+/g, "");
  const name = `fieldops-rescue-${(device?.id ?? "tablet").slice(0, 8)}-${stamp}${of > 1 ? `-${number}of${of}` : ""}.json`;
  return { name, file, ops: ops.length, photos: written.length, unreadable };
}

/**
 * Let the browser keep a file where the person finds it.
 * @param {Rescue} rescue
 */
export function download({ name, file }) {
  const href = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = href;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  // The browser reads it after this; it is let go when surely read.
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

/**
 * @param {Op} op
 * @returns {string[]} hashes that it speaks of, wherever they stand in it
 */
const photosOf = (op) => [...new Set([...op.photos, ...(JSON.stringify(op.body).match(/\b[0-9a-f]{64}\b/g) ?? [])])];

/**
 * @param {Blob} blob
 * @returns {Promise<string>}
 */
function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(",", 2)[1] ?? "");
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
