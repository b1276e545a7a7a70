/** The way to a place, in the maps that are on the device. */
import { button, dialog, make, notice } from "./elements.js";
import { toBd09, toGcj02 } from "./shift.js";
import { say } from "./words.js";

/** @typedef {import("./shift.js").Place} Place */

/** @param {number} degrees */
const six = (degrees) => degrees.toFixed(6);

/**
 * Where the maps are asked for the way; nothing is asked of them by this page itself.
 * @param {Place} place - WGS84
 * @param {string} name - what stands beside the flag
 * @returns {{amap: string, baidu: string, device: string}}
 */
export function navigationAddresses(place, name) {
  const amap = toGcj02(place);
  const baidu = toBd09(place);
  const label = encodeURIComponent(name.replace(/[,|:()]/g, " ").trim());
  return {
    amap: `https://uri.amap.com/navigation?to=${six(amap.lon)},${six(amap.lat)},${label}&mode=car&src=fieldops&coordinate=gaode&callnative=1`,
    baidu: `https://api.map.baidu.com/marker?location=${six(baidu.lat)},${six(baidu.lon)}&title=${label}&content=${label}&output=html&coord_type=bd09ll&src=webapp.fieldops.tablet`,
    device: `geo:${six(place.lat)},${six(place.lon)}?q=${six(place.lat)},${six(place.lon)}(${label})`,
  };
}

/**
 * Links to the maps, each opening a window of its own, and what that means for one's position.
 * @param {Place} place - WGS84
 * @param {string} name
 * @returns {HTMLElement}
 */
export function navigationLinks(place, name) {
  const address = navigationAddresses(place, name);
  const out = (/** @type {string} */ href, /** @type {string} */ word, /** @type {string} */ which) =>
    make("a", { href, target: "_blank", rel: "noopener noreferrer", class: "button plain", "data-navigate": which }, word);
  return make("div", { class: "navigate" },
    make("div", { class: "actions" },
      out(address.amap, say("Amap"), "amap"),
      out(address.baidu, say("Baidu Maps"), "baidu"),
      make("a", { href: address.device, class: "button plain", "data-navigate": "device" }, say("This device's maps"))),
    notice("info", say("While another app is in front, this page tells no position: dispatch sees it getting old until you come back.")));
}

/**
 * Ask which maps to use.
 * @param {Place} place - WGS84
 * @param {string} name
 */
export function showNavigation(place, name) {
  const links = navigationLinks(place, name);
  const sheet = dialog(say("Navigate"), [make("p", {}, name), links,
    make("div", { class: "actions" }, button(say("Close"), () => sheet.close()))]);
  links.addEventListener("click", (event) => {
    if (event.target instanceof HTMLAnchorElement) sheet.close();
  });
  return sheet.closed;
}

/**
 * The button that leads to a place; without a place there is none, and it says so.
 * @param {{lon: number | null, lat: number | null}} place
 * @param {string} name
 * @returns {HTMLElement}
 */
export function navigateButton({ lon, lat }, name) {
  if (lon === null || lat === null) return notice("warn", say("Nobody knows where on the map it is: there is no way to show."));
  return button(say("Navigate"), () => { void showNavigation({ lon, lat }, name); }, { class: "navigate-there" });
}
