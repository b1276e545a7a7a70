/** The face of a job: its state, the next move, the valves on list and map, and what was recorded. */
import { badge, button, card, confirm, facts, link, make, notice, primary, toast, whereMark } from "./elements.js";
import { findHere, metresBetween } from "./here.js";
import { showJobMap } from "./job_map.js";
import { viewPhotos } from "./job_photos.js";
import { marksOf, placeOf, stateWord } from "./jobs.js";
import { ownCrews, recordStep } from "./local_state.js";
import { navigateButton } from "./navigate.js";
import { isBack, partName } from "./parts_page.js";
import { resolvedWord } from "./refused.js";
import { viewVerdict } from "./ring_view.js";
import { go } from "./router.js";
import { stepName } from "./step_page.js";
import { nextMoves, partOf, partsOf, wantedNeeds } from "./steps.js";
import { disc } from "./valve_card.js";
import { jobRoute, valveRoute } from "./valve_route.js";
import { clock, distance, figure, name, say, valveState } from "./words.js";

/** @typedef {import("./job_state.js").JobNow} JobNow */
/** @typedef {import("./job_state.js").OutageNow} OutageNow */
/** @typedef {import("./job_state.js").ValveNow} ValveNow */
/** @typedef {import("./day.js").Step} Step */

/** Farther from the job than this, somebody is asked whether this is the place. */
const NEAR_M = 300;
/** What is done to an outage's valves, for the list of what was recorded. */
/** @type {Record<string, () => string>} */
const DEEDS = {
  confirm_valve: () => say("Close the valve"),
  reopen_valve: () => say("Open the valve"),
  restore_part: () => say("Restore by part"),
  refeed: () => say("Feed from elsewhere"),
  tag: () => say("Tag"),
  device_ring: () => say("Next valves, computed on the device"),
};
/** As long as the work has not begun, a job may wait for another. */
const WAITS = new Set(["assigned", "accepted", "en_route", "on_site"]);
const STAGES = ["dispatched", "on_site", "water_stopped", "repaired", "flushed", "restored"];

/**
 * @param {HTMLElement} element
 * @param {JobNow} first
 * @returns {{draw: (job: JobNow) => void, leave: () => void}}
 */
export function overview(element, first) {
  const head = make("div", { class: "job-head" });
  const rest = make("div", { class: "job-rest" });
  const map = make("section", { class: "job-map", "aria-label": say("Map") });
  element.classList.add("job-page");
  element.append(head, map, rest);
  const view = showJobMap(map, first);
  const draw = (/** @type {JobNow} */ job) => {
    const focused = document.activeElement instanceof HTMLElement && element.contains(document.activeElement) ? document.activeElement.dataset : null;
    const moves = nextMoves(job, ownCrews());
    head.replaceChildren(...viewHead(job, moves.main));
    rest.replaceChildren(...viewRest(job, moves.others));
    // Whoever goes on by keys goes on from the same place.
    const again = focused?.step ? `[data-step="${CSS.escape(focused.step)}"]` : focused?.main ? "[data-main]" : null;
    const next = again ? element.querySelector(again) : null;
    if (next instanceof HTMLElement) next.focus({ preventScroll: true });
    element.dataset.state = job.state;
    view.update(job);
  };
  draw(first);
  return { draw, leave: view.leave };
}

/** Before the crew is there, the way is wanted first. @param {JobNow} job */
const isOnTheWay = (job) => ["assigned", "accepted", "en_route"].includes(job.state) && !job.gone;

/**
 * @param {JobNow} job
 * @param {import("./steps.js").Move | null} main
 */
