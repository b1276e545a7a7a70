/** The page of a sent file: its network on the map, with what was found in it, before anybody confirms. */
import { ask } from "../map/api.js";
import { find, make } from "../map/elements.js";
import { isCalm, makeMap } from "../map/map_view.js";
import { readJson } from "../map/page_data.js";
import { figure, knows, say } from "../map/words.js";
import { makeList } from "./findings_list.js";
import { CHOSEN, layerOf, makePreviewStyle, NOTHING, SEVERITIES } from "./preview_style.js";

/** @typedef {import("./findings_list.js").Finding} Finding */
/** @typedef {import("geojson").FeatureCollection & {counts?: Record<string, [drawn: number, all: number]>}} Collection */
/** @typedef {[west: number, south: number, east: number, north: number]} Extent */

/** @type {{file: string | null, stored: string, most_stored: number, findings: string}} */
const addresses = readJson("page-data");
/** @type {Collection} */
const BLANK = { type: "FeatureCollection", features: [] };
const NEAR = 8;
const MOST_TEXTS = 4;

async function draw() {
  const [findings, stored, file] = /** @type {Collection[]} */ (await Promise.all([
    ask(addresses.findings), ask(addresses.stored), addresses.file ? ask(addresses.file) : BLANK,
  ]));
  const extent = extentOf((addresses.file ? file : stored).features) ?? extentOf(findings.features);
  tellLimits(file, stored, findings);
  if (!extent) {
    note(say("empty"));
    find("map").dataset.mapState = "empty";
  }
  const map = extent && makeMap(makePreviewStyle(file, stored, findings, addresses.file !== null), extent);
  const placed = findings.features.map(asFinding);

  /** @param {Finding[]} chosen */
  const mark = (chosen) => {
    const [first] = chosen;
    map?.setFilter(CHOSEN, ["==", ["get", "number"], first?.number ?? NOTHING]);
    const texts = chosen.slice(0, MOST_TEXTS).map(({ text }) => make("span", {}, text));
    if (chosen.length > texts.length) texts.push(make("span", {}, say("also-here", { n: figure(chosen.length - texts.length) })));
    find("chosen").replaceChildren(...texts);
    find("chosen").hidden = !first;
    if (first) list.show(first);
  };
  const list = makeList(placed, (finding) => {
    mark([finding]);
    map?.easeTo({ center: [finding.lon, finding.lat], zoom: Math.max(map.getZoom(), 17.5), duration: isCalm() ? 0 : 600 });
  });
  if (!map) return;

  const byNumber = new Map(placed.map((finding) => [finding.number, finding]));
  const layers = [...SEVERITIES].reverse().map(layerOf);
  map.on("click", ({ point: { x, y } }) => {
    const hit = map.queryRenderedFeatures([[x - NEAR, y - NEAR], [x + NEAR, y + NEAR]], { layers });
    const numbers = new Set(hit.map(({ properties }) => Number(properties.number)));
    mark([...numbers].flatMap((number) => byNumber.get(number) ?? []));
  });
  for (const layer of layers) {
    map.on("mouseenter", layer, () => { map.getCanvas().style.cursor = "pointer"; });
    map.on("mouseleave", layer, () => { map.getCanvas().style.cursor = ""; });
  }
  followBoxes(map);
}

/**
 * Each severity can be taken off the map.
 * @param {import("../../vendor/maplibre-gl.mjs").Map} map
 */
function followBoxes(map) {
  for (const box of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("input[name=severity]"))) {
    const look = () => map.setLayoutProperty(layerOf(box.value), "visibility", box.checked ? "visible" : "none");
    box.addEventListener("change", look);
    // A browser that comes back to the page remembers what was ticked.
    if (!box.checked) map.once("load", look);
  }
}

/**
 * @param {import("geojson").Feature} feature
 * @returns {Finding}
 */
function asFinding({ geometry, properties }) {
  const [lon, lat] = /** @type {import("geojson").Point} */ (geometry).coordinates;
  return { .../** @type {any} */ (properties), lon, lat };
}

/**
 * @param {import("geojson").Feature[]} features
 * @returns {Extent | null}
 */
function extentOf(features) {
  /** @type {Extent} */
  const extent = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { geometry } of features) {
    const points = geometry.type === "Point" ? [geometry.coordinates]
      : geometry.type === "LineString" ? geometry.coordinates : [];
    for (const [lon, lat] of points) {
      extent[0] = Math.min(extent[0], lon);
      extent[1] = Math.min(extent[1], lat);
      extent[2] = Math.max(extent[2], lon);
      extent[3] = Math.max(extent[3], lat);
    }
  }
  return extent[0] <= extent[2] ? extent : null;
}

/**
 * Nothing is left out without a word.
 * @param {Collection} file
 * @param {Collection} stored
 * @param {Collection} findings
 */
function tellLimits(file, stored, findings) {
  const said = Object.entries(file.counts ?? {}).flatMap(([kind, [drawn, all]]) => {
    const values = { drawn: figure(drawn), n: figure(all) };
    if (drawn === all) return [];
    if (kind === "pipe") return [say("capped-pipes", values)];
    return knows(`capped.${kind}`) ? [say(`capped.${kind}`, values)] : [];
  });
  if (stored.features.length >= addresses.most_stored) said.push(say("capped-stored", { n: figure(addresses.most_stored) }));
  const counted = [...find("findings").querySelectorAll("details")].reduce((sum, { dataset }) => sum + Number(dataset.count), 0);
  const away = counted - findings.features.length;
  if (away > 0) said.push(say("not-here", { n: figure(away) }));
  note(said.join(" "));
}

/** @param {string} text */
function note(text) {
  find("map-note").textContent = text;
}

function start() {
  draw().catch((error) => {
    find("map").dataset.mapState = "failed";
    find("map-note").replaceChildren(say("draw-failed", { reason: error instanceof Error ? error.message : String(error) }), " ",
      make("button", { type: "button", click: () => location.reload() }, say("try-again")));
  });
}

start();
