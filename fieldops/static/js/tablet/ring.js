/**
 * The next ring of valves after one that does not bound: what it changes in the plan, and whether
 * dispatch has to be called. Pure: the same pack, outage and words always give the same ring.
 */
import { KIND, OPERABILITY, POSITION, factsOf, isolate } from "./isolate.js";
import { rowOf, textAt } from "./pack_format.js";

/** @typedef {import("./pack_format.js").Pack} Pack */
/** @typedef {import("./isolate.js").Break} Break */
/** @typedef {import("./isolate.js").Facts} Facts */
/** @typedef {import("./isolate.js").Isolation} Isolation */

/**
 * What is asked of the network: as the outage was opened, with what its plan was chosen to do.
 * @typedef {object} Question
 * @property {[string, number | null][]} pipes
 * @property {string[]} valves
 * @property {string[]} nodes
 * @property {string[]} hydrants
 * @property {string[]} closed
 * @property {string[]} inoperable
 * @property {string[]} unreachable
 * @property {string[]} opened
 */

/**
 * What a ring needs to know of an outage: the day's, with what was recorded on this device.
 * @typedef {object} Asked
 * @property {string} id
 * @property {string | null} pipe
 * @property {number | null} at_m
 * @property {Question} [question]
 * @property {Worked[]} valves
 */

/**
 * @typedef {object} Worked
 * @property {string} valve
 * @property {string} table
 * @property {string} role
 * @property {string} state
 * @property {string} position_before
 * @property {string | null} accepted_by
 */

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

/** What the break is, or a valve of the question, stands outside the pack: nothing can be said. */
export class NotInPack extends Error {
  /** @param {string} what */
  constructor(what) {
    super(`${what} is not in the pack of this device`);
    this.name = "NotInPack";
    this.what = what;
  }
}

const TABLES = /** @type {const} */ (["valve", "pump", "control_valve"]);
const CLOSES = /** @type {const} */ (["unknown", "clockwise", "anticlockwise"]);
const POSITIONS = ["open", "closed", "unknown"];
const EARTH_M = 6_371_000;

/** Whether a job holds a device shut. @param {Worked} valve */
const isShut = (valve) => (valve.state === "passing" ? valve.accepted_by !== null : valve.state === "closed_tight" || valve.state === "will_not_reopen");

/** Whether a device was tried and bounds nothing. @param {Worked} valve */
const isStuck = (valve) => (valve.state === "passing" ? valve.accepted_by === null : valve.state === "will_not_close" || valve.state === "not_found");

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

/** @param {Asked} outage @returns {Question} */
function plainQuestion(outage) {
  const pipes = /** @type {[string, number | null][]} */ (outage.pipe === null ? [] : [[outage.pipe, outage.at_m]]);
  return { pipes, valves: [], nodes: [], hydrants: [], closed: [], inoperable: [], unreachable: [], opened: [] };
}

/**
 * @param {Pack} pack
 * @param {Question} question
 * @returns {Break}
 */
function breakOf(pack, question) {
  // Nodes are in no pack: what breaks at one cannot be asked here.
  if (question.nodes.length) throw new NotInPack(question.nodes.join(", "));
  const lengths = pack.columns.pipe_length_m;
  /** @type {Break[]} */
  const places = [
    ...question.pipes.map(([id, atM]) => {
      const pipe = rowIn(pack, "pipe_id", id);
      return { pipe, at_m: atM === null ? null : Math.min(atM, lengths[pipe]) };
    }),
    ...question.valves.flatMap((id) => gatesOf(pack, id).map((device) => ({ device }))),
    ...question.hydrants.map((id) => ({ hydrant: rowIn(pack, "hydrant_id", id) })),
  ];
  if (places.length === 0 && question.closed.length === 0) throw new NotInPack("?");
  return { places };
}

/**
 * @param {Pack} pack
 * @param {string} column
 * @param {string} id
 */
