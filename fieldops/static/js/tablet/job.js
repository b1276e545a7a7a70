/** One job: what comes next as one main button, the valves in their order, and what was recorded. */
import { link, make, notice, rest, showProblem } from "./elements.js";
import { showFindings, showSecondCrew } from "./findings.js";
import { showJobMap } from "./job_map.js";
import { findStep } from "./job_state.js";
import { jobNow, watchJobs } from "./local_state.js";
import { overview } from "./overview.js";
import { showPart } from "./parts_page.js";
import { showRing } from "./ring_view.js";
import { showNoStep, showStep } from "./step_page.js";
import { partsOf } from "./steps.js";
import { showTag, showValve } from "./valve_card.js";
import { jobRoute } from "./valve_route.js";
import { say } from "./words.js";

/** @typedef {import("./job_state.js").JobNow} JobNow */

/** About as long as a finger with a glove rests on a button. */
const PRESS_MS = 400;

/**
 * @param {HTMLElement} element
 * @param {Record<string, string>} params
 */
export async function show(element, params) {
  const job = await jobNow(params.id ?? "");
  if (!job) {
    element.append(make("h1", {}, params.id ?? ""), notice("warn", say("This job is not on this device: it may have gone to another crew, or this device has not heard of it yet.")),
      make("div", { class: "actions" }, link(say("To the jobs"), "#/jobs")));
    return;
  }
  element.dataset.job = job.id;
  const isPart = ["do", "valve", "part", "ring"].some((each) => params[each] !== undefined);
  element.append(make("nav", { class: "actions back" }, isPart ? link(say("Back to the job"), jobRoute(job.id)) : link(say("To the jobs"), "#/jobs")));
  if (isPart) return showPiece(element, job, params);
  return showOverview(element, job);
}

/**
 * A form stays as it is while the day changes around it: nothing typed is lost.
 * @param {HTMLElement} element
 * @param {JobNow} job
 * @param {Record<string, string>} params
 */
async function showPiece(element, job, params) {
  if (params.do === "findings") return showFindings(element, job);
  if (params.do === "second_crew") return showSecondCrew(element, job);
  if (params.do !== undefined) {
    const step = findStep(job, params.do);
    return step?.is_mine ? showStep(element, job, step) : showNoStep(element, job);
  }
  for (const outage of job.outages) {
    const part = partsOf(outage).find((one) => one.id === params.part);
    if (part) return showPart(element, job, outage, part);
    const valve = outage.valves.find((one) => one.valve === (params.valve ?? params.ring) && (params.table === undefined || one.table === params.table));
    if (!valve) continue;
    if (params.valve === undefined) return showRing(element, { outage, valve });
    if (params.tag !== undefined) return showTag(element, job, outage, valve);
    const text = make("div", { class: "job-text" });
    const map = make("section", { class: "job-map", "aria-label": say("Map") });
    element.append(make("div", { class: "job-page one" }, text, map));
    showValve(text, job, outage, valve);
    return showJobMap(map, job, valve).leave;
  }
  element.append(notice("warn", say("This is not part of the job any more.")));
}

/**
 * @param {HTMLElement} element
 * @param {JobNow} first
 */
function showOverview(element, first) {
  const place = make("div", {});
  element.append(place);
  const page = overview(place, first);
  let turn = 0;
  let shown = JSON.stringify(first);
  const draw = async () => {
    const mine = ++turn;
    const job = await jobNow(first.id);
    if (mine !== turn) return;
    const now = JSON.stringify(job);
    if (now === shown) return;
    // What is taken away under a finger is not pressed.
    if (place.querySelector(":active")) return void setTimeout(() => mine === turn && draw().catch(showProblem), PRESS_MS);
    shown = now;
    if (job) {
      page.draw(job);
      rest();
    } else place.replaceChildren(notice("warn", say("This job is no longer given to your crew. What you recorded is kept.")));
  };
  const stop = watchJobs(() => draw().catch(showProblem));
  return () => {
    turn += 1;
    stop();
    page.leave();
  };
}
