/** How bad it is: by shape, word and colour together. */
import { make } from "../map/elements.js";
import { say } from "../map/words.js";

/** @typedef {import("./board.js").Severity} Severity */
/** @typedef {import("./board.js").Incident} Incident */
/** @typedef {import("./board.js").Order} Order */

/** @type {readonly Severity[]} */
export const SEVERITIES = ["danger", "burst", "leak", "routine"];

/** @type {Record<Severity, string>} */
export const SIGNS = { danger: "danger", burst: "burst-job", leak: "leak-job", routine: "routine-job" };

const BURSTS = new Set(["burst", "frost", "third_party_damage", "no_water"]);
const LEAKS = new Set(["leak", "visible_leak", "surfacing", "low_pressure", "valve_fault", "discoloured"]);

/**
 * The worst that an incident's orders say, else what its kind says.
 * @param {Incident} incident
 * @param {Order[]} orders
 * @returns {Severity}
 */
export function severityOf(incident, orders) {
  if (incident.danger || incident.kind === "collapse") return "danger";
  const worst = SEVERITIES.find((one) => orders.some(({ severity }) => severity === one));
  return worst ?? (BURSTS.has(incident.kind) ? "burst" : LEAKS.has(incident.kind) ? "leak" : "routine");
}

/** @param {Severity} severity */
export function severitySign(severity) {
  return make("span", { class: "severity", "data-severity": severity },
    make("i", { "aria-hidden": "true" }), say(`severity.${severity}`));
}