function rowIn(pack, column, id) {
  const row = rowOf(pack, column, id);
  if (row < 0) throw new NotInPack(id);
  return row;
}

/**
 * The rows of a valve by its id: an isolating control valve is a valve, too, and a pump may have the same id.
 * @param {Pack} pack
 * @param {string} id
 * @returns {number[]}
 */
function gatesOf(pack, id) {
  const rows = devicesOf(pack, id).filter((row) => {
    const kind = pack.columns.device_kind[row];
    return kind === KIND.VALVE || kind === KIND.ISOLATING_CONTROL_VALVE;
  });
  if (rows.length === 0) throw new NotInPack(id);
  return rows;
}

/**
 * Every device of an id; `rowOf` finds one of them, and those of one id stand together in the order.
 * @param {Pack} pack
 * @param {string} id
 * @returns {number[]}
 */
function devicesOf(pack, id) {
  const order = pack.columns.device_id_order;
  const found = rowOf(pack, "device_id", id);
  if (found < 0) return [];
  const middle = order.indexOf(found);
  let first = middle;
  let last = middle;
  while (first > 0 && textAt(pack, "device_id", order[first - 1]) === id) first -= 1;
  while (last + 1 < order.length && textAt(pack, "device_id", order[last + 1]) === id) last += 1;
  return Array.from(order.slice(first, last + 1));
}

/**
 * What is supposed besides the facts, as the server supposes it.
 * @param {Pack} pack
 * @param {Question} question
 * @param {Worked[]} valves
 * @param {Worked[]} tried - those that bound nothing
 * @returns {import("./isolate.js").Supposed}
 */
function suppose(pack, question, valves, tried) {
  const rows = (/** @type {string[]} */ ids) => [...new Set(ids)].flatMap((id) => gatesOf(pack, id));
  const ids = (/** @type {Worked[]} */ some) => some.map((one) => one.valve);
  const leaking = tried.filter((one) => one.position_before === "closed");
  return {
    closed: rows(question.closed),
    inoperable: rows([...question.inoperable, ...ids(tried.filter((one) => one.state !== "not_found"))]),
    unreachable: rows([...question.unreachable, ...ids(tried.filter((one) => one.state === "not_found"))]),
    opened: rows([...question.opened, ...ids(valves.filter((one) => one.state === "opened")), ...ids(leaking)]),
  };
}

/**
 * The network as it was before the jobs that this device knows of closed or opened anything.
 * @param {Pack} pack
 * @param {Asked[]} outages
 * @returns {Facts}
 */
function factsBefore(pack, outages) {
  const recorded = factsOf(pack);
  const facts = { ...recorded, position: recorded.position.slice(), operability: recorded.operability.slice(), reachable: recorded.reachable.slice() };
  for (const valve of outages.flatMap((outage) => outage.valves)) {
    const isWorked = isShut(valve) || valve.state === "opened";
    if (!isWorked || (valve.table !== "valve" && valve.table !== "control_valve")) continue;
    const rows = devicesOf(pack, valve.valve).filter((row) => TABLES[pack.columns.device_table[row]] === valve.table);
    for (const row of rows) {
      facts.position[row] = Math.max(POSITIONS.indexOf(valve.position_before), POSITION.OPEN);
      // What a crew has closed can be closed, whatever was recorded of it before.
      if (!isShut(valve) || valve.state === "will_not_reopen") continue;
      const cannot = facts.operability[row] === OPERABILITY.INOPERABLE || !facts.reachable[row];
      if (cannot) facts.operability[row] = OPERABILITY.OPERABLE;
      facts.reachable[row] = 1;
    }
  }
  return facts;
}

/**
 * @param {Pack} pack
 * @param {Asked} outage
 * @param {string} stuck
 * @param {{now: Isolation, earlier: Isolation, closed: string[], mostMm: number}} found
 * @returns {Ring}
 */
function describe(pack, outage, stuck, { now, earlier, closed, mostMm }) {
  const centre = devicesOf(pack, stuck)[0] ?? -1;
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
