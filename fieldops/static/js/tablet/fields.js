/** What a form asks, in sizes for gloves: every field tells its value, and what is wrong with it. */
import { freshId, make } from "./make.js";
import { beginWith, watchTyped } from "./typed.js";
import { say } from "./words.js";

/**
 * @template Value
 * @typedef {object} Field
 * @property {string} name
 * @property {HTMLElement} element
 * @property {() => Value | null} value - null when nothing was given
 * @property {() => string | null} problem - what is wrong, in words; null when nothing is
 * @property {() => void} focus
 */

/** @typedef {{name: string, label: string, help?: string, is_required?: boolean, onChange?: () => void}} Asked */

/**
 * @template Value
 * @param {Asked} asked
 * @param {HTMLElement} element
 * @param {() => Value | null} value
 * @param {() => string | null} [check]
 * @returns {Field<Value>}
 */
function fieldOf(asked, element, value, check = () => null) {
  const problem = () => {
    if (value() === null) return asked.is_required ? say("“%(field)s” is needed for this step.", { field: asked.label }) : check();
    return check();
  };
  const focus = () => {
    const first = element.querySelector("input, textarea, button");
    if (first instanceof HTMLElement) first.focus();
  };
  return { name: asked.name, element, value, problem, focus };
}

/** @param {Asked} asked */
const labelText = (asked) => (asked.is_required ? asked.label : say("%(field)s (optional)", { field: asked.label }));

/** @param {Asked} asked */
const help = (asked) => (asked.help ? make("p", { class: "help" }, asked.help) : null);

/**
 * @param {Asked} asked
 * @param {string} id
 * @param {...import("./make.js").Child} children
 */
const framed = (asked, id, ...children) =>
  make("div", { class: "field" }, make("label", { for: id }, labelText(asked)), ...children, help(asked));

/**
 * Words; several lines with `rows`.
 * @param {Asked & {value?: string, rows?: number, autocomplete?: string, type?: "text" | "password" | "tel" | "search"}} asked
 * @returns {Field<string>}
 */
export function textField(asked) {
  const id = freshId();
  const shared = { id, name: asked.name, autocomplete: asked.autocomplete ?? "off", input: () => asked.onChange?.() };
  const input = asked.rows
    ? make("textarea", { ...shared, rows: asked.rows })
    : make("input", { ...shared, type: asked.type ?? "text" });
  input.value = beginWith(asked, asked.value ?? "");
  const element = framed(asked, id, input);
  watchTyped(asked, element, () => input.value, asked.value ?? "");
  return fieldOf(asked, element, () => input.value.trim() || null);
}

/**
 * A number, typed or stepped with two big buttons.
 * @param {Asked & {value?: number | null, unit?: string, min?: number, max?: number, step?: number}} asked
 * @returns {Field<number>}
 */
export function numberField(asked) {
  const id = freshId();
  const step = asked.step ?? 1;
  const input = make("input", { id, name: asked.name, type: "text", inputmode: "decimal", autocomplete: "off", input: () => asked.onChange?.() });
  const first = asked.value === null || asked.value === undefined ? "" : String(asked.value);
  input.value = beginWith(asked, first);
  const read = () => {
    const text = input.value.trim().replace(",", ".");
    return text === "" ? null : Number(text);
  };
  const move = (/** @type {number} */ by) => {
    const now = read();
    const next = Math.round(((now !== null && Number.isFinite(now) ? now : (asked.min ?? 0) - by) + by) * 1000) / 1000;
    input.value = String(Math.min(asked.max ?? Infinity, Math.max(asked.min ?? -Infinity, next)));
    asked.onChange?.();
  };
  const stepper = (/** @type {string} */ sign, /** @type {number} */ by, /** @type {string} */ label) =>
    make("button", { type: "button", class: "step", "aria-label": `${asked.label}: ${label}`, click: () => move(by) }, sign);
  const row = make("div", { class: "stepper" }, stepper("−", -step, say("less")), input,
    asked.unit ? make("span", { class: "unit" }, asked.unit) : null, stepper("+", step, say("more")));
  const element = framed(asked, id, row);
  watchTyped(asked, element, () => input.value, first);
  return fieldOf(asked, element, read, () => {
    const now = read();
    if (now === null) return null;
    if (!Number.isFinite(now)) return say("“%(field)s” is not a number.", { field: asked.label });
    if (now < (asked.min ?? -Infinity)) return say("“%(field)s” is at least %(least)s.", { field: asked.label, least: asked.min });
    if (now > (asked.max ?? Infinity)) return say("“%(field)s” is at most %(most)s.", { field: asked.label, most: asked.max });
    return null;
  });
}

/**
 * One of a few, as big buttons of which one is pressed; pressing it again takes it back,
 * unless one of them always is (`is_fixed`).
 * @param {Asked & {options: [code: string, word: string][], value?: string | null, is_fixed?: boolean}} asked
 * @returns {Field<string>}
 */
