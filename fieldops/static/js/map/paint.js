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
  paintAll(map, [keys]);
}

/**
 * What is left of a list without those that have water again.
 * @param {number[] | null} ids
 * @param {number[] | undefined} restored
 */
function still(ids, restored) {
  if (!ids || !restored?.length) return ids;
  const back = new Set(restored);
  return ids.filter((id) => !back.has(id));
}

/**
 * Several answers at once: who has no water by any of them has none.
 * @param {Map} map
 * @param {(Keys & {parts_restored?: number[], customers_restored?: number[]})[]} answers
 * @param {number | null} chosen - a part asked about whose answer is on the way
 */
export function paintAll(map, answers, chosen = null) {
  clearAnswer(map);
  for (const keys of answers) {
    mark(map, "pipes", keys.parts_restored ?? null, { loss: "restored" });
    mark(map, "customers", keys.customers_restored ?? null, { loss: "restored" });
  }
  for (const keys of answers) {
    mark(map, "pipes", still(keys.parts_cut_off, keys.parts_restored), { loss: "cut_off" });
    mark(map, "customers", still(keys.customers_cut_off, keys.customers_restored), { loss: "cut_off" });
  }
  for (const keys of answers) {
    mark(map, "pipes", still(keys.parts_shut, keys.parts_restored), { loss: "shut" });
    mark(map, "customers", still(keys.customers_shut, keys.customers_restored), { loss: "shut" });
    mark(map, "hydrants", keys.hydrants_dry, { dry: true });
  }
  if (chosen !== null) mark(map, "pipes", [chosen], { chosen: true });
}

/**
 * Show which pipe is asked about while its answer is on the way.
 * @param {Map} map
 * @param {number | null} part
 */
export function paintChosen(map, part) {
  paintAll(map, [], part);
}
