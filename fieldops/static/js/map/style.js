/** What the map looks like: the network on blank paper, or on a basemap where one is set. */
import { page } from "./page_data.js";
import { tokens } from "./tokens.js";

/** @typedef {import("../../vendor/maplibre-gl.mjs").StyleSpecification} Style */
/** @typedef {import("../../vendor/maplibre-gl.mjs").LayerSpecification} Layer */
/** @typedef {import("../../vendor/maplibre-gl.mjs").ExpressionSpecification} Expression */

export const NETWORK = "network";
export const PLAN = "plan";
const DEEPEST_TILES = 16;

/**
 * Width by zoom, wider for wider pipes.
 * @param {number} more - pixels on top
 * @returns {Expression}
 */
export function width(more) {
  const diameter = ["min", 1, ["/", ["coalesce", ["get", "diameter_mm"], 100], 600]];
  const at = (/** @type {number} */ least, /** @type {number} */ span) => ["+", least + more, ["*", span, diameter]];
  return /** @type {any} */ (["interpolate", ["linear"], ["zoom"],
    9, at(0.4, 1.2), 13, at(0.8, 2), 16, at(1.8, 3.5), 19, at(4, 8)]);
}

/**
 * @param {string} state
 * @param {unknown} yes
 * @param {unknown} no
 * @returns {any}
 */
const ifLost = (state, yes, no) => ["case", ["==", ["feature-state", "loss"], state], yes, no];

/**
 * @param {string} fact
 * @returns {any}
 */
const ifFact = (fact) => ["case", ["boolean", ["feature-state", fact], false], 1, 0];

/**
 * @param {string} id
 * @param {string} sourceLayer
 * @param {object} rest
 * @returns {Layer}
 */
function layer(id, sourceLayer, rest) {
  return /** @type {Layer} */ ({ id, source: NETWORK, "source-layer": sourceLayer, ...rest });
}

export const ROUND = { "line-cap": "round", "line-join": "round" };
export const ALWAYS = { "icon-allow-overlap": true, "icon-ignore-placement": true };
export const HALO = { "text-halo-color": tokens.sheet, "text-halo-width": 1.5 };

/**
 * Words along or beside things.
 * @param {unknown} field
 * @param {object} rest
 */
export const words = (field, rest = {}) => ({ "text-field": field, "text-font": tokens.fonts, "text-size": 12, ...rest });

