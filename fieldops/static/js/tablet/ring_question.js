/** What an outage's plan asks of the network, in the rows of the pack on this device. Pure. */
import { KIND, OPERABILITY, POSITION } from "./floods.js";
import { factsOf } from "./isolate.js";
import { TABLES, devicesOf } from "./pack_facts.js";
import { rowOf } from "./pack_format.js";

/** @typedef {import("./pack_format.js").Pack} Pack */
/** @typedef {import("./isolate.js").Break} Break */
/** @typedef {import("./floods.js").Facts} Facts */

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

/** What the break is, or a valve of the question, stands outside the pack: nothing can be said. */
export class NotInPack extends Error {
  /** @param {string} what */
  constructor(what) {
    super(`${what} is not in the pack of this device`);
    this.name = "NotInPack";
    this.what = what;
  }
}

const POSITIONS = ["open", "closed", "unknown"];

/** Whether a job holds a device shut. @param {Worked} valve */
const isShut = (valve) => (valve.state === "passing" ? valve.accepted_by !== null : valve.state === "closed_tight" || valve.state === "will_not_reopen");

/** Whether a device was tried and bounds nothing. @param {Worked} valve */
export const isStuck = (valve) => (valve.state === "passing" ? valve.accepted_by === null : valve.state === "will_not_close" || valve.state === "not_found");

/** @param {Asked} outage @returns {Question} */
export function plainQuestion(outage) {
  const pipes = /** @type {[string, number | null][]} */ (outage.pipe === null ? [] : [[outage.pipe, outage.at_m]]);
  return { pipes, valves: [], nodes: [], hydrants: [], closed: [], inoperable: [], unreachable: [], opened: [] };
}

/**
 * @param {Pack} pack
 * @param {Question} question
 * @returns {Break}
 */
export function breakOf(pack, question) {
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
export function gatesOf(pack, id) {
  const rows = devicesOf(pack, id).filter((row) => {
    const kind = pack.columns.device_kind[row];
    return kind === KIND.VALVE || kind === KIND.ISOLATING_CONTROL_VALVE;
  });
  if (rows.length === 0) throw new NotInPack(id);
  return rows;
}

/**
 * What is supposed besides the facts, as the server supposes it.
 * @param {Pack} pack
 * @param {Question} question
 * @param {Worked[]} valves
 * @param {Worked[]} tried - those that bound nothing
 * @returns {import("./isolate.js").Supposed}
 */
export function suppose(pack, question, valves, tried) {
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
export function factsBefore(pack, outages) {
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
