/** What somebody means who clicks near something. */
import { PLAN } from "./style.js";

/** @typedef {import("../../vendor/maplibre-gl.mjs").Map} Map */
/** @typedef {import("../../vendor/maplibre-gl.mjs").MapGeoJSONFeature} Feature */
/** @typedef {{kind: "pipe" | "valve", id: string, key: number, lon: number, lat: number}} Picked */

const REACH_FINE_PX = 6;
const REACH_FINGER_PX = 16;
const WIDEST_PIPE_PX = 8;
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
 * How far from its middle a valve is drawn, as the style has it, and a little more for a hand.
 * @param {Map} map
 * @param {number} reach
 */
const reachOfValve = (map, reach) => Math.max(2, Math.min(8, 1.8 + (map.getZoom() - 14) * 1.1)) + reach / 3;

/**
 * The valve under the point, else the nearest pipe within reach.
 * @param {Map} map
 * @param {{x: number, y: number}} point
 * @param {number} [reach]
 * @returns {Picked | null}
 */
export function pick(map, point, reach = matchMedia("(pointer: coarse)").matches ? REACH_FINGER_PX : REACH_FINE_PX) {
  const { lng: lon, lat } = map.unproject([point.x, point.y]);
  const tell = (/** @type {"valve" | "pipe"} */ kind, /** @type {Feature} */ feature) =>
    ({ kind, id: String(feature.properties.id), key: Number(feature.id ?? -1), lon, lat });
  const [sign] = map.queryRenderedFeatures([point.x, point.y], { layers: [PLAN] })
    .filter((feature) => feature.properties.kind === "valve");
  if (sign) return tell("valve", sign);
  const [valve] = nearest(map, point, reachOfValve(map, reach), ["valves"]);
  if (valve) return tell("valve", valve);
  const [pipe] = nearest(map, point, reach, PIPE_LAYERS);
  return pipe ? tell("pipe", pipe) : null;
}

/**
 * @param {Map} map
 * @param {{x: number, y: number}} point
 * @param {number} reach
 * @param {string[]} layers
 */
function nearest(map, point, reach, layers) {
  /** @type {[[number, number], [number, number]]} */
  const box = [[point.x - reach, point.y - reach], [point.x + reach, point.y + reach]];
  return map.queryRenderedFeatures(box, { layers })
    .map((feature) => ({ feature, away: distance(map, feature.geometry, point) }))
    .filter(({ feature, away }) => away <= (feature.geometry.type === "Point" ? reach : reach + WIDEST_PIPE_PX))
    .sort((one, other) => one.away - other.away)
    .map(({ feature }) => feature);
}