export function choiceField(asked) {
  /** @type {string | null} */
  const first = asked.value ?? null;
  let chosen = asked.is_fixed ? first : beginWith(asked, first);
  const id = freshId();
  const buttons = asked.options.map(([code, word]) => make("button", {
    type: "button", class: "option", "data-code": code, "aria-pressed": String(code === chosen),
    click: () => {
      chosen = chosen === code && !asked.is_fixed ? null : code;
      for (const each of buttons) each.setAttribute("aria-pressed", String(each.dataset.code === chosen));
      asked.onChange?.();
    },
  }, make("span", { class: "tick", "aria-hidden": "true" }), word));
  const element = make("div", { class: "field", role: "group", "aria-labelledby": id, "data-name": asked.name },
    make("p", { class: "label", id }, labelText(asked)), make("div", { class: "options" }, buttons), help(asked));
  if (!asked.is_fixed) watchTyped(asked, element, () => chosen, first);
  return fieldOf(asked, element, () => chosen);
}

/**
 * Yes or no, neither of them taken for granted.
 * @param {Asked & {value?: boolean | null}} asked
 * @returns {Field<boolean>}
 */
export function yesNoField(asked) {
  const value = asked.value === null || asked.value === undefined ? null : asked.value ? "yes" : "no";
  const inner = choiceField({ ...asked, value, options: [["yes", say("Yes")], ["no", say("No")]] });
  return fieldOf(asked, inner.element, () => (inner.value() === null ? null : inner.value() === "yes"));
}

/**
 * A moment; told as ISO 8601 with its zone, begun at now.
 * @param {Asked & {value?: string | null}} asked
 * @returns {Field<string>}
 */
export function timeField(asked) {
  const id = freshId();
  const input = make("input", { id, name: asked.name, type: "datetime-local", change: () => asked.onChange?.() });
  const local = (/** @type {Date} */ at) => new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  const first = asked.value === null ? "" : local(asked.value ? new Date(asked.value) : new Date());
  input.value = beginWith(asked, first);
  const element = framed(asked, id, input);
  watchTyped(asked, element, () => input.value, first);
  return fieldOf(asked, element, () => (input.value ? new Date(input.value).toISOString() : null));
}

/**
 * Pictures, taken now or chosen; `keep` stores each on the device and tells its SHA-256.
 * @param {Asked & {keep: (file: File) => Promise<{sha256: string}>, value?: string[]}} asked
 * @returns {Field<string[]>}
 */
export function photoField(asked) {
  const first = { kept: [...(asked.value ?? [])], waiting: 0, tell: () => {}, complain: (/** @type {unknown} */ _error) => {} };
  // One that is still being kept while its page is drawn anew belongs to the field that is there then.
  const held = beginWith(asked, first);
  const { kept } = held;
  const list = make("p", { class: "help", role: "status" });
  const tell = () => {
    list.textContent = held.waiting ? say("Keeping the photo on the device…") : kept.length ? say("Photos on this device: %(n)s", { n: kept.length }) : "";
  };
  const input = (/** @type {boolean} */ isCamera) => make("input", {
    type: "file", accept: "image/*", class: "visually-hidden", tabindex: "-1", "aria-hidden": "true", multiple: !isCamera, capture: isCamera && "environment",
    change: async (/** @type {Event} */ event) => {
      const chooser = /** @type {HTMLInputElement} */ (event.target);
      const files = [...(chooser.files ?? [])];
      held.waiting += files.length;
      held.tell();
      for (const file of files) {
        try {
          const { sha256 } = await asked.keep(file);
          if (!kept.includes(sha256)) kept.push(sha256);
        } catch (error) {
          held.complain(error);
        }
        held.waiting -= 1;
        held.tell();
      }
      chooser.value = "";
    },
  });
  const camera = input(true);
  const gallery = input(false);
  const id = freshId();
  const element = make("div", { class: "field", role: "group", "aria-labelledby": id, "data-name": asked.name },
    make("p", { class: "label", id }, labelText(asked)),
    make("div", { class: "options" },
      make("button", { type: "button", class: "option", click: () => camera.click() }, say("Take a photo")),
      make("button", { type: "button", class: "option", click: () => gallery.click() }, say("Choose photos"))),
    camera, gallery, list, help(asked));
  const complain = (/** @type {unknown} */ error) => element.append(make("p", { class: "wrong", role: "alert" }, say("The photo could not be kept: %(why)s", { why: String(error) })));
  Object.assign(held, { tell: () => { tell(); asked.onChange?.(); }, complain });
  watchTyped(asked, element, () => (kept.length || held.waiting ? held : null), null);
  tell();
  return fieldOf(asked, element, () => (kept.length ? [...kept] : null),
    () => (held.waiting ? say("The photo is still being kept; wait a moment.") : null));
}

/**
 * Every value of a form by its name, or null when something is wrong, which is then said and shown.
 * @param {Field<any>[]} fields
 * @param {HTMLElement} notes - where problems are said
 * @returns {Record<string, any> | null}
 */
export function readFields(fields, notes) {
  const wrong = fields.map((field) => ({ field, problem: field.problem() })).filter(({ problem }) => problem);
  for (const { element } of fields) element.classList.toggle("is-wrong", wrong.some(({ field }) => field.element === element));
  notes.replaceChildren(...wrong.map(({ problem }) => make("p", { class: "wrong", role: "alert" }, problem)));
  if (wrong.length) {
    wrong[0]?.field.focus();
    return null;
  }
  return Object.fromEntries(fields.flatMap((field) => (field.value() === null ? [] : [[field.name, field.value()]])));
}
