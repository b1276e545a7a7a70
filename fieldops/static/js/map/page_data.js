/** What the server wrote into the page for its scripts. */

/**
 * @typedef {object} Basemap
 * @property {"vector" | "raster"} kind
 * @property {string[]} tiles
 * @property {number} minzoom
 * @property {number} maxzoom
 * @property {string} attribution
 * @property {string[]} layers - names of the layers of a vector basemap
 */

/**
 * @typedef {object} PageData
 * @property {string} language
 * @property {[number, number, number, number] | null} extent - null when the network is empty
 * @property {number} revision
 * @property {number} geometry_revision
 * @property {boolean} may_record
 * @property {string | null} import_url - null for those who may not
 * @property {Basemap[]} basemaps
 */

/**
 * @param {string} id
 * @returns {any}
 */
export function readJson(id) {
  return JSON.parse(document.getElementById(id)?.textContent ?? "null");
}

/** @type {PageData} */
export const page = readJson("page-data");
