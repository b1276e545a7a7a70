/** Where things are and what is recorded of them: answers hold ids, the map needs places. */
import { ask } from "./api.js";

/**
 * @typedef {object} Place
 * @property {string} kind
 * @property {string} id
 * @property {number} key
 * @property {number} lon
 * @property {number} lat
 * @property {Record<string, any>} facts
 */

const MOST_AT_ONCE = 60;

/**
 * @param {[kind: string, id: string][]} wanted
 * @param {AbortSignal} [signal]
 * @param {number | null} [at_m] - for a pipe: the place along it, else its middle
 * @returns {Promise<Map<string, Place>>} by "kind id"
 */
export async function askPlaces(wanted, signal, at_m = null) {
  const requests = [];
  for (let from = 0; from < wanted.length; from += MOST_AT_ONCE) {
    const query = new URLSearchParams(wanted.slice(from, from + MOST_AT_ONCE));
    if (at_m !== null) query.set("at_m", String(at_m));
    requests.push(ask(`/api/v1/places?${query}`, { signal }));
  }
  /** @type {Map<string, Place>} */
  const places = new Map();
  for (const { places: found } of await Promise.all(requests)) {
    for (const place of found) places.set(`${place.kind} ${place.id}`, place);
  }
  return places;
}
