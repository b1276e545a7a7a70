import { kv } from "./db.js";
import { counts, watchOutbox } from "./outbox.js";
import { api, noteDevice, onRevoked, session, tellSignedOut, watchSession } from "./session.js";

/**
 * A word in both languages.
 * @typedef {{zh_CN: string, en: string}} Word
 */

/**
 * What a step needs: asked at the step. `when`: only if these fields have one of these values
 * ("@given": any at all), as the order has them or as they are said now; `unless`: not if that
 * field is given; `since`: not before the moment in that field; `is_past`: not after now;
 * `is_fresh`: said anew each time. `label`: a manager's own words.
 * @typedef {object} Need
 * @property {string} field
 * @property {"yes" | "number" | "choice" | "all" | "text" | "time" | "later" | "photo" | "crew"} kind
 * @property {string[]} [choices]
 * @property {number} [min]
 * @property {number} [max]
 * @property {Record<string, unknown[]>} [when]
 * @property {string} [unless]
 * @property {string} [since]
 * @property {boolean} [is_past]
 * @property {boolean} [is_fresh]
 * @property {string} [label]
 */

/**
 * A step of the process with which the order began. `from` may hold "@any"; `to` may be "@same" or
 * "@before_hold" (the order's `held_from`); `only_when` names fields as a need's `when` does.
 * @typedef {object} Step
 * @property {string} action
 * @property {string[]} from
 * @property {string} to
 * @property {string[]} who
 * @property {boolean} is_mine always so: a step that this person may never take is not told
 * @property {boolean} is_not_for_own_crew
 * @property {Record<string, unknown[]>} only_when
 * @property {Need[]} needs
 * @property {string | null} title a manager's own words; else names.action has them
 */

/**
 * A valve, pump or source of the plan, in the order of closing. What is not known is null; where
 * the network no longer has it, lon and lat are null.
 * @typedef {object} ValveCard
 * @property {string} valve
 * @property {"valve" | "control_valve" | "pump" | "source"} table
 * @property {number} key
 * @property {string} role names.valve_role
 * @property {number | null} number the disc's number on the map
 * @property {string} state names.valve_state
 * @property {string} position_before
 * @property {number | null} lon
 * @property {number | null} lat
 * @property {number | null} turns_recorded
 * @property {number | null} turns_counted
 * @property {boolean} is_turns_short
 * @property {string | null} closes "clockwise", "anticlockwise" or "unknown"
 * @property {number | null} diameter_mm
 * @property {string | null} valve_type
 * @property {string | null} operability
 * @property {boolean | null} reachable
 * @property {boolean | null} is_boundary
 * @property {string | null} last_exercised_on
 * @property {boolean | null} is_position_assumed
 * @property {Record<string, string>} where chamber, location, road, and fixed points, as recorded
 * @property {boolean} is_gland_leaking
 * @property {string | null} accepted_by
 * @property {string | null} tag
 * @property {string | null} expected_closed_at
 * @property {string | null} expected_reopened_at
 * @property {string | null} closed_at
 * @property {string | null} closed_by
 * @property {string | null} reopened_at
 * @property {string | null} reopened_by
 * @property {number} changed_in the outage's version in which somebody last changed it; 0: never
 */

/**
 * A version of the plan.
 * @typedef {object} Plan
 * @property {number} number
 * @property {string} kind names.plan_kind
 * @property {string} status names.plan_status
 * @property {Word} because why this version was made
 * @property {string} because_code
 * @property {boolean} is_isolated
 * @property {{zh_CN: string[], en: string[]}} remarks
 * @property {Record<string, any> | null} difference from the version before
 * @property {string} made_at
 * @property {string} made_by
 */

