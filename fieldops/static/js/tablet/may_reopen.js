/** With no signal no valve is opened again, unless the dispatcher has released it by phone. Pure. */
import { isShut, valvesOf } from "./job_state.js";

/** @typedef {import("./job_state.js").OutageNow} OutageNow */
/** @typedef {{outage: string, valve: string, release_code: string}} Release - a code that was found right */
/** @typedef {{may: boolean, why: "released" | "online" | "not_released" | "not_shut" | "not_repaired"}} Verdict */

/**
 * Whether a valve may be opened again; with a signal the server decides as it is recorded.
 * @param {Pick<OutageNow, "id" | "valves" | "stages">} outage
 * @param {string} valve
 * @param {Release[]} releases
 * @param {{is_online?: boolean}} [now]
 * @returns {Verdict}
 */
export function mayReopen(outage, valve, releases, { is_online: isOnline = false } = {}) {
  const shut = outage.valves.find((one) => one.valve === valve && one.role !== "verify_shut" && (isShut(one) || one.state === "passing"));
  if (!shut) return { may: false, why: "not_shut" };
  if (!outage.stages.repaired) return { may: false, why: "not_repaired" };
  if (isOnline) return { may: true, why: "online" };
  return isReleased(outage.id, valve, releases) ? { may: true, why: "released" } : { may: false, why: "not_released" };
}

/**
 * @param {string} outage
 * @param {string} valve
 * @param {Release[]} releases
 */
const isReleased = (outage, valve, releases) => releases.some((one) => one.outage === outage && one.valve === valve && one.release_code !== "");

/**
 * Find a valve that an operation would open with no signal though nobody has released it: the last
 * line behind the pages, whichever of them asks.
 * @param {OutageNow} outage
 * @param {string} action
 * @param {Record<string, any>} body
 * @param {{is_online: boolean}} now
 * @returns {string | null}
 */
export function findUnreleased(outage, action, body, now) {
  if (now.is_online) return null;
  /** @type {Record<string, string>} */
  const codes = { ...body.release_codes, ...(body.release_code ? { [body.valve]: body.release_code } : {}) };
  const releases = Object.entries(codes).map(([valve, release_code]) => ({ outage: outage.id, valve, release_code: String(release_code) }));
  return openedBy(outage, action, body).find((valve) => !isReleased(outage.id, valve, releases)) ?? null;
}

/**
 * The valves that an operation says are open again.
 * @param {OutageNow} outage
 * @param {string} action
 * @param {Record<string, any>} body
 * @returns {string[]}
 */
function openedBy(outage, action, body) {
  if (action === "refeed") return [String(body.valve)];
  if (action === "reopen_valve") return (body.result ?? "reopened") === "reopened" ? [String(body.valve)] : [];
  if (action !== "restore_part") return [];
  const part = String(body.part ?? "");
  return part.startsWith("refeed:") ? [part.slice("refeed:".length)] : valvesOf(outage, body);
}
