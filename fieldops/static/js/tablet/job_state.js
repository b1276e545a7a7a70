/**
 * What a job has become by what was recorded on this device and is not in the day yet. Pure: the
 * same day and the same records always give the same job.
 */

/** @typedef {import("./day.js").Job} Job */
/** @typedef {import("./day.js").Outage} Outage */
/** @typedef {import("./day.js").ValveCard} ValveCard */
/** @typedef {import("./day.js").Step} Step */
/** @typedef {import("./db.js").Op} Op */
/** @typedef {import("./db.js").OpState} OpState */
/** @typedef {ValveCard & {recorded?: {where: OpState, at: string}, is_from_device?: boolean}} ValveNow */
/** @typedef {Omit<Outage, "valves"> & {valves: ValveNow[]}} OutageNow */
/** @typedef {Omit<Job, "outages" | "outage"> & {outages: OutageNow[], outage: OutageNow | null, records: Op[], gone: null | "declined" | "handed_over"}} JobNow */

export const SAME = "@same";
export const BEFORE_HOLD = "@before_hold";
const ANY = "@any";
const GIVEN = "@given";

/** What belongs to a step and not to the order's papers. */
const SAID_ONCE = new Set(["crew", "second_crew", "reason", "resume_by", "text", "pin_reason", "photos"]);
/** What is the order's own, and not of its papers. */
const OWN = new Set(["needs_excavation", "expected_work_min", "crews_needed", "task", "severity", "address"]);
/** What bounds a trench. */
export const BOUNDS = new Set(["close", "pump", "source"]);

/** @type {Record<string, keyof Job>} */
const TIME_OF = { arrive: "arrived_at" };
/** Which stage of an outage a step of its order is, and for which kinds of work. */
/** @type {Record<string, [string, string[]]>} */
const STAGE_OF = {
  depart: ["dispatched", ["make_safe", "repair"]],
  arrive: ["on_site", ["make_safe", "repair"]],
  finish: ["repaired", ["repair"]],
  restore: ["flushed", ["repair", "flush"]],
};

/** Whether somebody has filled it in: false counts, an empty text does not. @param {unknown} value */
export function isGiven(value) {
  if (value === null || value === undefined) return false;
  if (typeof value === "string") return value.trim() !== "";
  if (Array.isArray(value)) return value.length > 0;
  return typeof value !== "object" || Object.keys(value).length > 0;
}

/**
 * Whether what is known has, for each field named, one of the values listed.
 * @param {Record<string, unknown[]>} conditions
 * @param {Record<string, unknown>} facts
 */
export const fits = (conditions, facts) =>
  Object.entries(conditions).every(([field, wanted]) =>
    (wanted.includes(GIVEN) && isGiven(facts[field])) || wanted.includes(/** @type {any} */ (facts[field])));

/**
 * All that is known of an order by name, as needs ask for it.
 * @param {Job | JobNow} job
 * @returns {Record<string, unknown>}
 */
export const factsOf = (job) => ({ ...job.data, ...job });

/**
 * The step that an action is in the state in which a job is.
 * @param {Job | JobNow} job
 * @param {string} action
 * @returns {Step | null}
 */
export function findStep(job, action) {
  const facts = factsOf(job);
  return job.steps.find((step) => step.action === action && (step.from.includes(job.state) || step.from.includes(ANY)) && fits(step.only_when, facts)) ?? null;
}

/** Whether a job holds a device shut: one that passes only if somebody accepted it. @param {ValveCard} valve */
export const isShut = (valve) =>
  valve.state === "passing" ? valve.accepted_by !== null : valve.state === "closed_tight" || valve.state === "will_not_reopen";

/** Whether a device was tried and bounds nothing. @param {ValveCard} valve */
export const isStuck = (valve) =>
  valve.state === "passing" ? valve.accepted_by === null : valve.state === "will_not_close" || valve.state === "not_found";

/** What a job keeps shut and has to open again, in the order of closing. @param {Outage | OutageNow | null} outage */
export const shutBy = (outage) =>
  /** @type {ValveNow[]} */ (outage?.valves ?? []).filter((valve) => (isShut(valve) || valve.state === "passing") && valve.role !== "verify_shut" && valve.state !== "will_not_reopen");

/** What has to be closed still: what bounds the trench, then what only has to be seen to be shut. @param {Outage | OutageNow | null} outage */
export function toClose(outage) {
  const waiting = /** @type {ValveNow[]} */ (outage?.valves ?? []).filter((valve) => valve.state === "to_close");
  return [...waiting.filter((valve) => BOUNDS.has(valve.role)), ...waiting.filter((valve) => valve.role === "verify_shut")];
}