/** @returns {Layer[]} */
function networkLayers() {
  return [
    layer("roads", "roads", { type: "line", layout: ROUND, paint: {
      "line-color": page.basemaps.length ? "rgba(255,255,255,0.4)" : tokens.sheet,
      "line-width": ["interpolate", ["exponential", 1.6], ["zoom"], 13, 3, 16, 12, 19, 44],
    } }),
    layer("pipes-chosen", "pipes", { type: "line", layout: ROUND, paint: {
      "line-color": tokens.water, "line-width": width(9),
      "line-opacity": ["case", ["boolean", ["feature-state", "chosen"], false], 0.45, 0],
    } }),
    layer("pipes", "pipes", { type: "line", layout: ROUND, filter: ["!=", ["get", "status"], "closed"], paint: {
      "line-color": tokens.supplied, "line-width": width(0),
      "line-opacity": ["case", ["==", ["feature-state", "loss"], null], 1, 0],
    } }),
    layer("pipes-closed", "pipes", { type: "line", filter: ["==", ["get", "status"], "closed"], paint: {
      "line-color": tokens.supplied, "line-width": width(0), "line-dasharray": [0.6, 1.4],
    } }),
    layer("pipes-restored", "pipes", { type: "line", layout: ROUND, paint: {
      "line-color": tokens.restored, "line-width": width(2), "line-opacity": ifLost("restored", 1, 0),
    } }),
    layer("pipes-cut-off", "pipes", { type: "line", paint: {
      "line-color": tokens.cutOff, "line-width": width(2.5), "line-dasharray": [2.2, 1.2],
      "line-opacity": ifLost("cut_off", 1, 0),
    } }),
    layer("pipes-shut", "pipes", { type: "line", layout: ROUND, paint: {
      "line-color": tokens.shut, "line-width": width(4.5), "line-opacity": ifLost("shut", 1, 0),
    } }),
    layer("links", "pumps", { type: "line", paint: { "line-color": tokens.supplied, "line-width": 3 } }),
    layer("control-valves", "control_valves", { type: "line", paint: { "line-color": tokens.text, "line-width": 3 } }),
    layer("valve-links", "valve_links", { type: "line", paint: { "line-color": tokens.supplied, "line-width": width(0) } }),
    layer("nodes", "nodes", { type: "circle", minzoom: 17, paint: { "circle-radius": 2, "circle-color": tokens.supplied } }),
    layer("customers", "customers", { type: "circle", minzoom: 15, paint: {
      "circle-radius": ["interpolate", ["linear"], ["zoom"], 15, ifLost("shut", 3, ifLost("cut_off", 2.6, 1.4)), 18, ifLost("shut", 7, ifLost("cut_off", 6, 4))],
      "circle-color": ifLost("shut", tokens.shut, ifLost("cut_off", tokens.sheet, ifLost("restored", tokens.restored, "#B9C3C9"))),
      "circle-stroke-width": ifLost("cut_off", 2, 0.5),
      "circle-stroke-color": ifLost("cut_off", tokens.cutOff, tokens.sheet),
    } }),
    layer("critical-lost", "customers", { type: "circle", minzoom: 15, filter: ["has", "critical"], paint: {
      "circle-radius": 13, "circle-opacity": 0, "circle-stroke-width": ifLost("shut", 4, ifLost("cut_off", 3, 0)),
      "circle-stroke-color": ifLost("shut", tokens.shut, tokens.cutOff),
    } }),
    layer("critical", "customers", { type: "symbol", minzoom: 15, filter: ["has", "critical"],
      layout: { "icon-image": "critical", ...ALWAYS } }),
    layer("hydrants", "hydrants", { type: "symbol", minzoom: 15.5, layout: { "icon-image": "hydrant", ...ALWAYS },
      paint: { "icon-opacity": ["case", ["boolean", ["feature-state", "dry"], false], 0, 1] } }),
    layer("hydrants-dry", "hydrants", { type: "symbol", minzoom: 14, layout: { "icon-image": "hydrant-dry", ...ALWAYS },
      paint: { "icon-opacity": ifFact("dry") } }),
    layer("valves", "valves", { type: "circle", minzoom: 14, paint: {
      "circle-radius": ["interpolate", ["linear"], ["zoom"], 14, 1.8, 16, 4, 19, 8],
      "circle-color": ["case", ["==", ["feature-state", "position"], "closed"], tokens.valve, tokens.disc],
      "circle-stroke-color": tokens.valve,
      "circle-stroke-width": ["interpolate", ["linear"], ["zoom"], 14, 0.8, 16, 1.4],
    } }),
    layer("valves-unknown", "valves", { type: "symbol", minzoom: 15, layout: { "icon-image": "half", "icon-size": ["interpolate", ["linear"], ["zoom"], 15, 0.5, 19, 1.3], ...ALWAYS },
      paint: { "icon-opacity": ["case", ["==", ["feature-state", "position"], "unknown"], 1, 0] } }),
    layer("valves-stuck", "valves", { type: "symbol", minzoom: 15, layout: { "icon-image": "stuck", "icon-size": 0.7, ...ALWAYS },
      paint: { "icon-opacity": ifFact("stuck") } }),
    layer("pumps", "pumps", { type: "symbol", minzoom: 13, layout: { "icon-image": "pump", "symbol-placement": "line-center", ...ALWAYS } }),
    layer("sources", "sources", { type: "symbol", layout: { "icon-image": "source", ...ALWAYS,
      ...words(["coalesce", ["get", "name"], ["get", "id"]], { "text-anchor": "left", "text-offset": [1.2, 0], "text-optional": true }) },
      paint: { ...HALO, "text-color": tokens.water } }),
    layer("depots", "depots", { type: "symbol", minzoom: 12, layout: { "icon-image": "depot", ...ALWAYS,
      ...words(["coalesce", ["get", "name"], ["get", "id"]], { "text-anchor": "left", "text-offset": [1.1, 0], "text-optional": true }) },
      paint: { ...HALO, "text-color": tokens.quiet } }),
    layer("road-names", "roads", { type: "symbol", minzoom: 15,
      layout: { "symbol-placement": "line", "symbol-spacing": 400, ...words(["get", "name"]) },
      paint: { ...HALO, "text-color": tokens.quiet } }),
    layer("pipe-names", "pipes", { type: "symbol", minzoom: 17,
      layout: { "symbol-placement": "line", "symbol-spacing": 300, ...words(["concat", ["get", "id"], "  DN", ["to-string", ["get", "diameter_mm"]]], { "text-size": 11, "text-offset": [0, 0.9] }) },
      paint: { ...HALO, "text-color": tokens.text } }),
  ];
}

