/** The map of the pack on an element, drawn without a signal. `data-map-state` tells when it rests. */
import { addProtocol, Map as GlMap, prewarm, setWorkerUrl } from "../../vendor/maplibre-gl.mjs";
import { PMTiles, Protocol } from "../../vendor/pmtiles.js";
import { supplySymbols } from "../map/symbols.js";
import { rereadTokens } from "../map/tokens.js";
import { button, make } from "./elements.js";
import { collection, drawHere, drawMarks, isOld, point } from "./map_marks.js";
import { LOSS, makeStyle, MARKS, ME, NETWORK, PICKED, TOLD } from "./map_style.js";
import { packState, pmtilesSource, topology, watchPack } from "./pack.js";
import { positions, watchPositions } from "./positions.js";
import { watchTheme } from "./theme.js";
import { age, distance, say } from "./words.js";

/** @typedef {import("./map_marks.js").Mark} Mark */
/** @typedef {{lon: number, lat: number}} Spot */
/** @typedef {{kind: string, id: string, key: number, lon: number, lat: number, told: Record<string, unknown>}} Touched */

/**
 * @typedef {object} MapView
 * @property {GlMap} map
 * @property {(marks: Mark[]) => void} setMarks
 * @property {(spots: Spot[], zoom?: number) => void} fit
 * @property {(spot: Spot | null) => void} pick - mark a place that was touched
 * @property {(lost: {shut?: number[], cut_off?: number[]}) => Promise<void>} showLoss - parts, by row of the pack
 * @property {(track: Spot[]) => void} setTrack
 * @property {() => void} remove
 */

/**
 * @typedef {object} Wish
 * @property {Mark[]} [marks]
 * @property {Partial<Spot> & {zoom?: number} | null} [focus] - with a zoom it comes before all marks
 * @property {Spot[]} [track]
 * @property {(touched: Touched) => void} [onTouch] - a thing of the network
 * @property {(spot: Spot) => void} [onPoint] - any place; then nothing else is told
 */

/** Within the scope of the service worker, for elsewhere it is not asked for a worker's script. */
const WORKER = "/tablet/map-worker.mjs";
const DEEPEST_ZOOM = 20;
/** A finger in a glove touches so much. */
const FINGER_PX = 26;
const KINDS = /** @type {Record<string, string>} */ ({ pipes: "pipe", valves: "valve", hydrants: "hydrant", sources: "source", control_valves: "control_valve", pumps: "pump" });
const CHINA = /** @type {[number, number, number, number]} */ ([73, 18, 135, 54]);

setWorkerUrl(new URL(WORKER, location.origin).href);
// It reads its half a megabyte of script while the page finds out what there is to draw.
prewarm();

/** @type {Protocol | null} */
let protocol = null;

/** @returns {Promise<{url: string, bounds: [number, number, number, number]} | null>} */
async function openTiles() {
  const source = await pmtilesSource();
  if (!source) return null;
  if (!protocol) {
    protocol = new Protocol();
    addProtocol("pmtiles", protocol.tile);
  }
  const tiles = protocol.get(source.getKey()) ?? new PMTiles(source);
  protocol.add(tiles);
  const { minLon, minLat, maxLon, maxLat } = await tiles.getHeader();
  return { url: `pmtiles://${source.getKey()}`, bounds: [minLon, minLat, maxLon, maxLat] };
}

/**
 * Draw the map. Without a pack it shows the marks on plain ground, and says so.
 * @param {HTMLElement} place
 * @param {Wish} [wish]
 * @returns {Promise<MapView>}
 */
