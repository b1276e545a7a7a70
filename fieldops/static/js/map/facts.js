/** Facts of valves, which change every day, over tiles that do not. */
import { ask, Problem } from "./api.js";
import { page } from "./page_data.js";
import { NETWORK } from "./style.js";

/** @typedef {import("../../vendor/maplibre-gl.mjs").Map} Map */
/** @typedef {{kind: string, key: number, position: string, operability: string, reachable: boolean}} Facts */

const EVERY_MS = 15_000;

/**
 * @param {Map} map
 * @param {Facts} facts
 */
function show(map, { kind, key, position, operability, reachable }) {
  const sourceLayer = kind === "control_valve" ? "control_valves" : "valves";
  const stuck = position !== "closed" && (operability === "inoperable" || !reachable);
  map.setFeatureState({ source: NETWORK, sourceLayer, id: key }, { position, stuck });
}

/**
 * Keep the valves as recorded. `moved` hears of every newer revision, `lost` of every failure.
 * @param {Map} map
 * @param {{moved: (state: {revision: number, geometry_revision: number}) => void, lost: (problem: Problem) => void}} listener
 * @returns {() => Promise<void>} asks at once
 */
export function followFacts(map, { moved, lost }) {
  let since = 0;
  let asking = false;
  async function look() {
    if (asking) return;
    asking = true;
    try {
      const state = await ask(`/api/v1/valves/facts?since=${since}`);
      for (const facts of state.valves) show(map, facts);
      since = state.revision;
      moved(state);
    } catch (error) {
      if (error instanceof Problem) lost(error);
      else throw error;
    } finally {
      asking = false;
    }
  }
  setInterval(() => { if (document.visibilityState === "visible") look(); }, EVERY_MS);
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") look(); });
  addEventListener("online", look);
  look();
  return look;
}

/** @param {{geometry_revision: number}} state */
export const isRedrawn = (state) => state.geometry_revision > page.geometry_revision;
