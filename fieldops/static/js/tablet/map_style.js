/** What the tablet's map looks like: the network on plain ground, and marks that are read with gloves on. */

/** @typedef {import("../../vendor/maplibre-gl.mjs").StyleSpecification} Style */
/** @typedef {import("../../vendor/maplibre-gl.mjs").LayerSpecification} Layer */
/** @typedef {import("../../vendor/maplibre-gl.mjs").ExpressionSpecification} Expression */

export const NETWORK = "network";
export const MARKS = "marks";
export const ME = "me";
export const PICKED = "picked";
/** Not drawn while nothing is lost: each would draw every pipe once more, for nothing to be seen. */
export const LOSS = ["pipes-cut-off", "pipes-shut"];
/** Layers whose things tell their facts when they are touched. */
export const TOLD = ["valves", "pipes", "pipes-closed", "hydrants", "sources", "control-valves", "links"];

const ALWAYS = { "icon-allow-overlap": true, "icon-ignore-placement": true };
const ROUND = { "line-cap": "round", "line-join": "round" };

/** The design tokens as they are in the present look, light or dark. */
function readTokens() {
  const styles = getComputedStyle(document.documentElement);
  const read = (/** @type {string} */ name) => styles.getPropertyValue(`--colour-${name}`).trim();
  return {
    ground: read("sunken"), sheet: read("sheet"), text: read("text"), quiet: read("quiet"), supplied: read("supplied"),
    water: read("water"), shut: read("shut"), cutOff: read("cut-off"), valve: read("valve"), disc: read("valve-disc"), line: read("line"),
    fonts: styles.getPropertyValue("--font").split(",").map((name) => name.trim().replaceAll('"', "")),
  };
}

/**
 * Width by zoom, wider for wider pipes.
 * @param {number} more - pixels on top
 * @returns {Expression}
 */
function width(more) {
  const diameter = ["min", 1, ["/", ["coalesce", ["get", "diameter_mm"], 100], 600]];
  const at = (/** @type {number} */ least, /** @type {number} */ span) => ["+", least + more, ["*", span, diameter]];
  return /** @type {any} */ (["interpolate", ["linear"], ["zoom"], 9, at(0.6, 1.4), 13, at(1.2, 2.4), 16, at(2.4, 4), 19, at(5, 9)]);
}

/**
 * @param {string} name
 * @param {unknown} yes
 * @param {unknown} no
 * @returns {any}
 */
const ifLost = (name, yes, no) => ["case", ["==", ["feature-state", "loss"], name], yes, no];

/**
 * @param {ReturnType<typeof readTokens>} tokens
 * @returns {Layer[]}
 */
