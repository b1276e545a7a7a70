/** The plan's valves, pumps and sources as numbered signs, at every zoom. */
import { PLAN } from "./style.js";

/** @typedef {import("../../vendor/maplibre-gl.mjs").Map} Map */
/** @typedef {import("../../vendor/maplibre-gl.mjs").GeoJSONSource} GeoJSONSource */
/** @typedef {import("./outage.js").Answer} Answer */
/** @typedef {import("./places.js").Place} Place */
/** @typedef {[kind: string, id: string, image: string, order: number]} Sign */

/**
 * Every sign of a plan; a later order lies above.
 * @param {Answer} answer
 * @param {Iterable<string>} failed - valves supposed not to close
 * @returns {Sign[]}
 */
export function listSigns(answer, failed) {
  const numbered = [...answer.keys.valves_to_close].reverse();
  return [
    ...answer.valves_optional.map((id) => /** @type {Sign} */ (["valve", id, "optional", 1])),
    ...answer.valves_verify_shut.map((id) => /** @type {Sign} */ (["valve", id, "verify", 2])),
    ...answer.sources_shut.map((id) => /** @type {Sign} */ (["source", id, "source-shut", 3])),
    ...answer.pumps_to_stop.map((id) => /** @type {Sign} */ (["pump", id, "stop", 4])),
    ...[...failed].map((id) => /** @type {Sign} */ (["valve", id, "stuck", 5])),
    ...numbered.map(({ id, number }) => /** @type {Sign} */ (["valve", id, `close:${number}`, 1000 - number])),
  ];
}

const CROWDED_M = 8;
const APART_PX = 15;
const METRES_A_DEGREE = 111_320;

/**
 * Signs at one crossing would cover each other: push each away from their middle, its own way.
 * @param {{lon: number, lat: number}[]} places
 * @returns {[number, number][]} pixels to the right and down
 */
export function spread(places) {
  const flat = Math.cos(((places[0]?.lat ?? 0) * Math.PI) / 180);
  const at = places.map(({ lon, lat }) => [lon * METRES_A_DEGREE * flat, -lat * METRES_A_DEGREE]);
  return at.map(([x, y], index) => {
    const near = at.filter(([nearX, nearY]) => Math.hypot(nearX - x, nearY - y) < CROWDED_M);
    if (near.length < 2) return [0, 0];
    const dx = x - near.reduce((sum, [nearX]) => sum + nearX, 0) / near.length;
    const dy = y - near.reduce((sum, [, nearY]) => sum + nearY, 0) / near.length;
    const away = Math.hypot(dx, dy);
    const angle = away > 0.01 ? Math.atan2(dy, dx) : index * 2.4;
    return [APART_PX * Math.cos(angle), APART_PX * Math.sin(angle)];
  });
}

/**
 * @param {Map} map
 * @param {Sign[]} signs
 * @param {globalThis.Map<string, Place>} places
 * @param {{lon: number, lat: number} | null} burst
 */
export function showSigns(map, signs, places, burst) {
  const known = signs.filter(([kind, id]) => places.has(`${kind} ${id}`));
  const at = known.map(([kind, id]) => /** @type {Place} */ (places.get(`${kind} ${id}`)));
  const offsets = spread(at);
  const features = known.map(([kind, id, image, order], index) =>
    point(at[index], { kind, id, image, order, offset: offsets[index] }));
  if (burst) features.push(point(burst, { kind: "burst", id: "", image: "burst", order: 0, offset: [0, 0] }));
  const source = /** @type {GeoJSONSource} */ (map.getSource(PLAN));
  source.setData({ type: "FeatureCollection", features });
}

/** @param {Map} map */
export function clearSigns(map) {
  showSigns(map, [], new globalThis.Map(), null);
}

/**
 * @param {{lon: number, lat: number}} place
 * @param {object} properties
 * @returns {GeoJSON.Feature}
 */
function point({ lon, lat }, properties) {
  return { type: "Feature", geometry: { type: "Point", coordinates: [lon, lat] }, properties };
}
