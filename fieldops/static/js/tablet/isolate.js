/**
 * Which valves to close around a break and who loses supply by it, worked out on the device.
 *
 * The same answer as `gis.isolation.isolate`, from the arrays of a pack: nothing is asked of a
 * server, and nothing here knows of pages, storage or time.
 */
import { BACKWARD, FORWARD, KIND, OPERABILITY, POSITION, drain, edgeStates, isGate, letRun } from "./floods.js";
import { partAt } from "./pack_format.js";

/** A block beyond the pack's edge that had its water without passing the district; docs/pack-format.md. */
const BEYOND_SUPPLIED = 2;
/** Block of a feed that stands outside the pack and had water when it was baked. */
const OUTSIDE_SUPPLIED = -2;

/** @typedef {import("./pack_format.js").Pack} Pack */
/** @typedef {import("./floods.js").Facts} Facts */

/**
 * What is broken, by row: without `at_m` the whole pipe. Several places at once go into `places`.
 * @typedef {object} Break
 * @property {number} [pipe]
 * @property {number | null} [at_m]
 * @property {number} [device]
 * @property {number} [hydrant]
 * @property {Break[]} [places]
 */

/**
 * What is supposed besides the facts, as rows of devices.
 * @typedef {object} Supposed
 * @property {Iterable<number>} [opened] - stand open, whatever is recorded
 * @property {Iterable<number>} [inoperable] - cannot be worked
 * @property {Iterable<number>} [unreachable] - nobody gets at them
 * @property {Iterable<number>} [closed] - closed besides, whether or not they part the break from anything
 */

/**
 * What isolating a break does. Every list holds ascending row numbers.
 * @typedef {object} Isolation
 * @property {number[]} valves_to_close - open valves at the segment with supply behind them
 * @property {number[]} valves_optional - those without
 * @property {number[]} valves_verify_shut - closed valves that keep supply from the segment
 * @property {number[]} pumps_to_stop - running pumps with an end on it
 * @property {number[]} sources_on_segment - while there are any, closing valves does not stop the water
 * @property {number} properties_shut
 * @property {number | null} properties_cut_off - null where nobody can tell
 * @property {number[]} premises_shut
 * @property {number[]} premises_cut_off
 * @property {number[]} critical - critical premises that lose supply
 * @property {number[]} parts_shut
 * @property {number[]} parts_cut_off
 * @property {boolean} reaches_pack_edge - it may go on beyond the pack: what is said of supply is then in doubt
 * @property {boolean} has_sources
 */

/**
 * What is recorded of the devices in a pack, as it was baked.
 * @param {Pack} pack
 * @returns {Facts}
 */
export const factsOf = ({ columns }) => ({
  position: columns.device_position,
  operability: columns.device_operability,
  reachable: columns.device_reachable,
  is_open: columns.device_is_open,
});

/**
 * @param {Pack} pack
 * @param {Facts} facts
 * @param {Break} broken
 * @param {Supposed} [supposed]
 * @returns {Isolation}
 * @throws {RangeError} if something broken is not in the pack, or a place not on its pipe
 */
export function isolate(pack, facts, broken, supposed = {}) {
  const { part_block: partBlock, source_block: sourceBlock, device_kind: kinds } = pack.columns;
  const seeds = blocksOf(pack, broken);
  const closing = Int32Array.from(new Set(supposed.closed ?? [])).sort();
  for (const row of closing) refuseRow("device", row, kinds.length);
  const known = suppose(kinds, facts, supposed);
  const before = edgeStates(pack, known);
  const state = closing.length ? before.slice() : before;
  for (const row of closing) state[row] = 0;
  const drained = drain(pack, state, seeds);
  const { reaches_pack_edge, ...wet } = findSupply(pack, { before, after: state }, drained);
  const found = { drained, ...wet, hasSources: Boolean(pack.about.has_sources) };
  return {
    ...sortBorder(pack, known, state, found, closing),
    sources_on_segment: rowsWhere(sourceBlock, (block) => drained[block] === 1),
    ...countPremises(pack, found),
    parts_shut: rowsWhere(partBlock, (block) => drained[block] === 1),
    parts_cut_off: rowsWhere(partBlock, (block) => found.had[block] === 1 && found.has[block] === 0 && drained[block] === 0),
    reaches_pack_edge,
    has_sources: found.hasSources,
  };
}