export async function drawMap(place, wish = {}) {
  const frame = make("div", { class: "map-frame", "data-map-state": "loading" });
  const ground = make("div", { class: "map-ground" });
  const said = make("div", { class: "map-said" });
  frame.append(ground, said);
  place.replaceChildren(frame);
  let tiles = await openTiles();
  let marks = wish.marks ?? [];
  let track = wish.track ?? [];
  /** @type {Spot | null} */
  let picked = null;
  let isLeft = false;
  const here = () => drawHere(positions().last, Date.now(), track);
  const style = () => makeStyle({ tiles: tiles?.url ?? null, marks: drawMarks(marks), me: here(), picked: collection(picked ? [point(picked, {})] : []) });
  const map = new GlMap({
    container: ground,
    style: style(),
    ...begin(wish, marks, tiles?.bounds),
    maxZoom: DEEPEST_ZOOM,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    fadeDuration: 0,
    localIdeographFontFamily: getComputedStyle(document.documentElement).getPropertyValue("--font"),
    attributionControl: false,
    locale: { "Map.Title": say("Map") },
  });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  supplySymbols(map);
  tellState(map, frame);
  let isTouched = false;
  frame.addEventListener("pointerdown", () => { isTouched = true; }, { capture: true });
  // Turned upright, the tablet would have its marks beyond the edge.
  map.on("resize", () => {
    if (isTouched) return;
    const first = begin(wish, marks, tiles?.bounds);
    if ("bounds" in first) map.fitBounds(/** @type {[number, number, number, number]} */ (first.bounds), { ...first.fitBoundsOptions, duration: 0 });
  });
  frame.append(controls(map, () => fit(marks.length ? marks : cornersOf(tiles?.bounds))));

  /** @type {(id: string, data: GeoJSON.FeatureCollection) => void} */
  const fill = (id, data) => /** @type {any} */ (map.getSource(id))?.setData(data);
  const fit = (/** @type {Spot[]} */ spots, zoom = 17) => {
    if (!spots.length) return;
    const [lons, lats] = [spots.map(({ lon }) => lon), spots.map(({ lat }) => lat)];
    map.fitBounds([Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)], { padding: 70, maxZoom: zoom, duration: 0 });
  };
  const drawSaid = async () => {
    const pack = await packState();
    const last = positions().last;
    said.replaceChildren(
      make("span", { "data-said": "pack" }, pack ? say("Map drawn %(drawn)s, valves as of %(facts)s", { drawn: age(pack.baked_at), facts: age(pack.facts_at) }) : say("There is no map on this device: only marks are shown.")),
      make("span", { "data-said": "here" }, last
        ? (isOld(last, Date.now()) ? say("You were here %(age)s, within %(metres)s", { age: age(last.at), metres: distance(last.accuracy_m) })
          : say("You are here, within %(metres)s", { metres: distance(last.accuracy_m) }))
        : say("Where you are is not known.")),
    );
  };
  const drawFacts = () => showFacts(map).catch((error) => console.warn(error));
  const redraw = () => {
    map.setStyle(style(), { diff: false });
    map.once("idle", drawFacts);
  };
  /** Another pack has come, and the pieces of the one that is drawn are gone. */
  const changeTiles = async () => {
    const now = await openTiles();
    if (isLeft || now?.url === tiles?.url) return;
    tiles = now;
    redraw();
  };
  // After the first picture: to read the arrays takes as long as to draw it.
  map.once("idle", drawFacts);
  map.on("click", (event) => touch(map, event, marks, wish));
  void drawSaid();
  const timer = setInterval(() => { fill(ME, here()); void drawSaid(); }, 30_000);
  const stops = [
    watchPositions(() => { fill(ME, here()); void drawSaid(); }),
    watchPack(() => { void drawFacts(); void drawSaid(); void changeTiles().catch((error) => console.warn(error)); }),
    watchTheme(() => {
      // The new style asks for its pictures anew, and they are drawn in the colours that hold now.
      rereadTokens();
      redraw();
    }),
  ];
  return {
    map,
    fit: (spots, zoom) => { isTouched = true; fit(spots, zoom); },
    setMarks: (now) => { marks = now; fill(MARKS, drawMarks(marks)); },
    setTrack: (now) => { track = now; fill(ME, here()); },
    pick: (spot) => { picked = spot; fill(PICKED, collection(spot ? [point(spot, {})] : [])); },
    showLoss: (lost) => showLoss(map, lost),
    remove: () => {
      isLeft = true;
      clearInterval(timer);
      for (const stop of stops) stop();
      map.remove();
      frame.remove();
    },
  };
}

/**
 * What is seen at first: what was asked for, else all marks, else the whole pack.
 * @param {Wish} wish
 * @param {Mark[]} marks
 * @param {[number, number, number, number]} [bounds]
 */
function begin({ focus }, marks, bounds) {
  const spots = marks.filter(({ kind }) => kind === "valve" || kind === "job");
  const { lon, lat } = focus ?? {};
  if (typeof lon === "number" && typeof lat === "number" && (focus?.zoom || spots.length < 2)) {
    return { center: /** @type {[number, number]} */ ([lon, lat]), zoom: focus?.zoom ?? 16.5 };
  }
  if (!spots.length) return { bounds: bounds ?? CHINA, fitBoundsOptions: { padding: 30 } };
  const [lons, lats] = [spots.map((one) => one.lon), spots.map((one) => one.lat)];
  const around = /** @type {[number, number, number, number]} */ ([Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)]);
  return { bounds: around, fitBoundsOptions: { padding: 80, maxZoom: 17 } };
}

/**
 * @param {[number, number, number, number]} [bounds]
 * @returns {Spot[]}
 */
const cornersOf = (bounds) => (bounds ? [{ lon: bounds[0], lat: bounds[1] }, { lon: bounds[2], lat: bounds[3] }] : []);

/**
 * Buttons in the size of a glove; the library's own are too small.
 * @param {GlMap} map
 * @param {() => void} showAll
 */
