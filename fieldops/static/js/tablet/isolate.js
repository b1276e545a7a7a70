/**
 * Which valves to close around a break and who loses supply by it, worked out on the device.
 *
 * The same answer as `gis.isolation.isolate`, from the same arrays: nothing is asked of a server,
 * and nothing here knows of pages, storage or time.
 */

// What an edge does now: bits of its state, as in gis/floods.py.
const FORWARD = 1;
const BACKWARD = 2;
const CLOSABLE = 4;

export const KIND = Object.freeze({ VALVE: 0, PUMP: 1, CONTROL_VALVE: 2, ISOLATING_CONTROL_VALVE: 3 });
export const POSITION = Object.freeze({ OPEN: 0, CLOSED: 1, UNKNOWN: 2 });
export const OPERABILITY = Object.freeze({ OPERABLE: 0, INOPERABLE: 1, UNKNOWN: 2 });

/** Two places along a pipe nearer than this are one place. */
const SAME_PLACE_M = 1e-3;

/** @typedef {Int32Array | Uint32Array} Rows */
/** @typedef {Uint8Array | Int8Array} Codes */

/**
 * The network taken apart at its devices; everything is a row number into the arrays of its kind.
 * Edges are the devices, in their order, then one for the check of each open one-way pipe.
 * @typedef {object} Topology
 * @property {number} block_count
 * @property {Rows} edge_blocks - the two blocks of each edge, one after the other
 * @property {Codes} edge_is_dead - stands on a closed pipe, or nowhere
 * @property {Codes} edge_is_one_way - water passes only from the first block to the second
 * @property {Codes} device_kind
 * @property {Codes} device_boundary - parts two supply zones
 * @property {Float64Array} pipe_length_m
 * @property {Codes} pipe_is_open
 * @property {Rows} first_part - row of the first part of each pipe, and the number of parts at the end
 * @property {Float64Array} part_end_m
 * @property {Rows} part_block
 * @property {Rows} [node_block]
 * @property {Rows} [hydrant_block] - -1 where a hydrant stands nowhere
 * @property {Rows} source_block
 * @property {Rows} feed_premises
 * @property {Rows} feed_block - -1 where a feed is nowhere
 * @property {Rows} premises_properties
 * @property {Codes} premises_is_critical
 * @property {Codes} [block_leads_out] - whether the network goes on from a block beyond the pack
 * @property {Codes} [block_fed_from_outside] - whether a block had its water from beyond the pack
 * @property {boolean} [has_sources] - of the whole network; by default, whether the pack holds one
 */

/**
 * What is known of the devices by now, one value each.
 * @typedef {object} Facts
 * @property {Codes} position
 * @property {Codes} operability
 * @property {Codes} reachable
 * @property {Codes} is_open - recorded status of pumps and control valves
 */

/**
 * What is broken, by row: without `at_m` the whole pipe. Several places at once go into `places`.
 * @typedef {object} Break
 * @property {number} [pipe]
 * @property {number | null} [at_m]
 * @property {number} [device]
 * @property {number} [node]
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
 * @property {boolean} reaches_pack_edge - the answer may go on where the pack ends
 * @property {boolean} has_sources
 */

/** @typedef {{start: Int32Array, members: Int32Array}} Groups */

/** @type {WeakMap<Topology, Groups>} */
const edgesOf = new WeakMap();

/**
 * @param {Topology} topology
 * @param {Facts} facts
 * @param {Break} broken
 * @param {Supposed} [supposed]
 * @returns {Isolation}
 * @throws {RangeError} if something broken is not in the pack, or a place not on its pipe
 */
export function isolate(topology, facts, broken, supposed = {}) {
  const seeds = blocksOf(topology, broken);
  const closing = Int32Array.from(new Set(supposed.closed ?? [])).sort();
  for (const row of closing) refuseRow("device", row, topology.device_kind.length);
  const known = suppose(topology, facts, supposed);
  const before = edgeStates(topology, known);
  const state = closing.length ? before.slice() : before;
  for (const row of closing) state[row] = 0;
  const edges = edgesAt(topology);
  const drained = drain(topology, edges, state, seeds);
  const hasSources = topology.has_sources ?? (topology.source_block.length > 0 || anyOf(topology.block_fed_from_outside));
  const wet = { before: letRun(topology, edges, before, null), after: letRun(topology, edges, state, drained) };
  const found = { drained, wet, hasSources };
  return {
    ...sortBorder(topology, known, state, found, closing),
    sources_on_segment: rowsWhere(topology.source_block, (block) => drained[block] === 1),
    ...countPremises(topology, found),
    parts_shut: rowsWhere(topology.part_block, (block) => drained[block] === 1),
    parts_cut_off: rowsWhere(topology.part_block, (block) => isCutOff(found, block)),
    reaches_pack_edge: reachesEdge(topology, found),
    has_sources: hasSources,
  };
}