function viewHead(job, main) {
  const part = partOf(job, ownCrews());
  const refused = job.records.filter((op) => op.state === "needs_you" && !op.resolved);
  return [
    make("h1", {}, `${job.id} · ${name("kind", job.kind)} · ${name("severity", job.severity)}`),
    make("p", { class: "place" }, placeOf(job)),
    ...(isOnTheWay(job) ? [make("div", { class: "actions way" }, navigateButton(job, `${job.id} ${placeOf(job)}`))] : []),
    make("p", { class: "marks" }, badge(stateWord(job), job.is_on_hold ? "warn" : "plain"), job.is_drill ? badge(say("drill"), "info") : null, marksOf(job)),
    ...(refused.length ? [notice("wrong", [make("p", {}, say("%(n)s records of this job need you.", { n: refused.length })), link(say("Outbox"), "#/outbox")])] : []),
    ...(job.gone ? [notice("info", say("This job is no longer yours, as recorded on this device."))] : []),
    ...(job.is_on_hold ? [notice("warn", say("On hold until %(time)s: %(reason)s", { time: job.resume_by ? clock(job.resume_by) : "?", reason: job.hold_reason ?? "?" }))] : []),
    ...(job.after_order && WAITS.has(job.state) && !job.gone ? [notice("info", say("This job comes after %(order)s: it begins once that is done.", { order: job.after_order }))] : []),
    ...(part === "second" ? [notice("info", say("You come second: %(crew)s leads this job and takes its steps. Valves, findings and photos are yours to record.", { crew: job.crew_name ?? job.crew ?? "?" }))] : []),
    ...(part === "none" && !job.gone ? [notice("warn", say("This job is not your crew's."))] : []),
    viewMain(job, main),
  ];
}

/**
 * @param {JobNow} job
 * @param {Step[]} others
 */
function viewRest(job, others) {
  const part = partOf(job, ownCrews());
  return [
    ...viewOutages(job),
    viewOthers(job, others, part !== "none" && !job.gone, part === "second"),
    viewFacts(job),
    viewRecords(job),
  ];
}

/**
 * @param {JobNow} job
 * @param {import("./steps.js").Move | null} main
 */
function viewMain(job, main) {
  if (!main) return make("p", { class: "quiet", "data-main": "none" }, say("Nothing more is to be done by your crew."));
  if (main.kind === "step") {
    const act = primary(stepName(main.step), () => take(job, main.step));
    act.dataset.main = main.step.action;
    return make("div", { class: "actions main" }, act);
  }
  const { valve } = main;
  const words = main.kind === "open" ? say("Open valve %(valve)s", { valve: valve.valve }) : valve.role === "verify_shut" ? say("Check that %(valve)s is shut", { valve: valve.valve })
    : valve.role === "pump" || valve.role === "source" ? say("Stop %(valve)s", { valve: valve.valve }) : say("Close valve %(number)s: %(valve)s", { number: valve.number ?? "", valve: valve.valve });
  const act = primary(words, () => go(valveRoute(job, valve)));
  act.dataset.main = main.kind;
  return make("div", { class: "actions main" }, act);
}

/**
 * Take a step: at once where it needs nothing, else on its own page.
 * @param {JobNow} job
 * @param {Step} step
 */
async function take(job, step) {
  if (wantedNeeds(step, job, {}).length) return go(`${jobRoute(job.id)}?do=${encodeURIComponent(step.action)}`);
  if (step.action !== "arrive") {
    await recordStep(job, step.action);
    return toast(say("%(step)s: kept on this device.", { step: stepName(step) }));
  }
  toast(say("Finding the position…"), "info");
  const here = await findHere();
  const metres = here ? metresBetween(here, job) : null;
  if (metres !== null && metres > NEAR_M) {
    const isHere = await confirm({ title: say("You are %(distance)s from the job. Arrived all the same?", { distance: distance(metres) }), yes: stepName(step) });
    if (!isHere) return;
  }
  const told = here && metres !== null ? { arrival_distance_m: Math.round(metres * 10) / 10, arrival_accuracy_m: Math.round(here.accuracy_m * 10) / 10 } : {};
  await recordStep(job, step.action, told);
  toast(metres === null ? say("Arrival kept on this device; how far from the job is not known.") : say("Arrival kept on this device, %(distance)s from the job.", { distance: distance(metres) }));
}

/**
 * The second crew takes none of the order's steps: that it has come is a note.
 * @param {JobNow} job
 */