/**
 * Blocks that are drained, that had water and that have it afterwards.
 * @typedef {{drained: Uint8Array, had: Uint8Array, has: Uint8Array, hasSources: boolean}} Found
 */

/**
 * @param {ArrayLike<number>} blocks
 * @param {(block: number) => boolean} test
 */
function rowsWhere(blocks, test) {
  /** @type {number[]} */
  const rows = [];
  for (let row = 0; row < blocks.length; row += 1) if (blocks[row] >= 0 && test(blocks[row])) rows.push(row);
  return rows;
}

/**
 * A negative row would count from nowhere, and one too large would read as not closed.
 * @param {string} kind
 * @param {number} row
 * @param {number} count
 */
function refuseRow(kind, row, count) {
  if (!Number.isInteger(row) || row < 0 || row >= count) throw new RangeError(`no ${kind} ${row} among ${count}`);
}

/**
 * List the blocks that a break is on.
 * @param {Pack} pack
 * @param {Break} broken
 * @returns {number[]}
 */
export function blocksOf(pack, broken) {
  const { edge_blocks: ends, part_block: partBlock, hydrant_block: hydrantBlock } = pack.columns;
  const blocks = (broken.places ?? []).flatMap((place) => blocksOf(pack, place));
  if (broken.pipe !== undefined) {
    const [first, last] = partsBroken(pack, broken.pipe, broken.at_m ?? null);
    for (let part = first; part < last; part += 1) blocks.push(partBlock[part]);
  }
  if (broken.device !== undefined) {
    refuseRow("device", broken.device, pack.columns.device_kind.length);
    blocks.push(ends[2 * broken.device], ends[2 * broken.device + 1]);
  }
  if (broken.hydrant !== undefined) {
    refuseRow("hydrant", broken.hydrant, hydrantBlock.length);
    if (hydrantBlock[broken.hydrant] !== -1) blocks.push(hydrantBlock[broken.hydrant]);
  }
  if (blocks.some((block) => block < 0)) throw new RangeError("the break is beyond the pack");
  return blocks;
}

/**
 * @param {Pack} pack
 * @param {number} pipe
 * @param {number | null} atM - null is the whole pipe
 * @returns {[first: number, end: number]}
 */
function partsBroken(pack, pipe, atM) {
  const { pipe_length_m: lengthM, pipe_first_part: firstPart } = pack.columns;
  refuseRow("pipe", pipe, lengthM.length);
  if (atM === null) return [firstPart[pipe], firstPart[pipe + 1]];
  if (!(atM >= 0 && atM <= lengthM[pipe])) throw new RangeError(`${atM} m is not on pipe ${pipe}, which is ${lengthM[pipe]} m long`);
  const part = partAt(pack, pipe, atM);
  return [part, part + 1];
}

/**
 * The facts with what is supposed; the arrays given are left as they are.
 * @param {ArrayLike<number>} kinds
 * @param {Facts} facts
 * @param {Supposed} supposed
 * @returns {Facts}
 */
function suppose(kinds, facts, { opened, inoperable, unreachable }) {
  const known = { ...facts };
  /** @type {(name: keyof Facts, rows: number[], value: number) => void} */
  const write = (name, rows, value) => {
    if (rows.length === 0) return;
    known[name] = known[name].slice();
    for (const row of rows) {
      refuseRow("device", row, kinds.length);
      known[name][row] = value;
    }
  };
  const open = [...opened ?? []];
  write("position", open, POSITION.OPEN);
  write("is_open", open, 1);
  write("operability", [...inoperable ?? []], OPERABILITY.INOPERABLE);
  write("reachable", [...unreachable ?? []], 0);
  return known;
}

/**
 * Find who had water and who has it afterwards, and whether the pack's edge leaves that in doubt.
 *
 * Beyond the edge only the ways are known by which water came when the pack was baked. While every
 * block beyond keeps its water by these, nobody out there loses any; once one does not, or water
 * is drained from it, what is said of supply is in doubt.
 * @param {Pack} pack
 * @param {{before: Uint8Array, after: Uint8Array}} states
 * @param {Uint8Array} drained
 * @returns {{had: Uint8Array, has: Uint8Array, reaches_pack_edge: boolean}}
 */
