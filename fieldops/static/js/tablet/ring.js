/**
 * The next ring of valves after one that does not bound: what it changes in the plan, and whether
 * dispatch has to be called. Pure: the same pack, outage and words always give the same ring.
 */
import { POSITION } from "./floods.js";
import { isolate } from "./isolate.js";
import { textAt } from "./pack_format.js";
import { TABLES, valveRow } from "./pack_facts.js";
import { breakOf, factsBefore, gatesOf, isStuck, plainQuestion, suppose } from "./ring_question.js";

/** @typedef {import("./pack_format.js").Pack} Pack */
/** @typedef {import("./ring_question.js").Asked} Asked */
/** @typedef {import("./ring_question.js").Worked} Worked */
/** @typedef {import("./isolate.js").Isolation} Isolation */

/**
 * A valve or pump of the ring; what is not known is null.
 * @typedef {object} RingValve
 * @property {string} valve
 * @property {"valve" | "control_valve" | "pump"} table
 * @property {number} key
 * @property {"close" | "optional" | "verify_shut" | "pump"} role
 * @property {number} lon
 * @property {number} lat
 * @property {number | null} turns_recorded
 * @property {"clockwise" | "anticlockwise" | "unknown"} closes
 * @property {number | null} diameter_mm
 * @property {string | null} valve_type
 * @property {boolean} is_boundary
 * @property {boolean} is_position_assumed
 * @property {number | null} metres - from the valve that does not bound, in a straight line
 */

/** @typedef {"critical" | "boundary" | "pump" | "large" | "size_unknown" | "source" | "pack_edge" | "no_sources"} Reason */

/**
 * @typedef {object} Ring
 * @property {string} stuck
 * @property {RingValve[]} close - the nearest first
 * @property {RingValve[]} optional
 * @property {RingValve[]} verify_shut
 * @property {RingValve[]} pumps
 * @property {string[]} sources - ids: closing valves alone does not stop the water
 * @property {number | null} properties - without water, shut and cut off together; null where nobody can tell
 * @property {number} properties_shut
 * @property {string[]} critical - what is critical, as recorded
 * @property {string[]} valves_added
 * @property {string[]} valves_removed
 * @property {number | null} properties_added
 * @property {string[]} critical_added
 * @property {Reason[]} reasons - why dispatch has to be called; none: the crew may go on
 * @property {Isolation} isolation
 */

const CLOSES = /** @type {const} */ (["unknown", "clockwise", "anticlockwise"]);
const EARTH_M = 6_371_000;

/**
 * Work out the next ring.
 * @param {Pack} pack
 * @param {Asked} outage
 * @param {string} stuck - the valve that does not bound
 * @param {{others?: Asked[], most_mm?: number}} [known] - the other outages of the day; the size that a crew may close by itself
 * @returns {Ring}
 * @throws {NotInPack}
 */
export function nextRing(pack, outage, stuck, { others = [], most_mm: mostMm = Infinity } = {}) {
  const facts = factsBefore(pack, [outage, ...others]);
  const question = outage.question ?? plainQuestion(outage);
  const broken = breakOf(pack, question);
  const valves = outage.valves.filter((valve) => valve.table === "valve" || valve.table === "control_valve");
  // A pump or a source that cannot be stopped moves no ring: it stays on the segment, and dispatch is called.
  const isGate = valves.some(({ valve }) => valve === stuck) || outage.valves.every(({ valve }) => valve !== stuck);
  const isKnown = valves.some((valve) => valve.valve === stuck && isStuck(valve));
  const tried = isKnown || !isGate ? valves.filter(isStuck) : [...valves.filter(isStuck), { ...lonely(stuck), ...valves.find((valve) => valve.valve === stuck), state: "will_not_close" }];
  const now = isolate(pack, facts, broken, suppose(pack, question, valves, tried));
  const earlier = isolate(pack, facts, broken, suppose(pack, question, valves, tried.filter((valve) => valve.valve !== stuck)));
  return describe(pack, outage, stuck, { now, earlier, closed: question.closed, mostMm });
}

/** A valve of which only the name is known. @param {string} valve @returns {Worked} */
const lonely = (valve) => ({ valve, table: "valve", role: "close", state: "to_close", position_before: "open", accepted_by: null });

/**
 * @param {Pack} pack
 * @param {Asked} outage
 * @param {string} stuck
 * @param {{now: Isolation, earlier: Isolation, closed: string[], mostMm: number}} found
 * @returns {Ring}
 */
