/** When and where a camera says that it took a JPEG; nothing where it says nothing sensible. */

/** @typedef {{taken_at: string | null, lon: number | null, lat: number | null}} Claims */

const TAKEN_AT = 0x9003;
const TAKEN_IN_ZONE = 0x9011;
const FACTS = 0x8769;
const PLACE = 0x8825;
const SIZES = /** @type {Record<number, number>} */ ({ 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1 });
/** What a camera means that names no zone. */
const CAMERAS_ZONE = "+08:00";

/**
 * @param {ArrayBuffer} file
 * @returns {Claims}
 */
export function readClaims(file) {
  /** @type {Claims} */
  const claims = { taken_at: null, lon: null, lat: null };
  try {
    const tiff = findTiff(new DataView(file));
    if (!tiff) return claims;
    const root = readTags(tiff, uint32(tiff, 4));
    const facts = root.has(FACTS) ? readTags(tiff, Number(root.get(FACTS))) : new Map();
    claims.taken_at = readTime(facts.get(TAKEN_AT), facts.get(TAKEN_IN_ZONE));
    const place = root.has(PLACE) ? readTags(tiff, Number(root.get(PLACE))) : new Map();
    const lat = degrees(place.get(2), place.get(1), "S");
    const lon = degrees(place.get(4), place.get(3), "W");
    if (lat !== null && lon !== null && Math.abs(lat) <= 90 && Math.abs(lon) <= 180 && (lat || lon)) Object.assign(claims, { lon, lat });
  } catch {
    // Cameras write all sorts of things here, and a photo is worth more than its tags.
  }
  return claims;
}

/** @typedef {DataView & {isLittle?: boolean}} Tiff */

/**
 * @param {DataView} view
 * @returns {Tiff | null}
 */
function findTiff(view) {
  if (view.getUint16(0) !== 0xffd8) return null;
  for (let at = 2; at + 10 < view.byteLength; ) {
    const marker = view.getUint16(at);
    const length = view.getUint16(at + 2);
    if (marker === 0xffe1 && view.getUint32(at + 4) === 0x45786966) {
      /** @type {Tiff} */
      const tiff = new DataView(view.buffer, view.byteOffset + at + 10, length - 8);
      tiff.isLittle = tiff.getUint16(0) === 0x4949;
      return tiff;
    }
    if (marker >> 8 !== 0xff || marker === 0xffda) return null;
    at += 2 + length;
  }
  return null;
}

/** @param {Tiff} tiff @param {number} at */
const uint16 = (tiff, at) => tiff.getUint16(at, tiff.isLittle);
/** @param {Tiff} tiff @param {number} at */
const uint32 = (tiff, at) => tiff.getUint32(at, tiff.isLittle);

/**
 * @param {Tiff} tiff
 * @param {number} start
 * @returns {Map<number, string | number | number[]>}
 */
function readTags(tiff, start) {
  const tags = new Map();
  const count = uint16(tiff, start);
  for (let index = 0; index < count; index += 1) {
    const at = start + 2 + index * 12;
    const kind = uint16(tiff, at + 2);
    const many = uint32(tiff, at + 4);
    const bytes = (SIZES[kind] ?? 0) * many;
    if (!bytes || bytes > 4096) continue;
    const from = bytes > 4 ? uint32(tiff, at + 8) : at + 8;
    tags.set(uint16(tiff, at), readValue(tiff, kind, many, from));
  }
  return tags;
}

/**
 * @param {Tiff} tiff
 * @param {number} kind
 * @param {number} many
 * @param {number} from
 * @returns {string | number | number[]}
 */
function readValue(tiff, kind, many, from) {
  if (kind === 2) return Array.from({ length: many }, (_, index) => String.fromCharCode(tiff.getUint8(from + index))).join("").replace(/\0.*$/s, "");
  if (kind === 5) return Array.from({ length: many }, (_, index) => uint32(tiff, from + index * 8) / uint32(tiff, from + index * 8 + 4));
  return kind === 3 ? uint16(tiff, from) : kind === 4 ? uint32(tiff, from) : tiff.getUint8(from);
}

/**
 * @param {unknown} moment - "2026:07:14 09:30:00"
 * @param {unknown} zone
 */
function readTime(moment, zone) {
  const found = /^(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)/.exec(String(moment ?? ""));
  if (!found) return null;
  const known = /^[+-]\d\d:\d\d$/.test(String(zone ?? "")) ? zone : CAMERAS_ZONE;
  const at = new Date(`${found[1]}-${found[2]}-${found[3]}T${found[4]}${known}`);
  return Number.isNaN(at.getTime()) ? null : at.toISOString();
}

/**
 * @param {unknown} parts
 * @param {unknown} side
 * @param {string} negative
 */
function degrees(parts, side, negative) {
  if (!Array.isArray(parts) || parts.length !== 3) return null;
  const found = parts[0] + parts[1] / 60 + parts[2] / 3600;
  if (!Number.isFinite(found)) return null;
  return String(side).toUpperCase() === negative ? -found : found;
}
