/** The map itself. `data-map-state` on its element tells when it has come to rest. */
import { Map, NavigationControl, ScaleControl, setWorkerUrl } from "../../vendor/maplibre-gl.mjs";
import { find } from "./elements.js";
import { page } from "./page_data.js";
import { makeStyle } from "./style.js";
import { supplySymbols } from "./symbols.js";
import { tokens } from "./tokens.js";
import { say } from "./words.js";

const WORKER = new URL("../../vendor/maplibre-gl-worker.mjs", import.meta.url);
const CHINA = /** @type {[number, number, number, number]} */ ([73, 18, 135, 54]);
const DEEPEST_ZOOM = 21;

/** Whether the person asked the system for little movement. */
export const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/**
 * @param {import("./style.js").Style} style
 * @param {[number, number, number, number] | null} extent - what is seen at first
 * @returns {Map}
 */
export function makeMap(style = makeStyle(), extent = page.extent) {
  setWorkerUrl(WORKER.href);
  const element = find("map");
  const [west, south, east, north] = extent ?? CHINA;
  const map = new Map({
    container: element,
    style,
    bounds: [west, south, east, north],
    fitBoundsOptions: { padding: 40, maxZoom: 17 },
    maxZoom: DEEPEST_ZOOM,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    fadeDuration: isCalm() ? 0 : 150,
    localIdeographFontFamily: tokens.fonts.join(", "),
    attributionControl: page.basemaps.length ? { compact: true } : false,
    locale: {
      "Map.Title": say("map"),
      "NavigationControl.ZoomIn": say("zoom-in"),
      "NavigationControl.ZoomOut": say("zoom-out"),
      "ScaleControl.Meters": say("unit.m"),
      "ScaleControl.Kilometers": say("unit.km"),
    },
  });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  map.addControl(new NavigationControl({ showCompass: false }), "bottom-right");
  map.addControl(new ScaleControl({ maxWidth: 120 }), "bottom-right");
  supplySymbols(map);
  tellState(map, element);
  return map;
}

/**
 * @param {Map} map
 * @param {HTMLElement} element
 */
function tellState(map, element) {
  element.dataset.mapState = "loading";
  const busy = () => { element.dataset.mapState = "loading"; };
  map.on("dataloading", busy);
  map.on("movestart", busy);
  map.on("render", busy);
  map.on("idle", () => {
    const { lng, lat } = map.getCenter();
    element.dataset.view = [lng.toFixed(7), lat.toFixed(7), map.getZoom().toFixed(4)].join(",");
    element.dataset.mapState = "idle";
  });
}

/**
 * Go to a place, beside the drawer and the search field.
 * @param {Map} map
 * @param {{lon: number, lat: number}[]} places
 * @param {number} maxZoom
 */
export function goTo(map, places, maxZoom = 17.5) {
  if (!places.length) return;
  const lons = places.map(({ lon }) => lon);
  const lats = places.map(({ lat }) => lat);
  map.fitBounds([Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)],
    { padding: freeSpace(), maxZoom, duration: isCalm() ? 0 : 500 });
}

/** What of the map the drawer and the search field leave free. */
function freeSpace() {
  const drawer = find("drawer");
  const isBelow = drawer.offsetWidth > find("map").offsetWidth * 0.8;
  const covered = drawer.hidden ? 0 : isBelow ? drawer.offsetHeight : drawer.offsetWidth;
  const legend = find("legend");
  const left = legend.hasAttribute("open") && !isBelow ? legend.offsetWidth + 40 : 60;
  return { top: 80, left, right: 60 + (isBelow ? 0 : covered), bottom: 60 + (isBelow ? covered : 0) };
}

/**
 * Whether all these places are in what can be seen of the map.
 * @param {Map} map
 * @param {{lon: number, lat: number}[]} places
 */
export function areVisible(map, places) {
  const { top, left, right, bottom } = freeSpace();
  const { offsetWidth, offsetHeight } = find("map");
  return places.every(({ lon, lat }) => {
    const { x, y } = map.project([lon, lat]);
    return x >= left - 40 && x <= offsetWidth - right + 40 && y >= top - 60 && y <= offsetHeight - bottom + 40;
  });
}