function describe(pack, outage, stuck, { now, earlier, closed, mostMm }) {
  const centre = valveRow(pack, stuck);
  const cards = (/** @type {number[]} */ rows, /** @type {RingValve["role"]} */ role) => rows.map((row) => cardOf(pack, row, role, centre))
    .sort((one, other) => (one.metres ?? Infinity) - (other.metres ?? Infinity));
  const besides = [...new Set(closed.flatMap((id) => gatesOf(pack, id)))].filter((row) => !now.valves_to_close.includes(row));
  const close = cards([...now.valves_to_close, ...besides], "close");
  const verifyShut = cards(now.valves_verify_shut, "verify_shut");
  const ids = new Set(close.map((one) => one.valve));
  const planned = new Set(outage.valves.filter((one) => one.role === "close").map((one) => one.valve));
  const properties = sum(now);
  const was = sum(earlier);
  const kinds = (/** @type {number[]} */ rows) => rows.map((row) => textAt(pack, "premises_critical", row));
  const ring = {
    stuck,
    close,
    optional: cards(now.valves_optional, "optional"),
    verify_shut: verifyShut,
    pumps: cards(now.pumps_to_stop, "pump"),
    sources: now.sources_on_segment.map((row) => textAt(pack, "source_id", row)),
    properties,
    properties_shut: now.properties_shut,
    critical: kinds(now.critical),
    valves_added: [...ids].filter((id) => !planned.has(id)),
    valves_removed: [...planned].filter((id) => !ids.has(id)),
    properties_added: properties === null || was === null ? null : properties - was,
    critical_added: kinds(now.critical.filter((row) => !earlier.critical.includes(row))),
    isolation: now,
  };
  return { ...ring, reasons: reasonsOf(ring, mostMm) };
}

/** @param {Isolation} found */
const sum = (found) => (found.properties_cut_off === null || found.reaches_pack_edge ? null : found.properties_shut + found.properties_cut_off);

/**
 * Why dispatch has to be called; what is not known is a reason, too.
 * @param {Omit<Ring, "reasons">} ring
 * @param {number} mostMm
 * @returns {Reason[]}
 */
function reasonsOf(ring, mostMm) {
  /** @type {[Reason, boolean][]} */
  const reasons = [
    ["critical", ring.critical.length > 0],
    ["boundary", [...ring.close, ...ring.verify_shut].some((one) => one.is_boundary)],
    ["pump", ring.pumps.length > 0],
    ["large", ring.close.some((one) => one.diameter_mm !== null && one.diameter_mm > mostMm)],
    ["size_unknown", Number.isFinite(mostMm) && ring.close.some((one) => one.diameter_mm === null)],
    ["source", ring.sources.length > 0],
    ["pack_edge", ring.isolation.reaches_pack_edge],
    ["no_sources", !ring.isolation.has_sources],
  ];
  return reasons.filter(([, holds]) => holds).map(([reason]) => reason);
}

/**
 * @param {Pack} pack
 * @param {number} row
 * @param {RingValve["role"]} role
 * @param {number} centre - a device, or -1
 * @returns {RingValve}
 */
function cardOf(pack, row, role, centre) {
  const { columns } = pack;
  const known = (/** @type {number} */ value) => (Number.isNaN(value) ? null : value);
  const place = (/** @type {number} */ device) => ({ lon: columns.device_lon[device], lat: columns.device_lat[device] });
  return {
    valve: textAt(pack, "device_id", row),
    table: TABLES[columns.device_table[row]],
    key: columns.device_key[row],
    role,
    ...place(row),
    turns_recorded: known(columns.device_turns[row]),
    closes: CLOSES[columns.device_closes[row]],
    diameter_mm: known(columns.device_diameter_mm[row]),
    valve_type: textAt(pack, "device_type", row) || null,
    is_boundary: Boolean(columns.device_boundary[row]),
    is_position_assumed: Boolean(columns.device_is_assumed[row]) || columns.device_position[row] === POSITION.UNKNOWN,
    metres: centre < 0 ? null : metres(place(centre), place(row)),
  };
}

/**
 * @param {{lon: number, lat: number}} one
 * @param {{lon: number, lat: number}} other
 */
function metres(one, other) {
  const radians = Math.PI / 180;
  const east = (other.lon - one.lon) * radians * Math.cos(((one.lat + other.lat) / 2) * radians);
  return EARTH_M * Math.hypot(east, (other.lat - one.lat) * radians);
}
