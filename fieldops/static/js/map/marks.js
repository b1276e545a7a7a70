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

/**
 * @param {Map} map
 * @param {Sign[]} signs
 * @param {globalThis.Map<string, Place>} places
 * @param {{lon: number, lat: number} | null} burst
 */
export function showSigns(map, signs, places, burst) {
  const features = signs.flatMap(([kind, id, image, order]) => {
    const place = places.get(`${kind} ${id}`);
    return place ? [point(place, { kind, id, image, order })] : [];
  });
  if (burst) features.push(point(burst, { kind: "burst", id: "", image: "burst", order: 2000 }));
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
