/** Recolouring what the tiles hold, by feature state: no shapes travel with an answer. */
import { NETWORK } from "./style.js";

/** @typedef {import("../../vendor/maplibre-gl.mjs").Map} Map */
/** @typedef {import("./outage.js").Keys} Keys */

const PAINTED = ["pipes", "customers", "hydrants"];

/**
 * @param {Map} map
 * @param {string} sourceLayer
 * @param {number[] | null} ids
 * @param {object} state
 */
function mark(map, sourceLayer, ids, state) {
  for (const id of ids ?? []) map.setFeatureState({ source: NETWORK, sourceLayer, id }, state);
}

/** @param {Map} map */
export function clearAnswer(map) {
  for (const sourceLayer of PAINTED) map.removeFeatureState({ source: NETWORK, sourceLayer });
}

/**
 * @param {Map} map
 * @param {Keys} keys
 */
export function paintAnswer(map, keys) {
  clearAnswer(map);
  mark(map, "pipes", keys.parts_cut_off, { loss: "cut_off" });
  mark(map, "pipes", keys.parts_shut, { loss: "shut" });
  mark(map, "customers", keys.customers_cut_off, { loss: "cut_off" });
  mark(map, "customers", keys.customers_shut, { loss: "shut" });
  mark(map, "hydrants", keys.hydrants_dry, { dry: true });
}

/**
 * Show which pipe is asked about while its answer is on the way.
 * @param {Map} map
 * @param {number | null} part
 */
export function paintChosen(map, part) {
  clearAnswer(map);
  if (part !== null) mark(map, "pipes", [part], { chosen: true });
}
