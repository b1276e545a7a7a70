/** The pieces that every page of the tablet is made of, in the right sizes. */
import { drawing, freshId, make } from "./make.js";
import { readFields } from "./fields.js";
import { age, clock, say } from "./words.js";

export { choiceField, numberField, photoField, readFields, textField, timeField, yesNoField } from "./fields.js";
export { drawing, freshId, make };

/** @typedef {import("./make.js").Child} Child */
/** @typedef {import("./make.js").Children} Children */
/** @typedef {"plain" | "primary" | "danger" | "quiet"} Look */
/** @typedef {{look?: Look, class?: string, id?: string, is_disabled?: boolean, pressed?: boolean | null, label?: string, icon?: string}} ButtonOptions */
/** @typedef {"here" | "sending" | "confirmed" | "needs_you"} Where */

/** A thumb in a glove often taps twice; so long after it was heard, nothing is meant by a tap. */
const REST_MS = 400;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let resting;

/** Heed no tap on the page's steps for a moment: another may just have come up under the thumb. */
export function rest() {
  document.documentElement.dataset.resting = "yes";
  clearTimeout(resting);
  resting = setTimeout(() => { delete document.documentElement.dataset.resting; }, REST_MS);
}

/**
 * A button of at least 48 px; while what it does goes on, it cannot be pressed a second time.
 * @param {Children} content
 * @param {() => unknown} act
 * @param {ButtonOptions} [options]
 * @returns {HTMLButtonElement}
 */
export function button(content, act, options = {}) {
  const element = make("button", {
    type: "button",
    id: options.id,
    class: [options.look ?? "plain", options.class].filter(Boolean).join(" "),
    disabled: options.is_disabled,
    "aria-pressed": options.pressed === undefined || options.pressed === null ? null : String(options.pressed),
    "aria-label": options.label,
    click: async () => {
      element.disabled = true;
      try {
        await act();
      } catch (error) {
        showProblem(error);
      } finally {
        element.disabled = false;
        rest();
      }
    },
  }, options.icon ? drawing(options.icon) : null, content);
  return element;
}

/**
 * The one main action of a state: 56 px, and only one on a page.
 * @param {Children} content
 * @param {() => unknown} act
 * @param {ButtonOptions} [options]
 */
export const primary = (content, act, options = {}) => button(content, act, { ...options, look: "primary" });

/**
 * A link to a route, in a button's size.
 * @param {Children} content
 * @param {string} route - "#/jobs"
 * @param {{look?: Look, class?: string, icon?: string}} [options]
 */
export const link = (content, route, options = {}) =>
  make("a", { href: route, class: ["button", options.look ?? "plain", options.class].filter(Boolean).join(" ") }, options.icon ? drawing(options.icon) : null, content);

/**
 * @param {Children} children
 * @param {{class?: string, label?: string}} [options]
 */
export const card = (children, options = {}) =>
  make("section", { class: ["card", options.class].filter(Boolean).join(" "), "aria-label": options.label }, children);

/** @typedef {"info" | "good" | "wrong" | "warn"} Tone */
const SIGNS = /** @type {const} */ ({ info: "ℹ", good: "✓", wrong: "✕", warn: "!" });

/**
 * Something to be read, with a sign beside its colour.
 * @param {Tone} tone
 * @param {Children} children
 */
export const notice = (tone, children) =>
  make("div", { class: `notice ${tone}`, role: tone === "wrong" || tone === "warn" ? "alert" : "status" },
    make("span", { class: "sign", "aria-hidden": "true" }, SIGNS[tone]), make("div", {}, children));

/**
 * A word with a shape, never a colour alone.
 * @param {Children} word
 * @param {Tone | "plain"} [tone]
 */
export const badge = (word, tone = "plain") =>
  make("span", { class: `badge ${tone}` }, tone === "plain" ? null : make("span", { class: "sign", "aria-hidden": "true" }, SIGNS[tone]), word);

/**
 * Where a record is: on this device, being sent, confirmed, needs you.
 * @param {Where} where
 * @param {string | number | Date | null} [at] - when it was confirmed
 */