async function tellArrival(job) {
  toast(say("Finding the position…"), "info");
  const here = await findHere();
  const text = here ? say("The second crew has arrived, %(distance)s from the job.", { distance: distance(metresBetween(here, job)) }) : say("The second crew has arrived; how far from the job is not known.");
  await recordStep(job, "note", { text });
  toast(say("Kept on this device."));
}

/** @param {JobNow} job */
function viewOutages(job) {
  if (!job.outages.length) return [];
  return job.outages.map((outage) => card([
    make("h2", {}, `${say("Water")} · ${outage.id}${outage.is_drill ? ` · ${say("drill")}` : ""}`),
    facts([
      [say("Customers concerned"), figure(outage.customers)],
      [say("Key customers"), outage.critical.length ? outage.critical.map((one) => one.customer).join(", ") : say("none")],
      [say("Water back expected"), outage.forecast.restored ? clock(outage.forecast.restored.p90) : null],
    ]),
    make("ul", { class: "stages" }, STAGES.flatMap((stage) => {
      const at = outage.stages[stage];
      return at ? [make("li", { "data-stage": stage }, `✓ ${name("outage_stage", stage)} ${clock(at)}`)] : [];
    })),
    ...verdicts(job, outage),
    viewValves(job, outage),
    viewParts(job, outage),
  ], { class: "outage", label: outage.id }));
}

/**
 * The rings that this device has worked out, and what the server said of them.
 * @param {JobNow} job
 * @param {OutageNow} outage
 */
const verdicts = (job, outage) => job.records.filter((op) => op.action === "device_ring" && op.subject === `outage:${outage.id}`).map(viewVerdict);

/**
 * @param {JobNow} job
 * @param {OutageNow} outage
 */
function viewValves(job, outage) {
  if (!outage.valves.length) return notice("info", say("The plan names no valve to close."));
  return make("ol", { class: "plain valves" }, outage.valves.map((valve) => make("li", { "data-valve": valve.valve, "data-state": valve.state },
    make("a", { class: "button valve", href: valveRoute(job, valve) },
      disc(valve), make("span", { class: "grow" }, make("strong", {}, valve.valve), ` ${name("valve_role", valve.role)}`),
      make("span", {}, valveState(valve)), valve.tag ? badge(say("tag %(tag)s", { tag: valve.tag })) : null,
      valve.is_from_device ? badge(say("computed on the device"), "warn") : null,
      valve.recorded ? whereMark(valve.recorded.where) : null))));
}

/**
 * @param {JobNow} job
 * @param {OutageNow} outage
 */
function viewParts(job, outage) {
  const parts = partsOf(outage);
  if (!parts.length || (!outage.stages.repaired && !parts.some((part) => part.id.startsWith("refeed:")))) return null;
  return make("section", { class: "parts" }, make("h3", {}, say("Restore by part")), make("ul", { class: "plain" }, parts.map((part) => {
    const isDone = isBack(outage, part);
    const words = part.properties === null ? say("%(part)s: how many properties is not known", { part: partName(part) })
      : say("%(part)s: %(n)s properties", { part: partName(part), n: part.properties });
    return make("li", {}, isDone ? badge(words, "good") : link(words, `${jobRoute(job.id)}?part=${encodeURIComponent(part.id)}`));
  })));
}

/**
 * @param {JobNow} job
 * @param {Step[]} others
 * @param {boolean} isOurs
 * @param {boolean} isSecond
 */
function viewOthers(job, others, isOurs, isSecond) {
  const shown = others.filter((step) => step.action !== "set" && step.action !== "note");
  const act = (/** @type {Step} */ step) => {
    const element = button(stepName(step), () => take(job, step), { look: step.action === "decline" ? "danger" : "plain" });
    element.dataset.step = step.action;
    return element;
  };
  const canNote = isOurs && others.some((step) => step.action === "note");
  return make("section", { class: "others" }, make("h2", {}, say("Also possible")), make("div", { class: "actions" },
    shown.map(act),
    isSecond && canNote ? button(say("Our crew has arrived"), () => tellArrival(job)) : null,
    canNote ? link(say("Findings"), `${jobRoute(job.id)}?do=findings`) : null,
    canNote && !job.second_crew ? link(say("Ask for a second crew"), `${jobRoute(job.id)}?do=second_crew`) : null,
    isOnTheWay(job) ? null : navigateButton(job, `${job.id} ${placeOf(job)}`)));
}