/**
 * Whether an operation has changed something that the day does not tell yet.
 * @param {Op} op
 * @param {number} version the subject's version in the day
 */
function isAhead(op, version) {
  if (op.state === "here" || op.state === "sending") return true;
  const isDone = op.answer?.status === "applied" || op.answer?.status === "applied_with_conflict";
  return isDone && (op.answer?.version ?? 0) > version;
}

/**
 * What of an operation applies: not what somebody else had changed meanwhile.
 * @param {Op} op
 * @returns {Record<string, any>}
 */
function bodyOf(op) {
  const lost = op.answer?.conflicts ?? {};
  return Object.fromEntries(Object.entries(op.body).filter(([field]) => !(field in lost)));
}

/**
 * A job with the operations of this device on it and on its outages.
 * @param {Job} job
 * @param {Op[]} ops in the device's order; those of other subjects are passed over
 * @returns {JobNow}
 */
export function withOps(job, ops) {
  /** @type {JobNow} */
  const now = { ...structuredClone(job), records: [], gone: null };
  const own = now.outage?.id;
  now.outage = now.outages.find((one) => one.id === own) ?? now.outage;
  for (const op of ops) {
    const outage = now.outages.find((one) => op.subject === `outage:${one.id}`);
    if (op.subject !== `work_order:${job.id}` && !outage) continue;
    now.records.push(op);
    const seen = outage ? job.outages.find((one) => one.id === outage.id)?.version ?? 0 : job.version;
    if (op.resolved || !isAhead(op, seen)) continue;
    if (outage) applyToOutage(outage, op);
    else applyStep(now, op);
  }
  return now;
}

/**
 * @param {JobNow} job
 * @param {Op} op
 */
function applyStep(job, op) {
  const step = findStep(job, op.action);
  if (!step) return;
  const body = bodyOf(op);
  const to = step.to === SAME ? job.state : step.to === BEFORE_HOLD ? job.held_from ?? "triaged" : step.to;
  if (op.action === "hold") {
    Object.assign(job, { is_on_hold: true, held_from: job.state, hold_reason: body.reason, resume_by: body.resume_by });
  } else if (job.is_on_hold && to !== job.state) {
    Object.assign(job, { is_on_hold: false, held_from: null, hold_reason: null, resume_by: null });
  }
  if (to !== job.state) Object.assign(job, { state: to, state_since: op.occurred_at });
  const time = TIME_OF[op.action];
  if (time) Object.assign(job, { [time]: op.occurred_at });
  for (const [field, value] of Object.entries(body)) {
    if (OWN.has(field)) Object.assign(job, { [field]: value });
    else if (!SAID_ONCE.has(field)) job.data = { ...job.data, [field]: value };
  }
  if (op.action === "dig") job.needs_excavation = true;
  if (op.action === "decline") Object.assign(job, { crew: null, second_crew: null, gone: "declined" });
  if (op.action === "hand_over") Object.assign(job, { crew: body.crew, gone: "handed_over" });
  const stage = STAGE_OF[op.action];
  if (stage?.[1].includes(job.kind) && job.outage) reach(job.outage, stage[0], op.occurred_at);
}

/**
 * @param {OutageNow} outage
 * @param {string} stage
 * @param {string} at
 */
function reach(outage, stage, at) {
  if (!outage.stages[stage]) outage.stages = { ...outage.stages, [stage]: at };
}

/**
 * @param {OutageNow} outage
 * @param {Op} op
 */
function applyToOutage(outage, op) {
  const body = bodyOf(op);
  const find = (/** @type {string} */ id) =>
    outage.valves.find((one) => one.valve === id && (!body.table || body.table === one.table));
  const mark = (/** @type {string} */ id, /** @type {Partial<ValveNow>} */ change) => {
    const valve = find(id);
    if (valve) Object.assign(valve, change, { recorded: { where: op.state, at: op.occurred_at } });
  };
  const open = { state: "reopened", tag: null, reopened_at: op.occurred_at, reopened_by: op.person_name };
  switch (op.action) {
    case "confirm_valve":
      mark(body.valve, confirmed(body, op, find(body.valve)));
      reach(outage, "on_site", op.occurred_at);
      findStopped(outage, op.occurred_at);
      break;
    case "reopen_valve":
      if (body.repaired) reach(outage, "repaired", op.occurred_at);
      mark(body.valve, !body.result || body.result === "reopened" || body.result === "handed_over" ? { ...open, state: body.result ?? "reopened" } : { state: body.result });
      break;
    case "restore_part":
      if (String(body.part ?? "").startsWith("refeed:")) mark(body.part.slice("refeed:".length), { ...open, state: "opened" });
      else for (const id of valvesOf(outage, body)) mark(id, open);
      break;
    case "refeed":
      mark(body.valve, { ...open, state: "opened" });
      break;
    case "tag":
      mark(body.valve, { tag: body.is_taken_off ? null : body.tag });
      break;
    case "stage":
      reach(outage, body.stage, op.occurred_at);
      break;
    case "device_ring":
      followRing(outage, body, op);
      break;
    default:
  }
}

