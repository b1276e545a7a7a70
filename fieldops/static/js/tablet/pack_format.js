/** Reads a pack as docs/pack-format.md describes it. Pure: it runs in node as it does in a browser. */

/** @typedef {Uint8Array | Int8Array | Int32Array | Uint32Array | Float32Array | Float64Array} Column */
/** @typedef {{about: Record<string, any>, texts: Set<string>, columns: Record<string, Column>}} Pack */

const MAGIC = "FOPACK1\n";
const HEAD_AT = 16;

/** @type {Record<string, {new (buffer: ArrayBufferLike, at: number, count: number): Column, BYTES_PER_ELEMENT: number}>} */
const TYPES = { u8: Uint8Array, i8: Int8Array, i32: Int32Array, u32: Uint32Array, f32: Float32Array, f64: Float64Array };

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/**
 * Look at the bytes of a pack; nothing is copied.
 * @param {ArrayBufferLike} buffer - the whole file
 * @returns {Pack}
 */
export function parsePack(buffer) {
  const size = buffer.byteLength;
  const magic = size < HEAD_AT ? "" : decoder.decode(new Uint8Array(buffer, 0, MAGIC.length));
  if (magic !== MAGIC) throw new RangeError("these bytes do not begin as a pack does");
  const lengths = new DataView(buffer, MAGIC.length);
  const [head, body] = [lengths.getUint32(0, true), lengths.getUint32(4, true)];
  const start = HEAD_AT + head;
  if (size !== start + body) throw new RangeError(`the pack has ${size} bytes, expected ${start + body}`);
  const header = JSON.parse(decoder.decode(new Uint8Array(buffer, HEAD_AT, head)));
  /** @type {Record<string, Column>} */
  const columns = {};
  for (const [name, { type, at, count }] of Object.entries(header.arrays)) {
    columns[name] = new TYPES[type](buffer, start + at, count);
  }
  return { about: header.about, texts: new Set(header.texts), columns };
}

/**
 * @param {Pack} pack
 * @param {string} name - a column of texts
 */
export function countTexts(pack, name) {
  return pack.columns[`${name}_order`]?.length ?? 0;
}

/**
 * The text in a row of a column.
 * @param {Pack} pack
 * @param {string} name
 * @param {number} row
 */
export function textAt(pack, name, row) {
  const start = pack.columns[`${name}_start`];
  return decoder.decode(/** @type {Uint8Array} */ (pack.columns[name]).subarray(start[row], start[row + 1]));
}

/**
 * The row of a text in a column; -1 if it is not there.
 * @param {Pack} pack
 * @param {string} name
 * @param {string} text
 */
export function rowOf(pack, name, text) {
  return rowsOf(pack, name, text)[0] ?? -1;
}

/**
 * All rows of a text in a column: things of several kinds may have the same.
 * @param {Pack} pack
 * @param {string} name
 * @param {string} text
 * @returns {number[]}
 */
export function rowsOf(pack, name, text) {
  const order = pack.columns[`${name}_order`] ?? [];
  const bytes = /** @type {Uint8Array} */ (pack.columns[name]);
  const start = pack.columns[`${name}_start`];
  const wanted = encoder.encode(text);
  const signOf = (/** @type {number} */ at) => compare(bytes, start[order[at]], start[order[at] + 1], wanted);
  let first = 0;
  let high = order.length;
  while (first < high) {
    const middle = (first + high) >> 1;
    if (signOf(middle) < 0) first = middle + 1;
    else high = middle;
  }
  let last = first;
  while (last < order.length && signOf(last) === 0) last += 1;
  return Array.from(order.slice(first, last));
}

/**
 * Compare a run of bytes with others: below 0 if the run comes first.
 * @param {Uint8Array} bytes
 * @param {number} since
 * @param {number} until
 * @param {Uint8Array} wanted
 */
function compare(bytes, since, until, wanted) {
  const shared = Math.min(until - since, wanted.length);
  for (let at = 0; at < shared; at++) {
    const difference = bytes[since + at] - wanted[at];
    if (difference) return difference;
  }
  return until - since - wanted.length;
}

/**
 * The part of a pipe that holds a place; a place at a valve belongs to the part nearer the start.
 * @param {Pack} pack
 * @param {number} pipe - its row
 * @param {number} atM
 */
export function partAt(pack, pipe, atM) {
  const { pipe_first_part: first, part_end_m: end } = pack.columns;
  const last = first[pipe + 1] - 1;
  let part = first[pipe];
  while (part < last && end[part] < atM - SAME_PLACE_M) part++;
  return part;
}

const SAME_PLACE_M = 1e-3;