/**
 * An outage of a job. `customers` is the number to be sent back in what is confirmed in two steps.
 * @typedef {object} Outage
 * @property {string} id
 * @property {number} version
 * @property {string} status names.outage_status
 * @property {boolean} is_planned
 * @property {boolean} is_drill
 * @property {string | null} pipe
 * @property {number | null} at_m
 * @property {number | null} lon
 * @property {number | null} lat
 * @property {import("./ring_question.js").Question} question what the plan asks of the network
 * @property {Plan} plan
 * @property {Plan | null} proposed
 * @property {ValveCard[]} valves
 * @property {{id: string, valves: string[], connections: number, properties: number}[]} parts
 * @property {number} customers
 * @property {number} customers_out
 * @property {number} properties_out
 * @property {number | null} people_out
 * @property {{customer: string}[]} critical the critical customers that are dry or will be
 * @property {Record<string, {p10: string, p50: string, p90: string}>} forecast
 * @property {Record<string, string>} stages when each happened
 * @property {string | null} promised_by
 * @property {string | null} next_news_at
 */

/**
 * @typedef {object} Contact
 * @property {string} report
 * @property {string} kind names.report_kind
 * @property {string | null} name
 * @property {string | null} phone
 * @property {string | null} address
 * @property {string} words
 * @property {string} received_at
 */

/**
 * An order as GET /api/v1/orders has it, and what the crew needs besides.
 * @typedef {object} Job
 * @property {string} id
 * @property {number} version
 * @property {string} kind names.kind
 * @property {string} severity names.severity
 * @property {string | null} task
 * @property {string} state names.state
 * @property {string} state_since
 * @property {boolean} is_open
 * @property {boolean} is_on_hold
 * @property {string | null} held_from
 * @property {string | null} hold_reason
 * @property {string | null} resume_by
 * @property {string | null} incident
 * @property {string | null} crew
 * @property {string | null} crew_name
 * @property {string | null} second_crew
 * @property {string | null} second_crew_name
 * @property {number} lon
 * @property {number} lat
 * @property {string | null} address
 * @property {string | null} pipe
 * @property {number | null} at_m
 * @property {number | null} diameter_mm
 * @property {boolean} needs_excavation
 * @property {number | null} customers_out null: not known
 * @property {number | null} critical_out null: not known
 * @property {string | null} due_at
 * @property {string | null} arrive_due_at
 * @property {string | null} arrived_at
 * @property {string | null} after_order
 * @property {boolean} is_drill
 * @property {Record<string, unknown>} data
 * @property {string[]} skills
 * @property {Step[]} steps
 * @property {Record<string, {title: string | null, holder: string, is_open: boolean, is_crew_busy: boolean}>} stages of its process
 * @property {Outage[]} outages those of its incident that are not closed; the order's own first
 * @property {Outage | null} outage the order's own, or the incident's only one
 * @property {Contact[]} contacts
 * @property {string[]} photos SHA-256 of the order's and the reports' photos
 */

/**
 * A job that is over.
 * @typedef {object} Done
 * @property {string} id
 * @property {string} kind names.kind
 * @property {string} severity names.severity
 * @property {string} state names.state
 * @property {string | null} address
 * @property {string | null} pipe
 * @property {number | null} diameter_mm
 * @property {string} closed_at
 * @property {boolean} is_drill
 */

/**
 * What GET /api/v1/tablet/day answers. It has an ETag; an answer 304 means: as it was.
 * @typedef {object} Day
 * @property {string} now the server's clock
 * @property {number} position of the log of events: what is later is not in it
 * @property {{id: number, name: string, roles: string[], language: string | null}} person
 * @property {{id: string, name: string, district: string | null} | null} device
 * @property {{id: string, name: string, contractor: string | null, phone: string | null, vehicle: string | null, shift_ends_at: string | null, members: {name: string, phone: string | null, is_leader: boolean}[]}[]} crews
 * @property {{id: string, name: string}[]} other_crews to hand over to; none for a contractor's crew
 * @property {Record<string, Record<string, Word>>} names by kind of code, then code: state, action,
 *   field, choice, kind, severity, valve_state, valve_role, outage_status, outage_stage,
 *   plan_status, plan_kind, report_kind, skill, holder
 * @property {Record<string, number>} policy
 * @property {Job[]} jobs
 * @property {Done[]} done the own crews' jobs that were closed in the last 16 h, the last one first
 * @property {string[]} districts those whose pack this tablet may have
 * @property {Record<string, any>[]} map_proposals what became of this person's proposals
 * @property {{digits: number, window_s: number, around: number}} release of release codes
 */

