/** What can be done with one valve: suppose it otherwise, or record that it is. */
import { make } from "./elements.js";
import { page } from "./page_data.js";
import { say } from "./words.js";

/** @typedef {import("./question.js").Supposition} Supposition */

/**
 * @typedef {object} ValveHands
 * @property {(valve: string, supposition: Supposition | null) => void} suppose
 * @property {(valve: string, supposition: Supposition, opener: HTMLElement) => void} record
 * @property {(valve: string) => void} show
 * @property {() => void} showAll
 */

/** @type {readonly Supposition[]} */
const SUPPOSABLE = ["inoperable", "unreachable", "closed"];

/**
 * @param {string} valve
 * @param {Supposition | null} supposed
 * @param {ValveHands} hands
 * @param {boolean} isOpen
 */
export function valveActions(valve, supposed, hands, isOpen = false) {
  const suppositions = SUPPOSABLE.map((supposition) => make("button", {
    type: "button",
    "aria-pressed": String(supposed === supposition),
    "data-focus": `suppose ${supposition} ${valve}`,
    "data-supposition": supposition,
    click: () => hands.suppose(valve, supposed === supposition ? null : supposition),
  }, say(`suppose.${supposition}`)));
  return make("details", { class: "valve-actions", open: isOpen || supposed !== null },
    make("summary", { "data-focus": `actions ${valve}`, "aria-label": say("valve-actions", { id: valve }) }, say("what-if")),
    make("div", { class: "buttons", role: "group", "aria-label": say("what-if-valve", { id: valve }) }, ...suppositions),
    page.may_record && recordActions(valve, hands));
}

/**
 * @param {string} valve
 * @param {ValveHands} hands
 */
export function recordActions(valve, hands) {
  const facts = SUPPOSABLE.map((fact) => make("button", {
    type: "button",
    class: "quiet",
    "data-record": fact,
    "data-focus": `record ${fact} ${valve}`,
    click: (event) => hands.record(valve, fact, /** @type {HTMLElement} */ (event.currentTarget)),
  }, say(`record.${fact}`)));
  return make("div", { class: "buttons record", role: "group", "aria-label": say("record-valve", { id: valve }) },
    make("span", { class: "label" }, say("record")), ...facts);
}