function controls(map, showAll) {
  const here = button("◎", () => {
    const last = positions().last;
    if (last) map.jumpTo({ center: [last.lon, last.lat], zoom: Math.max(map.getZoom(), 16) });
  }, { label: say("Where I am") });
  return make("div", { class: "map-controls", role: "group", "aria-label": say("Map") },
    button("+", () => void map.zoomIn({ duration: 0 }), { label: say("Zoom in") }),
    button("−", () => void map.zoomOut({ duration: 0 }), { label: say("Zoom out") }),
    here,
    button("▣", showAll, { label: say("Show all") }));
}

/**
 * @param {GlMap} map
 * @param {HTMLElement} frame
 */
function tellState(map, frame) {
  const busy = () => { frame.dataset.mapState = "loading"; };
  map.on("dataloading", busy);
  map.on("movestart", busy);
  map.on("idle", () => {
    const { lng, lat } = map.getCenter();
    frame.dataset.view = [lng.toFixed(7), lat.toFixed(7), map.getZoom().toFixed(4)].join(",");
    frame.dataset.mapState = "idle";
  });
  map.on("error", ({ error }) => {
    console.warn(error);
    frame.dataset.mapError = String(error?.message ?? error);
  });
}

/**
 * Find what a finger meant: a mark before all else, then a valve, then a pipe.
 * @param {GlMap} map
 * @param {import("../../vendor/maplibre-gl.mjs").MapMouseEvent} event
 * @param {Mark[]} marks
 * @param {Wish} wish
 */
function touch(map, { point: at, lngLat }, marks, wish) {
  if (wish.onPoint) return wish.onPoint({ lon: lngLat.lng, lat: lngLat.lat });
  const box = /** @type {[[number, number], [number, number]]} */ ([[at.x - FINGER_PX, at.y - FINGER_PX], [at.x + FINGER_PX, at.y + FINGER_PX]]);
  const far = (/** @type {{lon: number, lat: number}} */ spot) => {
    const { x, y } = map.project([spot.lon, spot.lat]);
    return Math.hypot(x - at.x, y - at.y);
  };
  const found = map.queryRenderedFeatures(box, { layers: ["marks"] })
    .map(({ properties }) => marks[Number(properties.index)]).filter(Boolean).sort((one, other) => far(one) - far(other));
  if (found.length) return found[0].open?.();
  const layers = TOLD.filter((id) => map.getLayer(id));
  const things = layers.length ? map.queryRenderedFeatures(box, { layers }) : [];
  const order = (/** @type {any} */ thing) => (thing.sourceLayer === "pipes" ? 1000 : 0) + (thing.geometry.type === "Point" ? far({ lon: thing.geometry.coordinates[0], lat: thing.geometry.coordinates[1] }) : 0);
  const thing = things.sort((one, other) => order(one) - order(other))[0];
  if (!thing?.sourceLayer) return undefined;
  const spot = thing.geometry.type === "Point" ? { lon: thing.geometry.coordinates[0], lat: thing.geometry.coordinates[1] } : { lon: lngLat.lng, lat: lngLat.lat };
  return wish.onTouch?.({ kind: KINDS[thing.sourceLayer], id: String(thing.properties.id), key: Number(thing.id), ...spot, told: thing.properties });
}

/**
 * Mark what is not simply open, from the facts of the pack; after the first picture, for it reads the arrays.
 * @param {GlMap} map
 */
async function showFacts(map) {
  const pack = await topology();
  if (!pack || !map.getSource(NETWORK)) return;
  const { device_table: tables, device_key: keys, device_position: position, device_operability: operability, device_reachable: reachable } = pack.columns;
  map.removeFeatureState({ source: NETWORK, sourceLayer: "valves" });
  for (let row = 0; row < tables.length; row += 1) {
    if (tables[row] !== 0) continue;
    const stuck = operability[row] === 1 || !reachable[row];
    if (position[row] === 0 && !stuck) continue;
    map.setFeatureState({ source: NETWORK, sourceLayer: "valves", id: keys[row] }, { position: ["open", "closed", "unknown"][position[row]], stuck });
  }
}

/**
 * @param {GlMap} map
 * @param {{shut?: number[], cut_off?: number[]}} lost
 */
async function showLoss(map, lost) {
  const pack = await topology();
  if (!pack || !map.getSource(NETWORK)) return;
  const { pipe_first_part: first, pipe_key: keys } = pack.columns;
  map.removeFeatureState({ source: NETWORK, sourceLayer: "pipes" });
  const isAny = Boolean(lost.shut?.length || lost.cut_off?.length);
  for (const layer of LOSS) map.setLayoutProperty(layer, "visibility", isAny ? "visible" : "none");
  for (const [loss, parts] of /** @type {const} */ ([["cut_off", lost.cut_off ?? []], ["shut", lost.shut ?? []]])) {
    let pipe = 0;
    for (const part of [...parts].sort((one, other) => one - other)) {
      while (first[pipe + 1] <= part) pipe += 1;
      map.setFeatureState({ source: NETWORK, sourceLayer: "pipes", id: keys[pipe] * 64 + Math.min(part - first[pipe], 63) }, { loss });
    }
  }
}
