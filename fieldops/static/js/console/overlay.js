/** Crews and incidents on the map: they move and change, so they lie in sources of their own. */
import { isCalm } from "../map/map_view.js";
import { ALWAYS, HALO, words } from "../map/style.js";
import { tokens } from "../map/tokens.js";
import { groupBoard } from "./queue.js";
import { SIGNS } from "./severity.js";

/** @typedef {import("../../vendor/maplibre-gl.mjs").Map} Map */
/** @typedef {import("../../vendor/maplibre-gl.mjs").GeoJSONSource} GeoJSONSource */
/** @typedef {import("../map/style.js").Layer} Layer */
/** @typedef {import("../map/style.js").Style} Style */
/** @typedef {import("./board.js").Board} Board */
/** @typedef {import("./board.js").Crew} Crew */

const CREWS = "crews";
const JOBS = "jobs";
const GLIDE_MS = 900;
const NOTHING = /** @type {GeoJSON.FeatureCollection} */ ({ type: "FeatureCollection", features: [] });

/** @type {Style["sources"]} */
export const OVERLAY_SOURCES = {
  [CREWS]: { type: "geojson", data: NOTHING },
  [JOBS]: { type: "geojson", data: NOTHING },
};

/** @type {Layer[]} */
export const OVERLAY_LAYERS = /** @type {any} */ ([
  { id: "job-chosen", type: "circle", source: JOBS, filter: ["==", ["get", "chosen"], true], paint: {
    "circle-radius": 19, "circle-color": tokens.water, "circle-opacity": 0.2, "circle-stroke-color": tokens.water, "circle-stroke-width": 2 } },
  { id: JOBS, type: "symbol", source: JOBS, layout: { "icon-image": ["get", "image"], "symbol-sort-key": ["get", "order"], ...ALWAYS } },
  { id: CREWS, type: "symbol", source: CREWS, layout: { "icon-image": ["get", "image"], ...ALWAYS,
    ...words(["get", "label"], { "text-size": 11, "text-anchor": "top", "text-offset": [0, 1.1], "text-optional": true }) },
    paint: { ...HALO, "text-color": tokens.text } },
]);

/**
 * @param {Map} map
 */
export function makeOverlay(map) {
  /** @type {globalThis.Map<string, {lon: number, lat: number}>} */
  let seen = new globalThis.Map();
  let frame = 0;

  /** @param {Board} board @param {string | null} chosen - an incident or order */
  function show(board, chosen) {
    source(map, JOBS).setData(jobs(board, chosen));
    glide(board);
  }

  /** Move each crew from where it was last seen. @param {Board} board */
  function glide(board) {
    cancelAnimationFrame(frame);
    const busy = new Set(board.orders.map(({ crew }) => crew));
    const placed = board.crews.filter((crew) => crew.lon !== null && crew.lat !== null);
    const from = new globalThis.Map(seen);
    const moves = !isCalm() && placed.some((crew) => { const old = from.get(crew.id); return old && (old.lon !== crew.lon || old.lat !== crew.lat); });
    const begun = performance.now();
    const step = () => {
      const share = moves ? Math.min(1, (performance.now() - begun) / GLIDE_MS) : 1;
      source(map, CREWS).setData({ type: "FeatureCollection", features: placed.map((crew) => {
        const to = { lon: Number(crew.lon), lat: Number(crew.lat) };
        const old = from.get(crew.id) ?? to;
        const at = { lon: old.lon + (to.lon - old.lon) * share, lat: old.lat + (to.lat - old.lat) * share };
        seen.set(crew.id, at);
        return point(at, { id: crew.id, label: crew.name, image: crew.is_position_stale ? "crew-stale" : busy.has(crew.id) ? "crew-busy" : "crew" });
      }) });
      if (share < 1) frame = requestAnimationFrame(step);
    };
    step();
  }
  return { show };
}

/**
 * @param {Board} board
 * @param {string | null} chosen
 * @returns {GeoJSON.FeatureCollection}
 */
function jobs(board, chosen) {
  const groups = groupBoard(board);
  return { type: "FeatureCollection", features: groups.flatMap(({ incident, orders, severity }, index) => {
    const thing = incident ?? orders[0];
    if (thing.lon === null || thing.lat === null) return [];
    const kind = incident ? "incident" : "order";
    const isChosen = thing.id === chosen || orders.some(({ id }) => id === chosen);
    return [point({ lon: thing.lon, lat: thing.lat }, { id: thing.id, kind, image: SIGNS[severity], order: groups.length - index, chosen: isChosen })];
  }) };
}

/**
 * @param {Map} map
 * @param {string} id
 */
const source = (map, id) => /** @type {GeoJSONSource} */ (map.getSource(id));

/**
 * @param {{lon: number, lat: number}} place
 * @param {object} properties
 * @returns {GeoJSON.Feature}
 */
function point({ lon, lat }, properties) {
  return { type: "Feature", geometry: { type: "Point", coordinates: [lon, lat] }, properties };
}

/**
 * The incident, work order or crew under a point.
 * @param {Map} map
 * @param {{x: number, y: number}} at
 * @returns {import("./hands.js").Thing | null}
 */
export function pickThing(map, { x, y }) {
  const [hit] = map.queryRenderedFeatures([x, y], { layers: [CREWS, JOBS] });
  if (!hit) return null;
  const id = String(hit.properties.id);
  return hit.source === CREWS ? { kind: "crew", id } : { kind: hit.properties.kind, id };
}
