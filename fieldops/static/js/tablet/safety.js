/** What keeps people alive: the briefing before the work, the gas before the chamber, the owners before digging. */
import { choiceField, make, notice } from "./elements.js";
import { needsForm } from "./needs_form.js";
import { say } from "./words.js";

/** @typedef {import("./day.js").Need} Need */
/** @typedef {import("./step_page.js").StepForm} StepForm */
/** @typedef {(job: import("./job_state.js").JobNow, step: import("./day.js").Step) => StepForm} MakeForm */

const LATER = new Set(["permit_later_reason", "permit_due_at"]);

/** @type {MakeForm} */
export function startForm(job, step) {
  const form = needsForm(step, job);
  const points = [
    say("Traffic: cones, signs and lights stand."),
    say("Water, gas, power and telecom in the ground are known, or have been asked for."),
    say("Trench: support, ladder, nobody under a load."),
    say("Everybody wears helmet, vest and boots."),
    say("Who calls for help, and from where, is agreed."),
  ];
  const before = [make("ul", { class: "checks" }, points.map((point) => make("li", {}, point)))];
  return { ...form, before };
}

/** @type {MakeForm} */
export function chamberForm(job, step) {
  const form = needsForm(step, job, { help: { second_person: say("Who stays at the opening, by name.") } });
  const before = [notice("warn", say("Measure before the cover is entered, and again after any break. Outside the limits: do not enter; ventilate and measure again."))];
  return { before, element: form.element, fields: form.fields };
}

/** @type {MakeForm} */
export function digForm(job, step) {
  const wants = (/** @type {string} */ field) => step.needs.some((need) => need.field === field);
  if (!wants("road_permit") || !wants("permit_later_reason")) return needsForm(step, job);
  let way = job.data.permit_later_reason ? "later" : job.data.road_permit ? "permit" : null;
  const skip = (/** @type {Need} */ need) => (need.field === "road_permit" && way !== "permit") || (LATER.has(need.field) && way !== "later");
  const form = needsForm(step, job, { skip });
  const choice = choiceField({
    name: "way", label: say("Road-occupation permit"), is_required: true, value: way,
    options: [["permit", say("There is a permit")], ["later", say("Dig first, permit after")]],
    onChange: () => {
      way = choice.value();
      form.look();
    },
  });
  return {
    element: make("div", {}, choice.element, form.element),
    fields: () => [choice, ...form.fields()],
    body: ({ way: _, ...values }) => values,
  };
}