/** @typedef {{drained: Uint8Array, wet: {before: Uint8Array, after: Uint8Array}, hasSources: boolean}} Found */

/**
 * @param {Found} found
 * @param {number} block
 */
const isCutOff = ({ drained, wet }, block) => wet.before[block] === 1 && wet.after[block] === 0 && drained[block] === 0;

/** @param {ArrayLike<number> | undefined} flags */
function anyOf(flags) {
  for (let row = 0; row < (flags?.length ?? 0); row += 1) if (flags?.[row]) return true;
  return false;
}

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
 * @param {Topology} topology
 * @param {Break} broken
 * @returns {number[]}
 */
export function blocksOf(topology, broken) {
  const { edge_blocks: ends, part_block: partBlock, first_part: firstPart } = topology;
  /** @type {number[]} */
  const blocks = (broken.places ?? []).flatMap((place) => blocksOf(topology, place));
  if (broken.pipe !== undefined) {
    refuseRow("pipe", broken.pipe, topology.pipe_length_m.length);
    if (broken.at_m === undefined || broken.at_m === null) {
      for (let part = firstPart[broken.pipe]; part < firstPart[broken.pipe + 1]; part += 1) blocks.push(partBlock[part]);
    } else blocks.push(partBlock[partAt(topology, broken.pipe, broken.at_m)]);
  }
  if (broken.device !== undefined) {
    refuseRow("device", broken.device, topology.device_kind.length);
    blocks.push(ends[2 * broken.device], ends[2 * broken.device + 1]);
  }
  for (const [kind, row, of] of /** @type {const} */ ([["node", broken.node, topology.node_block], ["hydrant", broken.hydrant, topology.hydrant_block]])) {
    if (row === undefined) continue;
    refuseRow(kind, row, of?.length ?? 0);
    if (of && of[row] >= 0) blocks.push(of[row]);
  }
  return blocks;
}

/**
 * Find the part of a pipe that holds a place; one at a valve belongs to the part nearer the start.
 * @param {Topology} topology
 * @param {number} pipe
 * @param {number} atM
 */
function partAt({ first_part: firstPart, part_end_m: endM, pipe_length_m: lengthM }, pipe, atM) {
  if (!(atM >= 0 && atM <= lengthM[pipe])) throw new RangeError(`${atM} m is not on pipe ${pipe}, which is ${lengthM[pipe]} m long`);
  let part = firstPart[pipe];
  const last = firstPart[pipe + 1] - 1;
  while (part < last && endM[part] < atM - SAME_PLACE_M) part += 1;
  return part;
}

/**
 * The facts with what is supposed; the arrays given are left as they are.
 * @param {Topology} topology
 * @param {Facts} facts
 * @param {Supposed} supposed
 * @returns {Facts}
 */
function suppose({ device_kind: kind }, facts, { opened, inoperable, unreachable }) {
  const known = { ...facts };
  /** @type {(name: keyof Facts, rows: Iterable<number> | undefined, value: number) => void} */
  const write = (name, rows, value) => {
    const list = [...rows ?? []];
    if (list.length === 0) return;
    known[name] = known[name].slice();
    for (const row of list) {
      refuseRow("device", row, kind.length);
      known[name][row] = value;
    }
  };
  const open = [...opened ?? []];
  write("position", open, POSITION.OPEN);
  write("is_open", open, 1);
  write("operability", inoperable, OPERABILITY.INOPERABLE);
  write("reachable", unreachable, 0);
  return known;
}

/** @param {number} kind */
const isGate = (kind) => kind === KIND.VALVE || kind === KIND.ISOLATING_CONTROL_VALVE;

