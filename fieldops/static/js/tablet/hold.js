/** Holding a job: why, and until when; a crew may only for so long. */
import { make, notice } from "./elements.js";
import { day } from "./day.js";
import { needsForm } from "./needs_form.js";
import { say } from "./words.js";

/** @typedef {import("./step_page.js").StepForm} StepForm */

/**
 * @param {import("./job_state.js").JobNow} job
 * @param {import("./day.js").Step} step
 * @returns {StepForm}
 */
export function holdForm(job, step) {
  const form = needsForm(step, job);
  const reasons = [say("Waiting for material"), say("Waiting for a permit"), say("Waiting for another crew"), say("Waiting for daylight"), say("Nobody at home")];
  const reason = /** @type {HTMLTextAreaElement | null} */ (form.element.querySelector("[name=reason]"));
  reason?.after(make("div", { class: "options" }, reasons.map((text) =>
    make("button", { type: "button", class: "option", click: () => { reason.value = text; } }, text))));
  const most = day()?.policy.crew_hold_most_h;
  const before = most ? [notice("info", say("A crew may hold a job for %(n)s hours at most; for longer a dispatcher has to.", { n: most }))] : [];
  return { before, element: form.element, fields: () => form.fields().map((field) => (most && field.name === "resume_by" ? limited(field, most) : field)) };
}

/**
 * @param {import("./fields.js").Field<any>} field
 * @param {number} hours
 */
const limited = (field, hours) => ({
  ...field,
  problem: () => field.problem() ?? (Date.parse(field.value()) > Date.now() + hours * 3_600_000
    ? say("A crew may hold a job for %(n)s hours at most; for longer a dispatcher has to.", { n: hours })
    : null),
});
