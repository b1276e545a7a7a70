/** The work is done: cause, repair, material, photos, and which parts were built in. */
import { button, make, textField, numberField } from "./elements.js";
import { needsForm } from "./needs_form.js";
import { isKept } from "./typed.js";
import { say } from "./words.js";

/** @typedef {import("./fields.js").Field<any>} Field */

const MOST_PARTS = 40;

/**
 * @param {import("./job_state.js").JobNow} job
 * @param {import("./day.js").Step} step
 * @returns {import("./step_page.js").StepForm}
 */
export function finishForm(job, step) {
  const form = needsForm(step, job);
  if (!step.needs.some((need) => need.field === "material")) return form;
  /** @type {{name: Field, quantity: Field}[]} */
  const rows = [];
  const list = make("div", { class: "parts" });
  const add = () => {
    const number = rows.length + 1;
    const row = {
      name: textField({ name: `part_${number}`, label: say("Part %(n)s", { n: number }), is_required: true }),
      quantity: numberField({ name: `quantity_${number}`, label: say("How many"), is_required: true, value: 1, min: 0.1, max: 10_000 }),
    };
    rows.push(row);
    list.append(make("div", { class: "pair" }, row.name.element, row.quantity.element));
    return row;
  };
  while (rows.length < MOST_PARTS && ["part", "quantity"].some((each) => isKept(`${each}_${rows.length + 1}`))) add();
  const more = button(say("Add a part"), () => {
    if (rows.length < MOST_PARTS) add().name.focus();
  });
  more.dataset.add = "part";
  // A row that was begun and left empty is no part.
  const filled = () => rows.filter((row) => row.name.value() !== null);
  return {
    element: make("div", {}, form.element, make("section", { class: "field" }, make("h2", {}, say("Parts built in")), list, more)),
    fields: () => [...form.fields(), ...filled().flatMap((row) => [row.name, row.quantity])],
    body: (values) => {
      const said = Object.fromEntries(Object.entries(values).filter(([each]) => !/^(part|quantity)_\d+$/.test(each)));
      const parts = filled().map((row) => ({ name: row.name.value(), quantity: row.quantity.value() }));
      return parts.length ? { ...said, parts } : said;
    },
  };
}
