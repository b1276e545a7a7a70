/** Floods over the blocks of a pack and the edges between them, as gis/floods.py has them. Pure. */

/** @typedef {import("./pack_format.js").Pack} Pack */
/** @typedef {import("./pack_format.js").Column} Column */

// What an edge does now: bits of its state, as in gis/floods.py.
export const FORWARD = 1;
export const BACKWARD = 2;
const CLOSABLE = 4;

export const KIND = Object.freeze({ VALVE: 0, PUMP: 1, CONTROL_VALVE: 2, ISOLATING_CONTROL_VALVE: 3 });
export const POSITION = Object.freeze({ OPEN: 0, CLOSED: 1, UNKNOWN: 2 });
export const OPERABILITY = Object.freeze({ OPERABLE: 0, INOPERABLE: 1, UNKNOWN: 2 });

/**
 * What is known of the devices by now, one value each.
 * @typedef {object} Facts
 * @property {Column} position
 * @property {Column} operability
 * @property {Column} reachable
 * @property {Column} is_open - recorded status of pumps and control valves
 */

/** @param {number} kind */
export const isGate = (kind) => kind === KIND.VALVE || kind === KIND.ISOLATING_CONTROL_VALVE;

/**
 * What each edge does now. A valve of unknown position counts as open, one of unknown operability
 * as operable; a pump can always be stopped, a check cannot be closed.
 * @param {Pack} pack
 * @param {Facts} facts
 */
export function edgeStates({ columns }, facts) {
  const { edge_is_dead: isDead, edge_is_one_way: isOneWay, device_kind: kinds } = columns;
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
 * Mark all blocks whose water can reach the broken ones past nothing that can be closed.
 * @param {Pack} pack
 * @param {Uint8Array} state
 * @param {number[]} seeds
 */
export function drain({ columns }, state, seeds) {
  const { edge_blocks: ends, block_edge_start: start, block_edges: edges, edge_is_route: isRoute } = columns;
  const mark = new Uint8Array(start.length - 1);
  const queue = new Int32Array(mark.length);
  let tail = 0;
  for (const block of seeds) if (!mark[block]) tail = push(queue, tail, mark, block);
  for (let head = 0; head < tail; head += 1) {
    const block = queue[head];
    for (let i = start[block]; i < start[block + 1]; i += 1) {
      const edge = edges[i];
      const bits = state[edge];
      // Whether somebody can close a way beyond the edge is not known; that water reaches it is said.
      if (bits & CLOSABLE || isRoute[edge]) continue;
      const first = ends[2 * edge];
      const second = ends[2 * edge + 1];
      if (second === block && bits & FORWARD && !mark[first]) tail = push(queue, tail, mark, first);
      if (first === block && bits & BACKWARD && !mark[second]) tail = push(queue, tail, mark, second);
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
 * @param {Pack} pack
 * @param {Uint8Array} state
 * @param {number[]} roots
 * @param {Uint8Array} [drained]
 */
export function letRun({ columns }, state, roots, drained) {
  const { edge_blocks: ends, block_edge_start: start, block_edges: edges } = columns;
  const mark = drained ? drained.slice() : new Uint8Array(start.length - 1);
  const queue = new Int32Array(mark.length);
  let tail = 0;
  for (const block of roots) if (!mark[block]) tail = push(queue, tail, mark, block);
  for (let head = 0; head < tail; head += 1) {
    const block = queue[head];
    for (let i = start[block]; i < start[block + 1]; i += 1) {
      const edge = edges[i];
      const bits = state[edge];
      const first = ends[2 * edge];
      const second = ends[2 * edge + 1];
      if (first === block && bits & FORWARD && !mark[second]) tail = push(queue, tail, mark, second);
      if (second === block && bits & BACKWARD && !mark[first]) tail = push(queue, tail, mark, first);
    }
  }
  if (drained) for (let block = 0; block < mark.length; block += 1) if (drained[block]) mark[block] = 0;
  return mark;
}