/** Those that the day tells of, and those that were recorded here since. @param {JobNow} job */
const photosOf = (job) => [...new Set([...job.photos, ...job.records.flatMap((op) => op.photos)])];

/** @param {JobNow} job */
function viewFacts(job) {
  const crews = [job.crew_name ?? job.crew, job.second_crew_name ?? job.second_crew].filter(Boolean).join(" + ");
  const papers = Object.entries(job.data).filter(([field, value]) => field !== "assigned_by" && !field.startsWith("photo") && value !== null);
  return card([
    make("h2", {}, say("About the job")),
    facts([
      [say("Task"), job.task ?? say("nothing was written")],
      [say("Crew"), crews],
      [say("Pipe"), job.pipe ? `${job.pipe}${job.diameter_mm ? ` · DN${Math.round(job.diameter_mm)}` : ""}` : null],
      [say("Properties without water"), job.customers_out === null ? null : figure(job.customers_out)],
      [say("Excavation needed"), job.needs_excavation ? say("Yes") : say("No")],
      ...(job.after_order ? [/** @type {[string, string]} */ ([say("After"), job.after_order])] : []),
      ...(job.due_at ? [/** @type {[string, string]} */ ([say("Due"), clock(job.due_at)])] : []),
      ...papers.map(([field, value]) => /** @type {[string, string]} */ ([name("field", field), sayValue(value)])),
    ]),
    ...(photosOf(job).length ? [make("h3", {}, say("Photos")), viewPhotos(photosOf(job))] : []),
    ...(job.contacts.length ? [make("h3", {}, say("Who reported it")), make("ul", { class: "plain" }, job.contacts.map((one) => make("li", {},
      make("p", {}, `${one.name ?? say("no name")} · ${one.words}`), one.phone ? make("a", { class: "button plain", href: `tel:${one.phone}` }, one.phone) : null)))] : []),
  ], { label: say("About the job") });
}

/** @param {unknown} value @returns {string} */
function sayValue(value) {
  if (value === true) return say("Yes");
  if (value === false) return say("No");
  if (Array.isArray(value)) return value.map((one) => (typeof one === "object" && one ? `${one.name} × ${figure(one.quantity)}` : sayValue(one))).join(", ");
  if (typeof value === "number") return figure(value);
  const text = String(value);
  return /^\d{4}-\d\d-\d\dT/.test(text) ? clock(text) : name("choice", text);
}

/** @param {JobNow} job */
function viewRecords(job) {
  const word = (/** @type {import("./db.js").Op} */ op) => {
    const named = op.body.valve ?? op.body.stuck;
    const valve = named ? ` ${named}` : "";
    const said = op.subject.startsWith("work_order:") ? op.body.text ?? op.body.result : op.body.result && name("valve_state", String(op.body.result));
    return `${op.subject.startsWith("work_order:") ? name("action", op.action) : DEEDS[op.action]?.() ?? op.action}${valve}${said ? ` · ${said}` : ""}`;
  };
  if (!job.records.length) return make("p", { class: "quiet" }, say("Nothing was recorded on this device yet."));
  return make("section", {}, make("h2", {}, say("Recorded on this device")), make("ol", { class: "plain records" }, [...job.records].reverse().map((op) =>
    make("li", { "data-action": op.action }, make("time", { datetime: op.occurred_at }, clock(op.occurred_at)), ` ${word(op)} `,
      op.resolved ? badge(resolvedWord(op)) : whereMark(op.state, op.answered_at ?? null), op.state === "needs_you" && !op.resolved && op.answer?.message ? make("p", { class: "wrong" }, op.answer.message) : null))));
}