/**
 * @typedef {object} KeptDay
 * @property {Day} day
 * @property {string | null} etag
 * @property {number} person
 * @property {number} asked_at when the server last said that it is so, in ms of this clock
 */

const KEY = "day";
const EVERY_MS = 60_000;

/** @type {KeptDay | null} */
let kept = null;
/** @type {Set<(day: Day | null) => void>} */
const watchers = new Set();
/** @type {Promise<Day | null> | null} */
let underway = null;
let isAskedAgain = false;
const channel = new BroadcastChannel("fieldops-day");

async function read() {
  const found = (await kv.get(KEY)) ?? null;
  kept = found && found.person === session()?.person.id ? found : null;
}

function tellWatchers() {
  for (const watch of watchers) watch(day());
}

/** The day as last heard, also from days ago and with no signal; null if never, or signed out. */
export const day = () => kept?.day ?? null;

/** When the server last said that the day is so, by this clock; null if never. */
export const dayAskedAt = () => (kept ? new Date(kept.asked_at) : null);

/**
 * One job of the day.
 * @param {string} id
 * @returns {Job | null}
 */
export const jobOf = (id) => day()?.jobs.find((job) => job.id === id) ?? null;

/**
 * Be told when the day has changed, or was confirmed to be as it was.
 * @param {(day: Day | null) => void} watch
 * @returns {() => void} stops it
 */
export function watchDay(watch) {
  watchers.add(watch);
  return () => watchers.delete(watch);
}

/**
 * Ask the server for the day.
 * @returns {Promise<Day | null>} the day as it is known then
 * @throws {import("./session.js").Offline | import("./session.js").Unauthorized | import("./session.js").Refused}
 */
export function refreshDay() {
  if (underway) {
    // Something was done after this question was put: its answer may be too old.
    isAskedAgain = true;
    return underway;
  }
  underway = ask().finally(() => {
    underway = null;
    if (isAskedAgain) {
      isAskedAgain = false;
      refreshDay().catch(() => undefined);
    }
  });
  return underway;
}

async function ask() {
  const who = session()?.person.id;
  /** @type {Record<string, string>} */
  const headers = kept?.etag && kept.person === who ? { "If-None-Match": kept.etag } : {};
  const answer = await api("/api/v1/tablet/day", { headers });
  const heard = answer.status === 304 ? kept?.day : await answer.json();
  if (who === undefined || session()?.person.id !== who || !heard) return day();
  kept = { day: heard, etag: answer.headers.get("ETag") ?? kept?.etag ?? null, person: who, asked_at: Date.now() };
  await kv.set(KEY, kept);
  await noteDevice(heard.device);
  tellWatchers();
  channel.postMessage("changed");
  return day();
}

/**
 * Keep the day fresh while the page is open: now, every minute with a signal, and after sending.
 * @returns {() => void} stops it
 */
export function startDay() {
  const look = () => {
    if (!navigator.onLine || document.hidden) return;
    (session() ? refreshDay().then(tellServer) : tellSignedOut()).catch(() => undefined);
  };
  const timer = setInterval(look, EVERY_MS);
  addEventListener("online", look);
  document.addEventListener("visibilitychange", look);
  const stopSession = watchSession(look);
  let waiting = 0;
  const stopOutbox = watchOutbox(({ unsent }) => {
    // What was sent has changed the day.
    if (unsent < waiting) look();
    waiting = unsent;
  });
  look();
  return () => {
    clearInterval(timer);
    removeEventListener("online", look);
    document.removeEventListener("visibilitychange", look);
    stopSession();
    stopOutbox();
  };
}

/** Tell the server how this tablet stands: what is unsent, and how old its pack is. */
async function tellServer() {
  const { unsent, parked, photos } = await counts();
  const pack = await kv.get("pack");
  await api("/api/v1/devices/contact", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ unsent, photos, parked, pack_revision: pack?.geometry_revision ?? null, version: (await kv.get("shell_version")) ?? null }),
  });
}

const readAndTell = () => read().then(tellWatchers);
channel.addEventListener("message", readAndTell);
watchSession(readAndTell);
onRevoked(readAndTell);
await read();
