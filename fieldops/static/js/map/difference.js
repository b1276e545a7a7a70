/** What changes between two answers: one as recorded, one with valves supposed otherwise. */
import { minutesBetween } from "./times.js";

/** @typedef {import("./outage.js").Answer} Answer */

/**
 * @typedef {object} Difference
 * @property {string[]} valvesMore
 * @property {string[]} valvesLess
 * @property {number} properties
 * @property {number} connections
 * @property {string[]} criticalIn
 * @property {string[]} criticalOut
 * @property {number | null} isolated - 1: now isolated; -1: no longer; null: as before
 * @property {number} stoppedLaterMin
 * @property {number} restoredLaterMin
 */

/**
 * @param {string[]} some
 * @param {string[]} others
 */
function without(some, others) {
  const known = new Set(others);
  return some.filter((id) => !known.has(id));
}

/**
 * @param {Answer} before
 * @param {Answer} now
 * @param {"water_stopped" | "restored"} stage
 */
function laterMin(before, now, stage) {
  const [first, second] = [before.times?.[stage], now.times?.[stage]];
  if (!first || !second || !first.p50 || !second.p50) return 0;
  return minutesBetween(first.p50, second.p50);
}

/**
 * @param {Answer} before
 * @param {Answer} now
 * @returns {Difference}
 */
export function compare(before, now) {
  return {
    valvesMore: without(now.valves_to_close, before.valves_to_close),
    valvesLess: without(before.valves_to_close, now.valves_to_close),
    properties: now.customers.properties - before.customers.properties,
    connections: now.customers.connections - before.customers.connections,
    criticalIn: without(now.customers.critical, before.customers.critical),
    criticalOut: without(before.customers.critical, now.customers.critical),
    isolated: before.isolated === now.isolated ? null : now.isolated ? 1 : -1,
    stoppedLaterMin: laterMin(before, now, "water_stopped"),
    restoredLaterMin: laterMin(before, now, "restored"),
  };
}