/**
 * What each edge does now. A valve of unknown position counts as open, one of unknown operability
 * as operable; a pump can always be stopped, a check cannot be closed.
 * @param {Topology} topology
 * @param {Facts} facts
 */
function edgeStates(topology, facts) {
  const { edge_is_dead: isDead, edge_is_one_way: isOneWay, device_kind: kinds } = topology;
  const state = new Uint8Array(isDead.length);
  for (let edge = 0; edge < isDead.length; edge += 1) {
    if (isDead[edge]) continue;
    const ways = isOneWay[edge] ? FORWARD : FORWARD | BACKWARD;
    if (edge >= kinds.length) {
      state[edge] = ways;
      continue;
    }
    const hasGate = isGate(kinds[edge]);
    if (!facts.is_open[edge] || (hasGate && facts.position[edge] === POSITION.CLOSED)) continue;
    const canClose = kinds[edge] === KIND.PUMP
      || (hasGate && facts.operability[edge] !== OPERABILITY.INOPERABLE && Boolean(facts.reachable[edge]));
    state[edge] = canClose ? ways | CLOSABLE : ways;
  }
  return state;
}

/**
 * The edges at each block, sorted once a topology.
 * @param {Topology} topology
 * @returns {Groups}
 */
function edgesAt(topology) {
  const known = edgesOf.get(topology);
  if (known) return known;
  const { edge_blocks: ends, block_count: count } = topology;
  const start = new Int32Array(count + 1);
  for (let end = 0; end < ends.length; end += 1) start[ends[end] + 1] += 1;
  for (let block = 0; block < count; block += 1) start[block + 1] += start[block];
  const next = start.slice(0, count);
  const members = new Int32Array(ends.length);
  for (let end = 0; end < ends.length; end += 1) {
    members[next[ends[end]]] = end >> 1;
    next[ends[end]] += 1;
  }
  const edges = { start, members };
  edgesOf.set(topology, edges);
  return edges;
}

/**
 * Mark all blocks whose water can reach the broken ones past nothing that can be closed.
 * @param {Topology} topology
 * @param {Groups} edges
 * @param {Uint8Array} state
 * @param {number[]} seeds
 */
function drain({ edge_blocks: ends, block_count: count }, { start, members }, state, seeds) {
  const mark = new Uint8Array(count);
  const queue = new Int32Array(count);
  let tail = 0;
  for (const block of seeds) if (!mark[block]) tail = push(queue, tail, mark, block);
  for (let head = 0; head < tail; head += 1) {
    const block = queue[head];
    for (let i = start[block]; i < start[block + 1]; i += 1) {
      const edge = members[i];
      if (state[edge] & CLOSABLE) continue;
      const [first, second] = [ends[2 * edge], ends[2 * edge + 1]];
      if (second === block && state[edge] & FORWARD && !mark[first]) tail = push(queue, tail, mark, first);
      if (first === block && state[edge] & BACKWARD && !mark[second]) tail = push(queue, tail, mark, second);
    }
  }
  return mark;
}

/**
 * @param {Int32Array} queue
 * @param {number} tail
 * @param {Uint8Array} mark
 * @param {number} block
 */
function push(queue, tail, mark, block) {
  mark[block] = 1;
  queue[tail] = block;
  return tail + 1;
}

/**
 * Mark the blocks that have water; what is drained neither has nor passes any.
 * @param {Topology} topology
 * @param {Groups} edges
 * @param {Uint8Array} state
 * @param {Uint8Array | null} drained
 */
function letRun(topology, { start, members }, state, drained) {
  const { edge_blocks: ends, block_count: count, source_block: sources, block_fed_from_outside: fed } = topology;
  const mark = new Uint8Array(count);
  const queue = new Int32Array(count);
  let tail = 0;
  const isFree = (/** @type {number} */ block) => !mark[block] && !drained?.[block];
  for (const block of sources) if (block >= 0 && isFree(block)) tail = push(queue, tail, mark, block);
  for (let block = 0; block < (fed?.length ?? 0); block += 1) if (fed?.[block] && isFree(block)) tail = push(queue, tail, mark, block);
  for (let head = 0; head < tail; head += 1) {
    const block = queue[head];
    for (let i = start[block]; i < start[block + 1]; i += 1) {
      const edge = members[i];
      const [first, second] = [ends[2 * edge], ends[2 * edge + 1]];
      if (first === block && state[edge] & FORWARD && isFree(second)) tail = push(queue, tail, mark, second);
      if (second === block && state[edge] & BACKWARD && isFree(first)) tail = push(queue, tail, mark, first);
    }
  }
  return mark;
}

