/** What a sent file looks like on the map: its own network, the stored one pale below, findings on top. */
import { ALWAYS, HALO, makeStyleOf, ROUND, width, words } from "../map/style.js";
import { tokens } from "../map/tokens.js";

/** @typedef {import("../../vendor/maplibre-gl.mjs").LayerSpecification} Layer */
/** @typedef {import("geojson").FeatureCollection} Collection */

export const SEVERITIES = /** @type {const} */ (["guessed", "wrong", "error"]);
/** The layer that a click looks for. @param {string} severity */
export const layerOf = (severity) => `findings-${severity}`;
export const CHOSEN = "finding-chosen";
/** The finding of no number: nothing is chosen. */
export const NOTHING = -1;

/**
 * @param {string} id
 * @param {string} source
 * @param {string} kind
 * @param {object} rest
 * @returns {Layer}
 */
const layer = (id, source, kind, rest) =>
  /** @type {Layer} */ (/** @type {unknown} */ ({ id, source, filter: ["==", ["get", "kind"], kind], ...rest }));

/** @param {number} least */
const grow = (least) => ["interpolate", ["linear"], ["zoom"], 11, least, 17, 1];

/** @returns {Layer[]} */
function fileLayers() {
  const closed = ["==", ["get", "status"], "closed"];
  return [
    layer("pipes", "file", "pipe", { type: "line", layout: ROUND, filter: ["all", ["==", ["get", "kind"], "pipe"], ["!", closed]],
      paint: { "line-color": tokens.supplied, "line-width": width(0) } }),
    layer("pipes-closed", "file", "pipe", { type: "line", filter: ["all", ["==", ["get", "kind"], "pipe"], closed],
      paint: { "line-color": tokens.supplied, "line-width": width(0), "line-dasharray": [0.6, 1.4] } }),
    layer("links", "file", "pump", { type: "line", paint: { "line-color": tokens.supplied, "line-width": 3 } }),
    layer("control-valves", "file", "control_valve", { type: "line", paint: { "line-color": tokens.text, "line-width": 3 } }),
    layer("valve-links", "file", "valve", { type: "line", paint: { "line-color": tokens.supplied, "line-width": width(0) } }),
    layer("customers", "file", "customer", { type: "circle", minzoom: 15, paint: {
      "circle-radius": ["interpolate", ["linear"], ["zoom"], 15, 1.4, 18, 4], "circle-color": "#B9C3C9",
      "circle-stroke-width": 0.5, "circle-stroke-color": tokens.sheet,
    } }),
    layer("hydrants", "file", "hydrant", { type: "symbol", minzoom: 15.5, layout: { "icon-image": "hydrant", ...ALWAYS } }),
    layer("valves", "file", "valve", { type: "circle", minzoom: 14,
      filter: ["all", ["==", ["get", "kind"], "valve"], ["==", ["geometry-type"], "Point"]], paint: {
        "circle-radius": ["interpolate", ["linear"], ["zoom"], 14, 1.8, 16, 4, 19, 8],
        "circle-color": ["case", ["==", ["get", "position"], "closed"], tokens.valve, tokens.disc],
        "circle-stroke-color": tokens.valve,
        "circle-stroke-width": ["interpolate", ["linear"], ["zoom"], 14, 0.8, 16, 1.4],
      } }),
    layer("pumps", "file", "pump", { type: "symbol", minzoom: 13, layout: { "icon-image": "pump", "symbol-placement": "line-center", ...ALWAYS } }),
    layer("sources", "file", "source", { type: "symbol", layout: { "icon-image": "source", ...ALWAYS,
      ...words(["coalesce", ["get", "name"], ["get", "id"]], { "text-anchor": "left", "text-offset": [1.2, 0], "text-optional": true }) },
      paint: { ...HALO, "text-color": tokens.water } }),
    layer("pipe-names", "file", "pipe", { type: "symbol", minzoom: 17,
      layout: { "symbol-placement": "line", "symbol-spacing": 300, ...words(["get", "id"], { "text-size": 11, "text-offset": [0, 0.9] }) },
      paint: { ...HALO, "text-color": tokens.text } }),
  ];
}

/** @returns {Layer[]} */
function findingLayers() {
  const of = (/** @type {string} */ severity) => ["==", ["get", "severity"], severity];
  const sign = (/** @type {string} */ severity) => /** @type {Layer} */ (/** @type {unknown} */ ({
    id: layerOf(severity), type: "symbol", source: "findings", filter: of(severity),
    layout: { "icon-image": severity, "icon-size": grow(0.45), ...ALWAYS },
  }));
  return [
    /** @type {Layer} */ (/** @type {unknown} */ ({
      id: layerOf("guessed"), type: "circle", source: "findings", filter: of("guessed"), paint: {
        "circle-radius": ["interpolate", ["linear"], ["zoom"], 11, 2, 17, 6], "circle-color": tokens.sheet,
        "circle-stroke-color": tokens.water, "circle-stroke-width": ["interpolate", ["linear"], ["zoom"], 11, 1, 17, 2.5],
      },
    })),
    sign("wrong"),
    sign("error"),
    /** @type {Layer} */ (/** @type {unknown} */ ({
      id: CHOSEN, type: "circle", source: "findings", filter: ["==", ["get", "number"], NOTHING], paint: {
        "circle-radius": 18, "circle-opacity": 0, "circle-stroke-color": tokens.water, "circle-stroke-width": 4,
      },
    })),
  ];
}

/**
 * @param {Collection} file
 * @param {Collection} stored
 * @param {Collection} findings
 * @param {boolean} isStoredPale
 */
export function makePreviewStyle(file, stored, findings, isStoredPale) {
  /** @type {Layer} */
  const below = { id: "stored", type: "line", source: "stored", layout: /** @type {any} */ (ROUND),
    paint: { "line-color": isStoredPale ? tokens.line : tokens.supplied, "line-width": width(0) } };
  return makeStyleOf({
    stored: { type: "geojson", data: stored },
    file: { type: "geojson", data: file },
    findings: { type: "geojson", data: findings },
  }, [below, ...fileLayers(), ...findingLayers()]);
}
