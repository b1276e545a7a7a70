/** One step of a job on a page of its own: what it needs is asked here, and then it is recorded. */
import { make, notice, primary, readFields, toast } from "./elements.js";
import { finishForm } from "./finish.js";
import { handOverForm } from "./handover.js";
import { holdForm } from "./hold.js";
import { recordStep } from "./local_state.js";
import { asSaid, needsForm } from "./needs_form.js";
import { go } from "./router.js";
import { chamberForm, digForm, startForm } from "./safety.js";
import { jobRoute } from "./valve_route.js";
import { name, say } from "./words.js";

/** @typedef {import("./day.js").Step} Step */
/** @typedef {import("./job_state.js").JobNow} JobNow */
/** @typedef {import("./fields.js").Field<any>} Field */
/** @typedef {import("./elements.js").Child} Child */

/**
 * How a step is asked for: what stands before its fields, the fields, and what is sent of them.
 * @typedef {object} StepForm
 * @property {Child[]} [before]
 * @property {HTMLElement} element
 * @property {() => Field[]} fields
 * @property {(values: Record<string, any>) => Record<string, unknown>} [body]
 */

/** @type {Record<string, (job: JobNow, step: Step) => StepForm>} */
const FORMS = {
  start: startForm,
  enter_chamber: chamberForm,
  dig: digForm,
  hold: holdForm,
  finish: finishForm,
  hand_over: handOverForm,
};

/** A step is called as a manager named it, or as the process does. @param {Step} step */
export const stepName = (step) => step.title ?? name("action", step.action);

/**
 * @param {HTMLElement} element
 * @param {JobNow} job
 * @param {Step} step
 */
export function showStep(element, job, step) {
  const form = FORMS[step.action]?.(job, step) ?? needsForm(step, job);
  const notes = make("div", {});
  const act = primary(stepName(step), async () => {
    const values = readFields(form.fields(), notes);
    if (!values) return;
    const said = asSaid(values);
    await recordStep(job, step.action, form.body?.(values) ?? said.body, said.photos);
    toast(say("%(step)s: kept on this device.", { step: stepName(step) }));
    go(jobRoute(job.id));
  });
  act.dataset.record = step.action;
  element.append(
    make("h1", {}, `${stepName(step)} · ${job.id}`),
    ...(form.before ?? []).map((child) => make("div", {}, child)),
    form.element, notes,
    make("div", { class: "actions main" }, act),
  );
}

/**
 * Say that a step is none any more: the job has moved on.
 * @param {HTMLElement} element
 * @param {JobNow} job
 */
export function showNoStep(element, job) {
  element.append(notice("warn", say("This step is not possible now: the job is “%(state)s”.", { state: name("state", job.state) })));
}