function findSupply(pack, states, drained) {
  const { block_beyond: beyond, source_block: sources } = pack.columns;
  const roots = rowsWhere(beyond, (how) => how === BEYOND_SUPPLIED).concat(Array.from(sources).filter((block) => block >= 0));
  const had = letRun(pack, states.before, roots);
  const has = letRun(pack, states.after, roots, drained);
  let reaches = false;
  for (let block = 0; block < beyond.length; block += 1) {
    if (beyond[block] && (drained[block] || (had[block] && !has[block]))) reaches = true;
  }
  return { had, has, reaches_pack_edge: reaches };
}

/**
 * Sort the devices at the segment: to close, optional, verify shut, pumps to stop.
 * @param {Pack} pack
 * @param {Facts} facts
 * @param {Uint8Array} state
 * @param {Found} found
 * @param {Int32Array} closing
 */
function sortBorder({ columns }, facts, state, { drained, has, hasSources }, closing) {
  const { edge_blocks: ends, edge_is_dead: isDead, edge_is_one_way: isOneWay, device_kind: kinds } = columns;
  const isClosing = new Set(closing);
  /** @type {Record<"valves_to_close" | "valves_optional" | "valves_verify_shut" | "pumps_to_stop", number[]>} */
  const border = { valves_to_close: [], valves_optional: [], valves_verify_shut: [], pumps_to_stop: [] };
  for (let row = 0; row < kinds.length; row += 1) {
    const first = ends[2 * row];
    const second = ends[2 * row + 1];
    if (isDead[row] || !(drained[first] || drained[second])) continue;
    if (kinds[row] === KIND.PUMP && facts.is_open[row]) border.pumps_to_stop.push(row);
    if (!isGate(kinds[row]) || drained[first] === drained[second]) continue;
    const secondIn = drained[second] === 1;
    const hasSupply = !hasSources || has[secondIn ? first : second] === 1;
    if (state[row] & (secondIn ? FORWARD : BACKWARD)) (hasSupply ? border.valves_to_close : border.valves_optional).push(row);
    else if (state[row] === 0 && hasSupply && (secondIn || !isOneWay[row]) && !isClosing.has(row)) border.valves_verify_shut.push(row);
  }
  return border;
}

/**
 * Count who loses supply: with a feed on the segment, or without one.
 * @param {Pack} pack
 * @param {Found} found
 */
function countPremises({ columns }, { drained, had, has, hasSources }) {
  const { feed_premises: owner, feed_block: block, premises_properties: properties, premises_is_critical: isCritical, block_stands: stands } = columns;
  const [HAD, HAS, IS_ON, LOST_ONE] = [1, 2, 4, 8];
  const flags = new Uint8Array(properties.length);
  for (let feed = 0; feed < block.length; feed += 1) {
    const at = block[feed];
    if (at === OUTSIDE_SUPPLIED) flags[owner[feed]] |= HAD | HAS;
    if (at < 0) continue;
    const hadWater = hasSources ? had[at] === 1 : stands[at] === 1;
    flags[owner[feed]] |= (hadWater ? HAD : 0) | (hadWater && has[at] ? HAS : 0)
      | (drained[at] ? IS_ON : 0) | (hadWater && drained[at] ? LOST_ONE : 0);
  }
  /** @type {number[]} */
  const shut = [];
  /** @type {number[]} */
  const cutOff = [];
  for (let row = 0; row < flags.length; row += 1) {
    if (!hasSources) {
      // Whether the other feed has water is unknown: a feed lost is supply lost.
      if (flags[row] & LOST_ONE) shut.push(row);
    } else if ((flags[row] & (HAD | HAS)) === HAD) (flags[row] & IS_ON ? shut : cutOff).push(row);
  }
  const sum = (/** @type {number[]} */ rows) => rows.reduce((total, row) => total + properties[row], 0);
  return {
    properties_shut: sum(shut),
    properties_cut_off: hasSources ? sum(cutOff) : null,
    premises_shut: shut,
    premises_cut_off: cutOff,
    critical: [...shut, ...cutOff].filter((row) => isCritical[row]).sort((one, other) => one - other),
  };
}