/**
 * Sort the devices at the segment: to close, optional, verify shut, pumps to stop.
 * @param {Topology} topology
 * @param {Facts} facts
 * @param {Uint8Array} state
 * @param {Found} found
 * @param {Int32Array} closing
 */
function sortBorder(topology, facts, state, { drained, wet, hasSources }, closing) {
  const { edge_blocks: ends, edge_is_dead: isDead, edge_is_one_way: isOneWay, device_kind: kinds } = topology;
  const isClosing = new Set(closing);
  /** @type {Record<"valves_to_close" | "valves_optional" | "valves_verify_shut" | "pumps_to_stop", number[]>} */
  const border = { valves_to_close: [], valves_optional: [], valves_verify_shut: [], pumps_to_stop: [] };
  for (let row = 0; row < kinds.length; row += 1) {
    const [first, second] = [ends[2 * row], ends[2 * row + 1]];
    if (isDead[row] || !(drained[first] || drained[second])) continue;
    if (kinds[row] === KIND.PUMP && facts.is_open[row]) border.pumps_to_stop.push(row);
    if (!isGate(kinds[row]) || drained[first] === drained[second]) continue;
    const secondIn = drained[second] === 1;
    const hasSupply = !hasSources || wet.after[secondIn ? first : second] === 1;
    if (state[row] & (secondIn ? FORWARD : BACKWARD)) (hasSupply ? border.valves_to_close : border.valves_optional).push(row);
    else if (state[row] === 0 && hasSupply && (secondIn || !isOneWay[row]) && !isClosing.has(row)) border.valves_verify_shut.push(row);
  }
  return border;
}

/**
 * Count who loses supply: with a feed on the segment, or without one.
 * @param {Topology} topology
 * @param {Found} found
 */
function countPremises(topology, found) {
  const { feed_premises: owner, feed_block: block, premises_properties: properties, premises_is_critical: isCritical } = topology;
  const [HAD, HAS, IS_ON, LOST_ONE] = [1, 2, 4, 8];
  const { drained, wet, hasSources } = found;
  const flags = new Uint8Array(properties.length);
  for (let feed = 0; feed < block.length; feed += 1) {
    const at = block[feed];
    if (at < 0) continue;
    const had = hasSources ? wet.before[at] === 1 : stands(topology, at);
    flags[owner[feed]] |= (had ? HAD : 0) | (had && wet.after[at] ? HAS : 0)
      | (drained[at] ? IS_ON : 0) | (had && drained[at] ? LOST_ONE : 0);
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

/** @type {WeakMap<Topology, Uint8Array>} */
const standing = new WeakMap();

/**
 * Tell whether a block had water as far as anybody knows without a source: all but those of closed pipes.
 * @param {Topology} topology
 * @param {number} block
 */
function stands(topology, block) {
  let known = standing.get(topology);
  if (!known) {
    const { first_part: firstPart, part_block: partBlock, pipe_is_open: isOpen } = topology;
    known = new Uint8Array(topology.block_count).fill(2);
    for (let pipe = 0; pipe < isOpen.length; pipe += 1) {
      for (let part = firstPart[pipe]; part < firstPart[pipe + 1]; part += 1) {
        if (known[partBlock[part]] === 2) known[partBlock[part]] = isOpen[pipe] ? 1 : 0;
      }
    }
    standing.set(topology, known);
  }
  return known[block] !== 0;
}

/**
 * Tell whether the answer may go on beyond the pack: the segment does, or a street that had its
 * water from within and leads out loses it, so that somebody out there may, too.
 * @param {Topology} topology
 * @param {Found} found
 */
function reachesEdge({ block_leads_out: leadsOut }, found) {
  for (let block = 0; block < (leadsOut?.length ?? 0); block += 1) {
    if (leadsOut?.[block] && (found.drained[block] === 1 || isCutOff(found, block))) return true;
  }
  return false;
}
