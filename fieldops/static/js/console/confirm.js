/** The second step: what it does to how many customers is said before it is done. */
import { Problem } from "../map/api.js";
import { find, make } from "../map/elements.js";
import { say } from "../map/words.js";

/**
 * @typedef {object} Wish
 * @property {string} title
 * @property {string} label - of the button that does it
 * @property {Promise<string[]>} effect - lines with the number of customers
 * @property {HTMLElement[]} [fields] - what else has to be said
 * @property {(fields: FormData) => Promise<unknown>} act
 */

/**
 * @param {Wish} wish
 * @returns {Promise<boolean>} whether it was done
 */
export function confirm({ title, label, effect, fields = [], act }) {
  const dialog = /** @type {HTMLDialogElement} */ (find("confirmation"));
  const text = make("div", { class: "effect" }, make("p", { role: "status" }, say("working-out")));
  const yes = make("button", { type: "submit", class: "primary", disabled: true, id: "confirm" }, label);
  const no = make("button", { type: "button", id: "cancel" }, say("cancel"));
  const form = make("form", { class: "confirm" }, ...fields, make("div", { class: "buttons" }, yes, no));
  dialog.replaceChildren(make("h2", { id: "confirmation-title" }, title), text, form);
  dialog.showModal();
  (form.querySelector("input, select") instanceof HTMLElement ? /** @type {HTMLElement} */ (form.querySelector("input, select")) : no).focus();
  const fail = (/** @type {unknown} */ error) => {
    if (!(error instanceof Problem)) throw error;
    text.replaceChildren(make("p", { class: "loud-line", role: "alert" }, error.message));
  };
  effect.then((lines) => {
    text.replaceChildren(...lines.filter(Boolean).map((line) => make("p", {}, line)));
    yes.disabled = false;
  }).catch((error) => {
    fail(error);
    // What cannot be counted is said; a valve in the street is as it is all the same.
    text.append(make("p", {}, say("effect-not-counted")));
    yes.disabled = false;
  });
  return new Promise((resolve) => {
    let isDone = false;
    dialog.addEventListener("close", () => resolve(isDone), { once: true });
    no.addEventListener("click", () => dialog.close());
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      yes.disabled = true;
      try {
        await act(new FormData(form));
        isDone = true;
        dialog.close();
      } catch (error) {
        fail(error);
        yes.disabled = false;
      }
    });
  });
}

/**
 * A field with its label.
 * @param {string} name
 * @param {string} label
 * @param {Record<string, string | boolean>} attributes
 */
export function field(name, label, attributes = {}) {
  const input = make("input", { type: "text", name, id: `field-${name}`, ...attributes });
  return make("p", { class: "field" }, make("label", { for: `field-${name}` }, label), input);
}

/**
 * @param {string} name
 * @param {string} label
 * @param {[string, string][]} options
 * @param {string} [chosen]
 */
export function choice(name, label, options, chosen) {
  return make("p", { class: "field" }, make("label", { for: `field-${name}` }, label),
    make("select", { name, id: `field-${name}` }, ...options.map(([value, text]) => make("option", { value, selected: value === chosen }, text))));
}
