/** Handing a job over at shift end: to whom, what is open, which valves are shut, which tags hang. */
import { facts, make, notice, textField } from "./elements.js";
import { day } from "./day.js";
import { needsForm } from "./needs_form.js";
import { leftOpen } from "./steps.js";
import { name, say } from "./words.js";

/** @typedef {import("./job_state.js").JobNow} JobNow */
/** @typedef {import("./step_page.js").StepForm} StepForm */

/**
 * @param {JobNow} job
 * @param {import("./day.js").Step} step
 * @returns {StepForm}
 */
export function handOverForm(job, step) {
  const left = leftOpen(job);
  const person = textField({ name: "handed_over_to", label: say("To whom, by name"), is_required: true });
  const form = needsForm(step, job, {
    value: { open_work: summary(job, left.waiting ?? []) },
    help: { open_work: say("What the next crew has to do, and what is not as it looks.") },
  });
  /** @param {string[] | null} list */
  const told = (list) => (list ? list.join(", ") || say("none") : say("not known"));
  const before = [
    facts([
      [say("State"), name("state", job.state)],
      [say("Valves shut"), told(left.valves_shut)],
      [say("Tags hanging"), told(left.tags)],
      [say("Still to close"), told(left.waiting)],
    ]),
    ...((day()?.other_crews ?? []).length ? [] : [notice("wrong", say("No other crew is known on this device: call dispatch."))]),
  ];
  return {
    before,
    element: make("div", {}, form.element, person.element),
    fields: () => [...form.fields(), person],
    // Nothing is told of what is not known: an empty list says that there is none.
    body: (values) => (left.valves_shut ? { ...values, valves_shut: left.valves_shut, tags: left.tags } : values),
  };
}

/**
 * @param {JobNow} job
 * @param {string[]} waiting
 */
function summary(job, waiting) {
  const parts = [say("The job is “%(state)s”.", { state: name("state", job.state) })];
  if (waiting.length) parts.push(say("Still to close: %(valves)s.", { valves: waiting.join(", ") }));
  if (job.hold_reason) parts.push(job.hold_reason);
  return parts.join(" ");
}
