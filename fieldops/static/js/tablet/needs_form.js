/** What a step needs, asked at the step and never at the end. */
import { choiceField, make, numberField, photoField, textField, timeField, yesNoField } from "./elements.js";
import { day } from "./day.js";
import { freshId } from "./make.js";
import { keepPhoto } from "./photos.js";
import { knownOf, wantedNeeds } from "./steps.js";
import { beginWith, watchTyped } from "./typed.js";
import { name, say } from "./words.js";

/** @typedef {import("./day.js").Need} Need */
/** @typedef {import("./day.js").Step} Step */
/** @typedef {import("./job_state.js").JobNow} JobNow */
/** @typedef {import("./fields.js").Field<any>} Field */
/** @typedef {{body: Record<string, unknown>, photos: string[]}} Said */
/** @typedef {{help?: Record<string, string>, value?: Record<string, unknown>, skip?: (need: Need) => boolean}} Wishes */

/**
 * What a need is called: by a manager's own words, or by the process's.
 * @param {Need} need
 */
export const labelOf = (need) => need.label ?? name("field", need.field);

/**
 * Several things of which all are wanted, each a button that stays pressed.
 * @param {{name: string, label: string, options: [string, string][], value: string[], onChange: () => void}} asked
 * @returns {Field}
 */
function allField(asked) {
  const pressed = new Set(beginWith(asked, asked.value));
  const id = freshId();
  const buttons = asked.options.map(([code, word]) => make("button", {
    type: "button", class: "option", "data-code": code, "aria-pressed": String(pressed.has(code)),
    click: (/** @type {Event} */ event) => {
      if (!pressed.delete(code)) pressed.add(code);
      /** @type {HTMLElement} */ (event.currentTarget).setAttribute("aria-pressed", String(pressed.has(code)));
      asked.onChange();
    },
  }, make("span", { class: "tick", "aria-hidden": "true" }), word));
  const element = make("div", { class: "field all", role: "group", "aria-labelledby": id, "data-name": asked.name },
    make("p", { class: "label", id }, asked.label), make("div", { class: "options" }, buttons),
    make("p", { class: "help" }, say("Press each one that is done; all are needed.")));
  watchTyped(asked, element, () => [...pressed].sort(), [...asked.value].sort());
  return {
    name: asked.name,
    element,
    value: () => (pressed.size ? asked.options.map(([code]) => code).filter((code) => pressed.has(code)) : null),
    problem: () => (pressed.size < asked.options.length ? say("“%(field)s”: all are needed.", { field: asked.label }) : null),
    focus: () => buttons[0]?.focus(),
  };
}

/**
 * The field of one need.
 * @param {Need} need
 * @param {JobNow} job
 * @param {Wishes} wishes
 * @param {() => void} onChange
 * @returns {Field}
 */
function fieldOf(need, job, wishes, onChange) {
  const given = wishes.value?.[need.field] ?? knownOf(need, job);
  const asked = { name: need.field, label: labelOf(need), is_required: true, onChange, help: wishes.help?.[need.field] };
  switch (need.kind) {
    case "yes": {
      const field = yesNoField({ ...asked, value: typeof given === "boolean" ? given : null });
      const problem = () => field.problem() ?? (field.value() === true ? null : say("“%(field)s”: this step needs a yes.", { field: asked.label }));
      return { ...field, problem };
    }
    case "number":
      return numberField({ ...asked, value: typeof given === "number" ? given : null, min: need.min, max: need.max, step: stepOf(need), help: asked.help ?? boundsOf(need) });
    case "choice":
      return choiceField({ ...asked, value: typeof given === "string" ? given : null, options: (need.choices ?? []).map((code) => [code, name("choice", code)]) });
    case "all":
      return allField({ ...asked, value: Array.isArray(given) ? given.map(String) : [], options: (need.choices ?? []).map((code) => [code, name("choice", code)]) });
    case "time":
      return timeField({ ...asked, value: typeof given === "string" ? given : undefined });
    case "later":
      return laterField(asked, typeof given === "string" ? given : null);
    case "photo":
      return photoOf({ ...asked, value: typeof given === "string" ? [given] : [] });
    case "crew":
      return choiceField({ ...asked, options: (day()?.other_crews ?? []).map((crew) => [crew.id, crew.name]) });
    default:
      return textField({ ...asked, value: typeof given === "string" ? given : "", rows: 2 });
  }
}

