/** When a place is worth telling: seldom, for the battery's sake, and soon after a move. */
import { metresBetween } from "./here.js";

/** @typedef {import("./here.js").Here} Here */

const EVERY_MS = 60_000;
const EVERY_M = 50;
/** A fast drive is not told more often than this. */
export const LEAST_MS = 10_000;

/**
 * Whether a place is to be told, after the last one that was.
 * @param {Here} now
 * @param {Here | null} before
 */
export function isWorthTelling(now, before) {
  if (!before) return true;
  const passed = Date.parse(now.at) - Date.parse(before.at);
  if (passed >= EVERY_MS) return true;
  // A place that is known to 80 metres has not moved by 60.
  return passed >= LEAST_MS && metresBetween(now, before) >= Math.max(EVERY_M, now.accuracy_m);
}
