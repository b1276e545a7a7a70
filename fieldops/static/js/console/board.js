/** The board: everything under way, as the server last told it, patched by what happens meanwhile. */
import { ask, Problem } from "../map/api.js";
import { setServerNow } from "./moments.js";

/**
 * @typedef {object} Incident
 * @property {string} id
 * @property {string} kind
 * @property {string} status
 * @property {boolean} is_planned
 * @property {boolean} is_drill
 * @property {number | null} lon
 * @property {number | null} lat
 * @property {string | null} address
 * @property {string | null} pipe
 * @property {number | null} at_m
 * @property {boolean} danger
 * @property {number} score
 * @property {{code: string, points: number, text: string}[]} score_parts
 * @property {number | null} properties_out - null: nobody has worked it out
 * @property {number | null} people_out
 * @property {number | null} critical_out
 * @property {number | null} hydrants_dry
 * @property {number} reports - how many people told it
 * @property {string} opened_at
 * @property {number} version
 */

/** @typedef {"danger" | "burst" | "leak" | "routine"} Severity */

/**
 * @typedef {object} Order
 * @property {string} id
 * @property {string | null} incident
 * @property {string | null} outage
 * @property {string} kind
 * @property {Severity} severity
 * @property {string} state
 * @property {boolean} is_on_hold
 * @property {string | null} hold_reason
 * @property {string | null} resume_by
 * @property {string | null} crew
 * @property {string | null} second_crew
 * @property {number} crews_needed
 * @property {string[]} skills
 * @property {number | null} lon
 * @property {number | null} lat
 * @property {string | null} address
 * @property {string | null} pipe
 * @property {number | null} customers_out
 * @property {number | null} critical_out
 * @property {string | null} release_at
 * @property {string | null} due_at
 * @property {string | null} arrive_due_at
 * @property {string | null} after_order
 * @property {string} opened_at
 * @property {string | null} assigned_at
 * @property {boolean} is_pinned
 * @property {string | null} pin_reason
 * @property {{clock: string, percent: number} | null} escalated - the worst step that a running limit reached
 * @property {boolean} is_drill
 * @property {number} version
 */

/**
 * @typedef {object} Outage
 * @property {string} id
 * @property {string | null} incident
 * @property {boolean} is_planned
 * @property {string} status
 * @property {number | null} properties_out
 * @property {number | null} customers_out
 * @property {number | null} critical_out
 * @property {{p10: string, p50: string, p90: string} | null} restored
 * @property {number} plan_version
 * @property {string} plan_status
 * @property {boolean} is_drill
 * @property {string} opened_at
 * @property {number} version
 */

/**
 * @typedef {object} Crew
 * @property {string} id
 * @property {string} name
 * @property {string | null} contractor
 * @property {number | null} lon
 * @property {number | null} lat
 * @property {string | null} position_at
 * @property {boolean} is_position_stale
 * @property {string[]} skills
 * @property {boolean} on_shift
 * @property {number | null} on_call_rank
 * @property {string | null} shift_ends_at
 * @property {string | null} phone
 */

/** @typedef {{code: string, text: string}} Reason */

/**
 * @typedef {object} Suggestion
 * @property {string} order
 * @property {string} crew
 * @property {string | null} second_crew
 * @property {number | null} eta_min
 * @property {boolean} is_straight_line
 * @property {string | null} divert_from
 * @property {string | null} runner_up
 * @property {Reason[]} reasons
 * @property {number} version
 */

/**
 * A crew that was sent and has not answered.
 * @typedef {object} Offer
 * @property {string} order
 * @property {string} crew
 * @property {string} crew_name
 * @property {string | null} phone
 * @property {string} kind
 * @property {string} due_at
 * @property {boolean} is_phone_asked
 */

/**
 * What somebody did that came too late to change anything, and that nobody has read yet.
 * @typedef {object} LateFact
 * @property {number} position
 * @property {string} subject
 * @property {string | null} incident
 * @property {string} what - in the person's language
 * @property {string | null} by
 * @property {string} occurred_at
 * @property {string} received_at
 */

/**
 * @typedef {object} Emergency
 * @property {string} id
 * @property {number} level - 1 is the worst
 * @property {string} level_name
 * @property {string} incident
 * @property {string | null} address
 * @property {string} status
 * @property {boolean} is_drill
 * @property {number} unacknowledged - how many do not know yet
 * @property {string | null} report_due_at
 */

/**
 * @typedef {object} Board
 * @property {number} position
 * @property {string | null} last_event_at
 * @property {string} now
 * @property {Incident[]} incidents
 * @property {Order[]} orders
 * @property {Outage[]} outages
 * @property {Crew[]} crews
 * @property {Suggestion[]} suggestions
 * @property {Offer[]} offers
 * @property {LateFact[]} late_facts
 * @property {Emergency[]} emergencies
 */

/**
 * What happened, as the stream tells it.
 * @typedef {object} Happening
 * @property {number} position
 * @property {string} kind
 * @property {string} subject
 * @property {string} at
 * @property {string | null} by
 * @property {Record<string, any>} body
 */