/** @param {Need} need */
const stepOf = (need) => ((need.max ?? Infinity) - (need.min ?? -Infinity) <= 5 ? 0.1 : 1);

/** @param {Need} need */
function boundsOf(need) {
  if (need.min !== undefined && need.max !== undefined) return say("Allowed: %(least)s to %(most)s.", { least: need.min, most: need.max });
  return undefined;
}

/**
 * One photo: the last one taken counts.
 * @param {{name: string, label: string, is_required?: boolean, help?: string, onChange?: () => void, value?: string[]}} asked
 * @returns {Field}
 */
export function photoOf(asked) {
  const field = photoField({ ...asked, keep: keepPhoto });
  return { ...field, value: () => field.value()?.at(-1) ?? null };
}

const HOURS = [1, 2, 4];

/**
 * A moment that is still to come, with buttons for those that are meant most often.
 * @param {{name: string, label: string, is_required: boolean, onChange: () => void, help?: string}} asked
 * @param {string | null} value
 * @returns {Field}
 */
export function laterField(asked, value) {
  const field = timeField({ ...asked, value });
  const input = /** @type {HTMLInputElement} */ (field.element.querySelector("input"));
  const put = (/** @type {Date} */ at) => {
    input.value = new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
    asked.onChange();
  };
  const tomorrow = () => {
    const at = new Date();
    at.setDate(at.getDate() + 1);
    at.setHours(8, 0, 0, 0);
    return at;
  };
  const quick = (/** @type {string} */ text, /** @type {() => Date} */ at) => make("button", { type: "button", class: "option", click: () => put(at()) }, text);
  field.element.append(make("div", { class: "options" },
    HOURS.map((hours) => quick(say("In %(n)s h", { n: hours }), () => new Date(Date.now() + hours * 3_600_000))),
    quick(say("Tomorrow 08:00"), tomorrow)));
  const problem = () => field.problem() ?? (Date.parse(String(field.value())) > Date.now() ? null : say("“%(field)s” has to lie ahead.", { field: asked.label }));
  return { ...field, problem };
}

/**
 * The form of a step: only those needs are shown that stand, with what is said so far.
 * @param {Step} step
 * @param {JobNow} job
 * @param {Wishes} [wishes]
 * @returns {{element: HTMLElement, fields: () => Field[], said: () => Record<string, unknown>, look: () => void}}
 */
export function needsForm(step, job, wishes = {}) {
  /** @type {Map<string, Field>} */
  const made = new Map();
  const element = make("div", { class: "needs" });
  /** @type {Field[]} */
  let shown = [];
  const said = () => Object.fromEntries([...made.values()].flatMap((field) => (field.value() === null ? [] : [[field.name, field.value()]])));
  const look = () => {
    const values = said();
    const fields = [...new Map(step.needs.filter((need) => need.field).map((need) => [need.field, need])).keys()].flatMap((field) => {
      // What is typed into a field does not do away with it.
      const need = wantedNeeds(step, job, without(values, field)).find((one) => one.field === field);
      if (!need || wishes.skip?.(need)) return [];
      const known = made.get(field) ?? fieldOf(need, job, wishes, look);
      made.set(field, known);
      return [known];
    });
    if (fields.length === shown.length && fields.every((field, at) => field === shown[at])) return;
    shown = fields;
    element.replaceChildren(...fields.map((field) => field.element));
  };
  look();
  return { element, fields: () => shown, said, look };
}

/**
 * @param {Record<string, unknown>} values
 * @param {string} field
 */
const without = (values, field) => Object.fromEntries(Object.entries(values).filter(([each]) => each !== field));

/**
 * What was read of a form, as an operation takes it: photos are named besides.
 * @param {Record<string, unknown>} values
 * @returns {Said}
 */
export function asSaid(values) {
  const hashes = Object.values(values).flat().filter((value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value));
  return { body: values, photos: /** @type {string[]} */ (hashes) };
}
