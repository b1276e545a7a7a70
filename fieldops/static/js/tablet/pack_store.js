/** The files of a pack in pieces: fetched piece by piece, kept durably, and read without joining them. */
import { durably, open } from "./db.js";
import { api, Refused } from "./session.js";

/** @typedef {{kind: "drawing" | "topology", name: string, url: string, bytes: number, sha256: string}} PackFile */

export const PIECE_BYTES = 1 << 20;
/** A megabyte may take long where the signal is weak. */
const PATIENCE_MS = 180_000;
const PIECES_IN_MEMORY = 12;

/** The file on the server is another by now: what was fetched of the old one is of no use. */
export class FileChanged extends Error {}

/**
 * @param {string} sha256
 * @param {number} index
 */
const keyOf = (sha256, index) => `${sha256}/${String(index).padStart(6, "0")}`;

/** @param {string} sha256 */
const rangeOf = (sha256) => IDBKeyRange.bound(`${sha256}/`, `${sha256}/~`);

/** @param {number} bytes */
const countPieces = (bytes) => Math.ceil(bytes / PIECE_BYTES);

/**
 * How many bytes of a file are here already; pieces are kept in their order.
 * @param {PackFile} file
 */
export async function countKept(file) {
  const pieces = await (await open()).count("chunks", rangeOf(file.sha256));
  return Math.min(pieces * PIECE_BYTES, file.bytes);
}

/**
 * Fetch what is missing of a file, and go on where the last try was cut off.
 * @param {PackFile} file
 * @param {(bytes: number) => void} onPiece - told after each piece how many bytes are here
 * @throws {FileChanged} when the server has another file by now
 */
export async function fetchFile(file, onPiece) {
  let have = await countKept(file);
  onPiece(have);
  while (have < file.bytes) {
    const until = Math.min(have + PIECE_BYTES, file.bytes);
    const bytes = await fetchPiece(file, have, until);
    const index = have / PIECE_BYTES;
    await durably(["chunks"], (writing) => writing.objectStore("chunks").put(bytes, keyOf(file.sha256, index)));
    have = until;
    onPiece(have);
  }
  await check(file);
}

/**
 * @param {PackFile} file
 * @param {number} since
 * @param {number} until
 */
async function fetchPiece(file, since, until) {
  const etag = `"${file.sha256}"`;
  /** @type {Response} */
  let answer;
  try {
    answer = await api(file.url, {
      headers: { Range: `bytes=${since}-${until - 1}`, "If-Range": etag },
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch (error) {
    // Not found or not satisfiable: this name is another file by now.
    if (error instanceof Refused && (error.status === 404 || error.status === 416)) throw new FileChanged(error.message);
    throw error;
  }
  if (answer.headers.get("ETag") !== etag) throw new FileChanged(file.name);
  const body = await answer.arrayBuffer();
  // A server in between may heed no Range and give the whole.
  const bytes = answer.status === 206 ? body : body.slice(since, until);
  if (bytes.byteLength !== until - since) throw new FileChanged(file.name);
  return bytes;
}

/**
 * Hold the pieces together against the hash; a damaged file is forgotten at once.
 * @param {PackFile} file
 */
async function check(file) {
  if (!globalThis.crypto?.subtle) return;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await readFile(file)));
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found === file.sha256) return;
  await forget(file.sha256);
  throw new FileChanged(file.name);
}

/**
 * The whole file in one piece of memory.
 * @param {PackFile} file
 * @returns {Promise<ArrayBuffer>}
 * @throws {Error} when it is not here whole
 */
export async function readFile(file) {
  const pieces = await (await open()).getAll("chunks", rangeOf(file.sha256));
  if (pieces.length !== countPieces(file.bytes)) throw new Error(`${file.name} is not here whole`);
  const whole = new Uint8Array(file.bytes);
  let at = 0;
  for (const piece of pieces) {
    whole.set(new Uint8Array(piece), at);
    at += piece.byteLength;
  }
  return whole.buffer;
}

/** @param {string} sha256 */
export const forget = (sha256) => durably(["chunks"], (writing) => writing.objectStore("chunks").delete(rangeOf(sha256)));

/**
 * Forget the pieces of all other files.
 * @param {string[]} kept - their hashes
 */
export async function forgetOthers(kept) {
  const keys = await (await open()).getAllKeys("chunks");
  const others = new Set(keys.map((key) => String(key).split("/")[0]).filter((sha256) => !kept.includes(sha256)));
  for (const sha256 of others) await forget(sha256);
}

/**
 * A file for the library of PMTiles, read from its pieces.
 * @param {PackFile} file
 */
export function sourceOf(file) {
  /** @type {Map<number, Promise<ArrayBuffer>>} */
  const known = new Map();
  const piece = (/** @type {number} */ index) => {
    const found = known.get(index) ?? read(index);
    known.delete(index);
    known.set(index, found);
    if (known.size > PIECES_IN_MEMORY) known.delete(/** @type {number} */ (known.keys().next().value));
    return found;
  };
  const read = async (/** @type {number} */ index) => {
    const bytes = await (await open()).get("chunks", keyOf(file.sha256, index));
    if (!bytes) throw new Error(`${file.name} is not here whole`);
    return bytes;
  };
  return {
    getKey: () => `pack-${file.sha256}`,
    /**
     * @param {number} offset
     * @param {number} length
     */
    getBytes: async (offset, length) => {
      const until = Math.min(offset + length, file.bytes);
      const first = Math.floor(offset / PIECE_BYTES);
      const last = Math.floor((until - 1) / PIECE_BYTES);
      if (first === last) {
        const bytes = await piece(first);
        return { data: bytes.slice(offset - first * PIECE_BYTES, until - first * PIECE_BYTES) };
      }
      const data = new Uint8Array(until - offset);
      for (let index = first; index <= last; index += 1) {
        const start = index * PIECE_BYTES;
        const bytes = new Uint8Array(await piece(index));
        const part = bytes.subarray(Math.max(0, offset - start), Math.min(bytes.length, until - start));
        data.set(part, Math.max(0, start - offset));
      }
      return { data: data.buffer };
    },
  };
}