const PAUSE_MS = 120;
const APART_MS = 300;

/**
 * @param {{changed: (board: Board) => void, failed: (problem: Problem) => void}} listener
 */
export function makeBoard({ changed, failed }) {
  /** @type {Board | null} */
  let board = null;
  let timer = 0;
  let askedAt = 0;
  let isAsking = false;
  let isWanted = false;

  async function read() {
    clearTimeout(timer);
    timer = 0;
    if (isAsking) {
      isWanted = true;
      return;
    }
    isAsking = true;
    isWanted = false;
    askedAt = performance.now();
    try {
      const found = /** @type {Board} */ (await ask("/api/v1/board"));
      setServerNow(found.now);
      if (!board || found.position >= board.position) board = found;
      changed(board);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      failed(error);
    } finally {
      isAsking = false;
      if (isWanted) readSoon();
    }
  }

  /** Read again, but once for many changes that come together. */
  function readSoon() {
    if (timer) return;
    timer = setTimeout(read, Math.max(PAUSE_MS, askedAt + APART_MS - performance.now()));
  }

  /** @param {Happening} happening */
  function hear(happening) {
    if (board && happening.position <= board.position) return;
    if (board && patch(board, happening)) changed(board);
    if (happening.kind !== "crew.moved") readSoon();
  }

  /** Forget what is known: it was of another log. */
  function restart() {
    board = null;
    read();
  }

  return { read, hear, restart, current: () => board };
}

/** What is not told by the event itself is not known until the next reading. */
const NEW_INCIDENT = {
  kind: "other", status: "open", is_planned: false, is_drill: false, lon: null, lat: null, address: null, pipe: null, at_m: null,
  danger: false, score: 0, score_parts: [], properties_out: null, people_out: null, critical_out: null, hydrants_dry: null,
  reports: 0, version: 0,
};
const NEW_ORDER = {
  incident: null, outage: null, kind: "routine", severity: /** @type {Severity} */ ("routine"), state: "new", is_on_hold: false, hold_reason: null,
  resume_by: null, crew: null, second_crew: null, crews_needed: 1, skills: [], lon: null, lat: null, address: null, pipe: null,
  customers_out: null, critical_out: null, release_at: null, due_at: null, arrive_due_at: null, after_order: null, assigned_at: null,
  is_pinned: false, pin_reason: null, escalated: null, is_drill: false, version: 0,
};

/**
 * @param {Record<string, any>} body
 * @param {string[]} names
 * @returns {Record<string, any>}
 */
const pick = (body, names) => Object.fromEntries(names.filter((name) => body[name] !== undefined).map((name) => [name, body[name]]));

/**
 * What an event itself says is shown at once; the rest comes with the next reading.
 * @param {Board} board
 * @param {Happening} happening
 * @returns {boolean} whether something is to be seen of it
 */
export function patch(board, { kind, body, at }) {
  const [subject] = kind.split(".");
  if (kind === "incident.opened" && !board.incidents.some(({ id }) => id === body.id)) {
    board.incidents.push({ ...NEW_INCIDENT, ...pick(body, Object.keys(NEW_INCIDENT)), id: body.id, opened_at: at });
    return true;
  }
  if (kind === "work_order.opened" && !board.orders.some(({ id }) => id === body.id)) {
    board.orders.push({ ...NEW_ORDER, ...pick(body, Object.keys(NEW_ORDER)), id: body.id, opened_at: at });
    return true;
  }
  if (kind === "crew.moved") {
    return mend(board.crews, body, ["lon", "lat"], { position_at: body.at ?? body.position_at, is_position_stale: false });
  }
  if (kind === "outage.opened" && !board.outages.some(({ id }) => id === body.id)) {
    board.outages.push(/** @type {Outage} */ ({ ...body, opened_at: at }));
    return true;
  }
  if (subject === "outage" && kind !== "outage.joint_effect") return mend(board.outages, body, ["status", "connections", "customers_out", "properties_out", "critical_out", "restored", "plan_version", "version"]);
  if (kind === "work_order.escalated") return mend(board.orders, body, [], { escalated: { clock: body.clock, percent: body.percent } });
  if (kind.endsWith(".late_fact_read")) {
    const before = board.late_facts.length;
    board.late_facts = board.late_facts.filter(({ position }) => position !== body.fact);
    return board.late_facts.length < before;
  }
  if (subject === "work_order") return mend(board.orders, body, ["state", "crew", "version", "is_on_hold"]);
  if (subject === "incident") return mend(board.incidents, body, ["score", "properties_out", "critical_out", "hydrants_dry", "version"]);
  return false;
}

/**
 * @param {{id: string}[]} things
 * @param {Record<string, any>} body
 * @param {string[]} names
 * @param {object} more
 */
function mend(things, body, names, more = {}) {
  const thing = things.find(({ id }) => id === body.id);
  if (!thing) return false;
  Object.assign(thing, pick(body, names), more);
  return true;
}
