/** What comes next in a job: one main move for each state, and what else may be done. Pure. */
import { BEFORE_HOLD, BOUNDS, SAME, factsOf, findStep, fits, isGiven, shutBy, toClose } from "./job_state.js";

/** @typedef {import("./job_state.js").JobNow} JobNow */
/** @typedef {import("./job_state.js").ValveNow} ValveNow */
/** @typedef {import("./day.js").Need} Need */
/** @typedef {import("./day.js").Step} Step */
/** @typedef {{kind: "step", step: Step} | {kind: "close" | "open", valve: ValveNow}} Move */

/** Steps that lead away from the work; never the main one. */
const ASIDE = new Set(["decline", "hold", "hand_over", "withdraw", "transfer", "assign", "cancel", "send_back", "reopen", "set", "note", "triage"]);

/**
 * Whether a crew leads a job, comes second, or has nothing to do with it.
 * @param {JobNow} job
 * @param {string[]} crews those of the person
 * @returns {"leads" | "second" | "none"}
 */
export function partOf(job, crews) {
  if (job.crew !== null && crews.includes(job.crew)) return "leads";
  return job.second_crew !== null && crews.includes(job.second_crew) ? "second" : "none";
}

/** Every step that the crew may take as the job stands, each action once. @param {JobNow} job */
export function offered(job) {
  const actions = [...new Set(job.steps.map((step) => step.action))];
  return actions.flatMap((action) => {
    const step = findStep(job, action);
    return step?.is_mine ? [step] : [];
  });
}

/**
 * The one main move, and the others.
 * @param {JobNow} job
 * @param {string[]} crews
 * @returns {{main: Move | null, others: Step[]}}
 */
export function nextMoves(job, crews) {
  const part = partOf(job, crews);
  if (job.gone || part === "none") return { main: null, others: [] };
  const steps = offered(job).filter((step) => part === "leads" || step.action !== "hand_over");
  const main = mainMove(job, steps, part);
  return { main, others: steps.filter((step) => main?.kind !== "step" || main.step !== step) };
}

/**
 * @param {JobNow} job
 * @param {Step[]} steps
 * @param {"leads" | "second"} part
 * @returns {Move | null}
 */
function mainMove(job, steps, part) {
  const isAtWork = job.state === "working" || (part === "second" && job.state === "on_site");
  const closing = toClose(job.outage)[0];
  if (isAtWork && closing && !job.outage?.stages.repaired) return { kind: "close", valve: closing };
  const opening = shutBy(job.outage).at(-1);
  const restores = steps.some((step) => step.action === "restore");
  if (opening && restores && job.outage?.stages.repaired) return { kind: "open", valve: opening };
  // The way of the order is the first crew's: the second works beside it.
  if (part === "second") return null;
  const digging = steps.find((step) => step.action === "dig");
  if (digging && job.needs_excavation && !isGiven(job.data.owners_asked)) return { kind: "step", step: digging };
  const forward = steps.find((step) => step.to === BEFORE_HOLD || (!ASIDE.has(step.action) && step.to !== SAME && step.to !== job.state));
  return forward ? { kind: "step", step: forward } : null;
}

/**
 * The needs of a step that stand for the job as it is, or with what is said of it now.
 * @param {Step} step
 * @param {JobNow} job
 * @param {Record<string, unknown>} said
 * @returns {Need[]}
 */
export function wantedNeeds(step, job, said) {
  const facts = factsOf(job);
  const known = { ...facts, ...Object.fromEntries(Object.entries(said).filter(([, value]) => isGiven(value))) };
  /** @type {Map<string, Need>} */
  const wanted = new Map();
  for (const need of step.needs) {
    if (!need.field || wanted.has(need.field)) continue;
    const when = need.when ?? {};
    if (!fits(when, facts) && !fits(when, known)) continue;
    if (need.unless && isGiven(known[need.unless])) continue;
    wanted.set(need.field, need);
  }
  return [...wanted.values()];
}

/**
 * What is known already of a need, so that it is not asked twice; what is to be said anew is not.
 * @param {Need} need
 * @param {JobNow} job
 */
export function knownOf(need, job) {
  const isFresh = need.is_fresh || ["reason", "resume_by", "crew", "text"].includes(need.field);
  const value = isFresh ? undefined : factsOf(job)[need.field];
  return isGiven(value) ? value : null;
}

/**
 * What the next crew has to know, as this device has it; with no isolation to go by, nobody knows.
 * @param {JobNow} job
 */
export function leftOpen(job) {
  if (!job.outage) return { valves_shut: null, tags: null, waiting: null };
  const shut = shutBy(job.outage);
  const stuck = job.outage.valves.filter((valve) => valve.state === "will_not_reopen");
  return {
    valves_shut: [...shut, ...stuck].map((valve) => valve.valve),
    tags: job.outage.valves.flatMap((valve) => (valve.tag ? [valve.tag] : [])),
    waiting: toClose(job.outage).map((valve) => valve.valve),
  };
}

/** @typedef {{id: string, valves: string[], connections: number | null, properties: number | null}} Part */

/**
 * The parts that can have their water back one after another. Where the server has not heard yet
 * what is shut, each valve that this job has shut is a part, of nobody knows how many.
 * @param {import("./job_state.js").OutageNow} outage
 * @returns {Part[]}
 */
export function partsOf(outage) {
  if (outage.parts.length) return outage.parts;
  const over = new Set(["reopened", "handed_over"]);
  const shut = shutBy(outage);
  const worked = outage.valves.filter((valve) => BOUNDS.has(valve.role) && (shut.includes(valve) || over.has(valve.state)));
  const parts = worked.map((valve) => ({ id: `valve:${valve.valve}`, valves: [valve.valve], connections: null, properties: null }));
  const all = { id: "all", valves: shut.map((valve) => valve.valve), connections: null, properties: null };
  return shut.length > 1 ? [...parts.reverse(), all] : parts.reverse();
}