/** @returns {Layer[]} */
function planLayers() {
  return [/** @type {Layer} */ ({
    id: "plan", type: "symbol", source: PLAN,
    layout: { "icon-image": ["get", "image"], "symbol-sort-key": ["get", "order"], "icon-offset": ["get", "offset"],
      "icon-size": ["interpolate", ["linear"], ["zoom"], 13, 0.55, 16.5, 1], ...ALWAYS },
  })];
}

/** Fills and lines of a vector basemap, quiet enough to lie under a network. */
const BELOW = [
  ["earth", "fill", "#F4F6F7"], ["landcover", "fill", "#EDF1EE"], ["landuse", "fill", "#EDF0EE"], ["park", "fill", "#E6EFE6"],
  ["water", "fill", "#D6E4EC"], ["waterway", "line", "#C8DBE6"], ["buildings", "fill", "#E4E8EA"], ["building", "fill", "#E4E8EA"],
  ["roads", "line", "#FFFFFF"], ["transportation", "line", "#FFFFFF"], ["boundaries", "line", "#C5CDD2"], ["boundary", "line", "#C5CDD2"],
];

/** @returns {Layer[]} */
function basemapLayers() {
  return page.basemaps.flatMap((basemap, index) => {
    const source = `basemap-${index}`;
    if (basemap.kind === "raster") return [/** @type {Layer} */ ({ id: source, type: "raster", source })];
    return BELOW.filter(([name]) => basemap.layers.includes(name)).map(([name, type, colour]) => /** @type {Layer} */ (/** @type {unknown} */ ({
      id: `${source}-${name}`, type, source, "source-layer": name,
      ...(type === "fill" ? { filter: ["==", ["geometry-type"], "Polygon"] } : {}),
      paint: type === "fill" ? { "fill-color": colour } : { "line-color": colour, "line-width": 2 },
    })));
  });
}

/**
 * Blank paper, or the basemaps, and what is drawn on it.
 * @param {Style["sources"]} drawn
 * @param {Layer[]} layers
 * @returns {Style}
 */
export function makeStyleOf(drawn, layers) {
  /** @type {Style["sources"]} */
  const sources = { ...drawn };
  page.basemaps.forEach((basemap, index) => {
    const { kind, tiles, minzoom, maxzoom, attribution } = basemap;
    const urls = tiles.map((path) => location.origin + path);
    sources[`basemap-${index}`] = kind === "raster"
      ? { type: "raster", tiles: urls, minzoom, maxzoom, attribution, tileSize: 256 }
      : { type: "vector", tiles: urls, minzoom, maxzoom, attribution };
  });
  return {
    version: 8,
    sources,
    layers: [
      { id: "paper", type: "background", paint: { "background-color": tokens.sunken } },
      ...basemapLayers(),
      ...layers,
    ],
  };
}

/**
 * The network and a plan on it; `drawn` and `layers` are what a page draws above them.
 * @param {Style["sources"]} drawn
 * @param {Layer[]} layers
 * @returns {Style}
 */
export function makeStyle(drawn = {}, layers = []) {
  return makeStyleOf({
    [NETWORK]: { type: "vector", tiles: [`${location.origin}/tiles/{z}/{x}/{y}.mvt?v=${page.geometry_revision}`], maxzoom: DEEPEST_TILES },
    [PLAN]: { type: "geojson", data: { type: "FeatureCollection", features: [] } },
    ...drawn,
  }, [...networkLayers(), ...planLayers(), ...layers]);
}