/**
 * @param {Record<string, any>} body
 * @param {Op} op
 * @param {ValveNow | undefined} before
 * @returns {Partial<ValveNow>}
 */
function confirmed(body, op, before) {
  const isDown = body.result === "closed_tight" || body.result === "passing";
  if (before?.role === "refeed") return { state: "to_open", closed_at: op.occurred_at, closed_by: op.person_name };
  return {
    state: body.result,
    turns_counted: body.turns ?? null,
    accepted_by: body.result === "passing" && body.accept_passing ? op.person_name : null,
    is_gland_leaking: body.gland_leaking === true,
    closed_at: isDown ? op.occurred_at : null,
    closed_by: isDown ? op.person_name : null,
    ...(isDown && body.tag ? { tag: body.tag } : {}),
  };
}

/**
 * The water is stopped once all that bounds the trench is shut.
 * @param {OutageNow} outage
 * @param {string} at
 */
function findStopped(outage, at) {
  const bounds = outage.valves.filter((valve) => BOUNDS.has(valve.role));
  if (bounds.length && bounds.every(isShut)) reach(outage, "water_stopped", at);
}

/**
 * The valves that are opened together.
 * @param {OutageNow} outage
 * @param {Record<string, any>} body
 * @returns {string[]}
 */
export function valvesOf(outage, body) {
  if (body.part === "all") return shutBy(outage).map((one) => one.valve);
  const part = outage.parts.find((one) => one.id === body.part);
  const named = /** @type {string[]} */ (body.valves ?? []);
  return [...new Set([...named, ...(part?.valves ?? (String(body.part ?? "").startsWith("valve:") ? [body.part.slice("valve:".length)] : []))])];
}

/**
 * Go by the ring that this device worked out: what does not close is not waited for, and what is
 * to be closed instead joins the list.
 * @param {OutageNow} outage
 * @param {Record<string, any>} body
 * @param {Op} op
 */
function followRing(outage, body, op) {
  const wanted = /** @type {(string | Partial<ValveNow>)[]} */ (body.valves ?? []);
  for (const one of wanted) {
    const id = typeof one === "string" ? one : String(one.valve);
    const said = typeof one === "string" ? {} : one;
    const known = outage.valves.find((valve) => valve.valve === id && (!said.table || said.table === valve.table));
    if (known && !BOUNDS.has(known.role) && known.state === "to_close") known.role = said.role ?? "close";
    if (known) continue;
    const number = Math.max(0, ...outage.valves.map((valve) => valve.number ?? 0)) + 1;
    outage.valves.push({ ...UNKNOWN, ...said, valve: id, number, is_from_device: true, recorded: { where: op.state, at: op.occurred_at } });
  }
  const ids = new Set(wanted.map((one) => (typeof one === "string" ? one : String(one.valve))));
  for (const valve of outage.valves) {
    // A stuck one bounds nothing any more; one that the new ring does without is not waited for.
    if (isStuck(valve) && BOUNDS.has(valve.role)) valve.role = "stuck";
    if (BOUNDS.has(valve.role) && valve.state === "to_close" && !ids.has(valve.valve)) valve.role = "surplus";
  }
}

/** A valve of which the day knows nothing. */
/** @type {ValveNow} */
const UNKNOWN = {
  valve: "", table: "valve", key: 0, role: "close", number: null, state: "to_close", position_before: "open",
  lon: null, lat: null, turns_recorded: null, turns_counted: null, is_turns_short: false, closes: null,
  diameter_mm: null, valve_type: null, operability: null, reachable: null, is_boundary: null,
  last_exercised_on: null, is_position_assumed: null, where: {}, is_gland_leaking: false, accepted_by: null,
  tag: null, expected_closed_at: null, expected_reopened_at: null, closed_at: null, closed_by: null,
  reopened_at: null, reopened_by: null, changed_in: 0,
};
