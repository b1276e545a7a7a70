/** The answer to a question, as network-format.md and the map's `keys` describe it. */
import { ask } from "./api.js";
import { outageUrl } from "./question.js";

/** @typedef {import("./question.js").Question} Question */
/** @typedef {{p10: string, p50: string, p90: string}} Forecast */

/**
 * @typedef {object} Customers
 * @property {number} connections
 * @property {number} properties
 * @property {number | null} people
 * @property {string[]} critical
 * @property {number} guessed
 * @property {number | null} already_dry
 */

/**
 * @typedef {object} Keys
 * @property {number[]} parts_shut
 * @property {number[] | null} parts_cut_off
 * @property {{key: number, number: number, id: string}[]} valves_to_close
 * @property {number[]} valves_optional
 * @property {number[]} valves_verify_shut
 * @property {number[]} pumps_to_stop
 * @property {number[]} customers_shut
 * @property {number[] | null} customers_cut_off
 * @property {number[]} hydrants_dry
 * @property {number[]} sources_shut
 * @property {number[] | null} refeed
 */

/**
 * @typedef {object} Answer
 * @property {string} pipe
 * @property {number | null} at_m
 * @property {number} network_revision
 * @property {boolean} isolated
 * @property {string[]} valves_to_close
 * @property {string[]} valves_optional
 * @property {string[]} valves_verify_shut
 * @property {string[]} pumps_to_stop
 * @property {string[]} sources_shut
 * @property {string[] | null} pipes_cut_off
 * @property {Customers} customers
 * @property {string[]} hydrants_dry
 * @property {{valve: string, properties_regained: number, crosses_boundary: boolean}[] | null} refeed
 * @property {{water_stopped: Forecast | null, restored: Forecast | null} | null} times
 * @property {{valves_to_close: string[], customers: Customers} | null} if_unknown_closed
 * @property {string[]} customers_differ
 * @property {{code: string, id: string | null, text: string}[]} remarks
 * @property {Keys} keys
 */

/**
 * @param {Question} question
 * @param {AbortSignal} [signal]
 * @returns {Promise<Answer>}
 */
export function askOutage(question, signal) {
  return ask(outageUrl(question), { signal });
}