export function whereMark(where, at = null) {
  const words = {
    here: () => say("On this device"),
    sending: () => say("Being sent"),
    confirmed: () => (at ? say("Confirmed %(time)s", { time: clock(at) }) : say("Confirmed")),
    needs_you: () => say("Needs you"),
  };
  const shapes = { here: "▣", sending: "➤", confirmed: "✓", needs_you: "!" };
  return make("span", { class: `where ${where}`, "data-where": where }, make("span", { class: "sign", "aria-hidden": "true" }, shapes[where]), words[where]());
}

/**
 * Terms with their values; a value that is not known says so.
 * @param {[term: string, value: Child][]} pairs
 */
export const facts = (pairs) => make("dl", { class: "facts" }, pairs.flatMap(([term, value]) => [
  make("dt", {}, term),
  make("dd", {}, value === null || value === undefined || value === "" ? make("span", { class: "unknown" }, say("not known")) : value),
]));

/**
 * "14:05 (3 min ago)"; what is still to come has no age.
 * @param {string | number | Date} at
 */
export const moment = (at) => make("time", { datetime: new Date(at).toISOString() },
  new Date(at).getTime() > Date.now() + 60_000 ? clock(at) : `${clock(at)} (${age(at)})`);

/**
 * A sheet over the page. `closed` resolves with what `close` was given, or null when put away.
 * @param {string} title
 * @param {Children} content
 * @returns {{element: HTMLDialogElement, close: (result?: any) => void, closed: Promise<any>}}
 */
export function dialog(title, content) {
  const id = freshId();
  const element = make("dialog", { "aria-labelledby": id }, make("h2", { id, tabindex: "-1" }, title), content);
  /** @type {any} */
  let result = null;
  const close = (/** @type {any} */ given = null) => { result = given; element.close(); };
  const closed = new Promise((resolve) => {
    element.addEventListener("close", () => { element.remove(); resolve(result); }, { once: true });
  });
  document.body.append(element);
  element.showModal();
  return { element, close, closed };
}

/**
 * A question with two answers, the harmless one in front of the focus.
 * @param {{title: string, text?: Children, yes: string, no?: string, is_danger?: boolean}} question
 * @returns {Promise<boolean>}
 */
export function confirm({ title, text, yes, no, is_danger = false }) {
  const keep = button(no ?? say("Cancel"), () => sheet.close(false));
  const act = button(yes, () => sheet.close(true), { look: is_danger ? "danger" : "primary" });
  const sheet = dialog(title, [text ? make("div", { class: "text" }, text) : null, make("div", { class: "actions" }, keep, act)]);
  keep.focus();
  return sheet.closed.then(Boolean);
}

/**
 * A form over the page: what it asks is read when `yes` is pressed; null when put away.
 * @param {{title: string, text?: Children, fields: import("./fields.js").Field<any>[], yes: string}} wanted
 * @returns {Promise<Record<string, any> | null>}
 */
export function ask({ title, text, fields, yes }) {
  const notes = make("div", {});
  const act = primary(yes, () => {
    const values = readFields(fields, notes);
    if (values) sheet.close(values);
  });
  const sheet = dialog(title, [text ? make("div", { class: "text" }, text) : null,
    fields.map((field) => field.element), notes,
    make("div", { class: "actions" }, button(say("Cancel"), () => sheet.close(null)), act)]);
  return sheet.closed;
}

/**
 * Something short at the foot of the page, gone after a while and read out.
 * @param {string} text
 * @param {Tone} [tone]
 */
export function toast(text, tone = "good") {
  const element = notice(tone, text);
  element.classList.add("toast");
  // Under an open sheet it would not be seen.
  (document.querySelector("dialog[open]") ?? document.body).append(element);
  setTimeout(() => element.remove(), 6000);
}

/**
 * Say what went wrong; nothing fails in silence.
 * @param {unknown} error
 */
export function showProblem(error) {
  console.warn(error);
  toast(error instanceof Error && error.message ? error.message : String(error), "wrong");
}