function networkLayers(tokens) {
  const halo = { "text-halo-color": tokens.ground, "text-halo-width": 2 };
  const words = (/** @type {unknown} */ field, /** @type {object} */ rest) => ({ "text-field": field, "text-font": tokens.fonts, "text-size": 15, ...rest });
  const layer = (/** @type {string} */ id, /** @type {string} */ from, /** @type {object} */ rest) =>
    /** @type {Layer} */ (/** @type {unknown} */ ({ id, source: NETWORK, "source-layer": from, ...rest }));
  return [
    layer("roads", "roads", { type: "line", layout: ROUND, paint: { "line-color": tokens.sheet, "line-width": ["interpolate", ["exponential", 1.6], ["zoom"], 13, 3, 16, 14, 19, 48] } }),
    layer("pipes", "pipes", { type: "line", layout: ROUND, filter: ["!=", ["get", "status"], "closed"], paint: { "line-color": tokens.supplied, "line-width": width(0) } }),
    layer("pipes-closed", "pipes", { type: "line", filter: ["==", ["get", "status"], "closed"], paint: { "line-color": tokens.supplied, "line-width": width(0), "line-dasharray": [0.6, 1.4] } }),
    layer("pipes-cut-off", "pipes", { type: "line", layout: { visibility: "none" }, paint: { "line-color": tokens.cutOff, "line-width": width(3), "line-dasharray": [2.2, 1.2], "line-opacity": ifLost("cut_off", 1, 0) } }),
    layer("pipes-shut", "pipes", { type: "line", layout: { ...ROUND, visibility: "none" }, paint: { "line-color": tokens.shut, "line-width": width(5), "line-opacity": ifLost("shut", 1, 0) } }),
    layer("links", "pumps", { type: "line", paint: { "line-color": tokens.supplied, "line-width": 4 } }),
    layer("control-valves", "control_valves", { type: "line", paint: { "line-color": tokens.text, "line-width": 4 } }),
    layer("critical", "customers", { type: "symbol", minzoom: 14, layout: { "icon-image": "critical", "icon-size": 1.1, ...ALWAYS } }),
    layer("hydrants", "hydrants", { type: "symbol", minzoom: 15, layout: { "icon-image": "hydrant", "icon-size": 1.2, ...ALWAYS } }),
    layer("valves", "valves", { type: "circle", minzoom: 13.5, paint: {
      "circle-radius": ["interpolate", ["linear"], ["zoom"], 13.5, 2, 16, 6, 19, 12],
      "circle-color": ["case", ["==", ["feature-state", "position"], "closed"], tokens.valve, tokens.disc],
      "circle-stroke-color": ["case", ["==", ["feature-state", "position"], "closed"], tokens.disc, tokens.valve],
      "circle-stroke-width": ["interpolate", ["linear"], ["zoom"], 13.5, 0.8, 16, 2],
    } }),
    layer("valves-unknown", "valves", { type: "symbol", minzoom: 15, layout: { "icon-image": "half", "icon-size": ["interpolate", ["linear"], ["zoom"], 15, 0.7, 19, 1.8], ...ALWAYS },
      paint: { "icon-opacity": ["case", ["==", ["feature-state", "position"], "unknown"], 1, 0] } }),
    layer("valves-stuck", "valves", { type: "symbol", minzoom: 15, layout: { "icon-image": "stuck", ...ALWAYS },
      paint: { "icon-opacity": ["case", ["boolean", ["feature-state", "stuck"], false], 1, 0] } }),
    layer("pumps", "pumps", { type: "symbol", minzoom: 13, layout: { "icon-image": "pump", "icon-size": 1.3, "symbol-placement": "line-center", ...ALWAYS } }),
    layer("sources", "sources", { type: "symbol", layout: { "icon-image": "source", ...ALWAYS,
      ...words(["coalesce", ["get", "name"], ["get", "id"]], { "text-anchor": "left", "text-offset": [1.2, 0], "text-optional": true }) }, paint: { ...halo, "text-color": tokens.text } }),
    layer("depots", "depots", { type: "symbol", minzoom: 12, layout: { "icon-image": "depot", ...ALWAYS } }),
    layer("road-names", "roads", { type: "symbol", minzoom: 15, layout: { "symbol-placement": "line", "symbol-spacing": 400, ...words(["get", "name"], {}) }, paint: { ...halo, "text-color": tokens.quiet } }),
    layer("pipe-names", "pipes", { type: "symbol", minzoom: 17,
      layout: { "symbol-placement": "line", "symbol-spacing": 300, ...words(["concat", ["get", "id"], "  DN", ["to-string", ["get", "diameter_mm"]]], { "text-size": 14, "text-offset": [0, 1] }) },
      paint: { ...halo, "text-color": tokens.text } }),
    layer("valve-names", "valves", { type: "symbol", minzoom: 17, layout: words(["get", "id"], { "text-anchor": "left", "text-offset": [1.1, 0], "text-optional": true }), paint: { ...halo, "text-color": tokens.text } }),
  ];
}

/**
 * @param {ReturnType<typeof readTokens>} tokens
 * @returns {Layer[]}
 */
function markLayers(tokens) {
  const layers = [
    { id: "me-rough", type: "fill", source: ME, filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": tokens.water, "fill-opacity": 0.18 } },
    { id: "track", type: "line", source: ME, filter: ["==", ["geometry-type"], "LineString"], layout: ROUND, paint: { "line-color": tokens.water, "line-width": 4 } },
    // A place that is old is drawn hollow: it says where the tablet was.
    { id: "me", type: "circle", source: ME, filter: ["==", ["geometry-type"], "Point"], paint: {
      "circle-radius": 11, "circle-color": tokens.water, "circle-opacity": ["case", ["get", "is_old"], 0, 1], "circle-stroke-color": ["case", ["get", "is_old"], tokens.water, tokens.disc], "circle-stroke-width": 4,
    } },
    { id: "picked", type: "circle", source: PICKED, paint: { "circle-radius": 22, "circle-color": tokens.water, "circle-opacity": 0.2, "circle-stroke-color": tokens.water, "circle-stroke-width": 4 } },
    { id: "marks", type: "symbol", source: MARKS, layout: {
      "icon-image": ["get", "image"], "symbol-sort-key": ["get", "order"], "icon-offset": ["get", "offset"],
      "icon-size": ["interpolate", ["linear"], ["zoom"], 12, 1, 16, 1.5], ...ALWAYS,
    } },
  ];
  return /** @type {Layer[]} */ (/** @type {unknown} */ (layers));
}

/**
 * The whole style, in the present look.
 * @param {{tiles: string | null, marks: GeoJSON.FeatureCollection, me: GeoJSON.FeatureCollection, picked: GeoJSON.FeatureCollection}} drawn
 * @returns {Style}
 */
export function makeStyle({ tiles, marks, me, picked }) {
  const tokens = readTokens();
  const geojson = (/** @type {GeoJSON.FeatureCollection} */ data) => /** @type {const} */ ({ type: "geojson", data });
  return {
    version: 8,
    sources: {
      ...(tiles ? { [NETWORK]: { type: "vector", url: tiles } } : {}),
      [MARKS]: geojson(marks), [ME]: geojson(me), [PICKED]: geojson(picked),
    },
    layers: [
      { id: "ground", type: "background", paint: { "background-color": tokens.ground } },
      ...(tiles ? networkLayers(tokens) : []),
      ...markLayers(tokens),
    ],
  };
}
