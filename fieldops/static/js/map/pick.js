/** What somebody means who clicks near something. */
import { NETWORK } from "./style.js";

/** @typedef {import("../../vendor/maplibre-gl.mjs").Map} Map */
/** @typedef {{kind: "pipe" | "valve", id: string, key: number, lon: number, lat: number}} Picked */

const REACH_FINE_PX = 6;
const REACH_FINGER_PX = 16;
const VALVE_LAYERS = ["plan", "valves", "valve-links"];
const PIPE_LAYERS = ["pipes", "pipes-closed", "pipes-cut-off", "pipes-shut"];

/**
 * Distance in pixels from a point to a line between two points.
 * @param {{x: number, y: number}} point
 * @param {{x: number, y: number}} from
 * @param {{x: number, y: number}} to
 */
export function distanceToLine(point, from, to) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const squared = dx * dx + dy * dy;
  const along = squared ? ((point.x - from.x) * dx + (point.y - from.y) * dy) / squared : 0;
  const share = Math.max(0, Math.min(1, along));
  return Math.hypot(point.x - from.x - share * dx, point.y - from.y - share * dy);
}

/**
 * @param {Map} map
 * @param {GeoJSON.Geometry} geometry
 * @param {{x: number, y: number}} point
 */
function distance(map, geometry, point) {
  const lines = geometry.type === "MultiLineString" ? geometry.coordinates
    : geometry.type === "LineString" ? [geometry.coordinates]
      : geometry.type === "Point" ? [[geometry.coordinates]] : [];
  let nearest = Infinity;
  for (const line of lines) {
    const pixels = line.map((place) => map.project([place[0], place[1]]));
    pixels.forEach((to, index) => {
      nearest = Math.min(nearest, distanceToLine(point, pixels[Math.max(0, index - 1)], to));
    });
  }
  return nearest;
}

/**
 * The nearest valve within reach, else the nearest pipe.
 * @param {Map} map
 * @param {{x: number, y: number}} point
 * @param {number} [reach]
 * @returns {Picked | null}
 */
export function pick(map, point, reach = matchMedia("(pointer: coarse)").matches ? REACH_FINGER_PX : REACH_FINE_PX) {
  /** @type {[[number, number], [number, number]]} */
  const box = [[point.x - reach, point.y - reach], [point.x + reach, point.y + reach]];
  const { lng: lon, lat } = map.unproject([point.x, point.y]);
  for (const [kind, layers] of /** @type {["valve" | "pipe", string[]][]} */ ([["valve", VALVE_LAYERS], ["pipe", PIPE_LAYERS]])) {
    const [best] = map.queryRenderedFeatures(box, { layers })
      .filter((feature) => feature.source === NETWORK || feature.properties.kind === kind)
      .map((feature) => ({ feature, away: distance(map, feature.geometry, point) }))
      .sort((one, other) => one.away - other.away);
    if (best) return { kind, id: String(best.feature.properties.id), key: Number(best.feature.id ?? -1), lon, lat };
  }
  return null;
}
