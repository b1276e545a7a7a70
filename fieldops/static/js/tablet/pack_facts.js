/** What the server has said of valves since a pack was made, written into its arrays. Pure. */
import { rowsOf } from "./pack_format.js";

/** @typedef {import("./pack_format.js").Pack} Pack */
/** @typedef {"valve" | "pump" | "control_valve"} Table */
/** @typedef {{kind: Table, id: string, position: string, operability: string, reachable: boolean, is_assumed: boolean}} ValveFacts */

/** The kinds of devices, as `device_table` numbers them: each has ids of its own. */
export const TABLES = /** @type {const} */ (["valve", "pump", "control_valve"]);

const POSITIONS = ["open", "closed", "unknown"];
const OPERABILITIES = ["operable", "inoperable", "unknown"];

/**
 * Every device of an id, of whatever kind.
 * @param {Pack} pack
 * @param {string} id
 */
export const devicesOf = (pack, id) => rowsOf(pack, "device_id", id);

/**
 * The row of a device; -1 if the pack has none of this kind and id.
 * @param {Pack} pack
 * @param {string} table
 * @param {string} id
 */
export const deviceRow = (pack, table, id) => devicesOf(pack, id).find((row) => TABLES[pack.columns.device_table[row]] === table) ?? -1;

/**
 * The row of what people mean by a number: a valve, else a control valve, else a pump.
 * @param {Pack} pack
 * @param {string} id
 */
export function valveRow(pack, id) {
  const row = deviceRow(pack, "valve", id);
  if (row >= 0) return row;
  return ["control_valve", "pump"].map((table) => deviceRow(pack, table, id)).find((one) => one >= 0) ?? -1;
}

/**
 * The facts known by now: those from before, with what was told.
 * @param {Record<string, ValveFacts>} before
 * @param {ValveFacts[]} told
 * @returns {Record<string, ValveFacts>} by kind and id
 */
export const mergeFacts = (before, told) => ({ ...before, ...Object.fromEntries(told.map((one) => [`${one.kind}:${one.id}`, one])) });

/**
 * Write facts into the arrays of a pack.
 * @param {Pack} pack
 * @param {{is_whole: boolean, valves: Record<string, ValveFacts>} | null} facts
 */
export function writeFacts(pack, facts) {
  if (!facts) return;
  const { device_position, device_operability, device_reachable, device_is_assumed } = pack.columns;
  if (facts.is_whole) {
    // Whatever is not listed is open and can be worked.
    device_position.fill(0);
    device_operability.fill(OPERABILITIES.indexOf("unknown"));
    device_reachable.fill(1);
  }
  for (const valve of Object.values(facts.valves)) {
    const row = deviceRow(pack, valve.kind, valve.id);
    if (row < 0) continue;
    device_position[row] = POSITIONS.indexOf(valve.position);
    device_operability[row] = OPERABILITIES.indexOf(valve.operability);
    device_reachable[row] = valve.reachable ? 1 : 0;
    device_is_assumed[row] = valve.is_assumed ? 1 : 0;
  }
}
