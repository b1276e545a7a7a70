/** What wants a dispatcher's eye besides the queue: escalated limits, facts that came late, emergencies. */
import { find, make } from "../map/elements.js";
import { figure, say } from "../map/words.js";
import { clockOf } from "./moments.js";

/** @typedef {import("./board.js").Board} Board */
/** @typedef {import("./board.js").LateFact} LateFact */
/** @typedef {import("./board.js").Order} Order */

const OVER = 100;

/**
 * The mark of an order whose limit was escalated.
 * @param {Order} order
 */
export function escalationMark({ escalated }) {
  if (!escalated) return false;
  const { percent } = escalated;
  return make("span", { class: percent >= OVER ? "escalated is-over" : "escalated", "data-percent": String(percent) },
    say(percent >= OVER ? "escalated-over" : "escalated", { percent: `${figure(percent)}%` }));
}

/**
 * Where a late fact belongs: to its order while that is open, else to its incident, else nowhere.
 * @param {LateFact} fact
 * @param {Board} board
 * @returns {string | null} the id of what has a row
 */
function rowOf({ subject, incident }, board) {
  if (board.orders.some(({ id }) => id === subject)) return subject;
  return board.incidents.some(({ id }) => id === incident) ? incident : null;
}

/**
 * The late facts that nobody has read yet, of what has this row.
 * @param {Board} board
 * @param {string} id
 */
export const lateFactsOf = (board, id) => board.late_facts.filter((fact) => rowOf(fact, board) === id);

/** @param {LateFact[]} facts */
export const lateMark = (facts) => facts.length > 0
  && make("span", { class: "late", "data-late": String(facts.length) }, say("late-fact"), facts.length > 1 ? ` ${figure(facts.length)}` : "");

/** @param {LateFact} fact @param {(fact: LateFact) => void} read */
const lateLine = (fact, read) => make("li", { "data-fact-position": String(fact.position) },
  make("span", {}, make("strong", {}, fact.subject), " ", say("late-fact"), say("colon"), say("late-fact-line", {
    what: fact.what, by: fact.by ?? say("unknown"), time: clockOf(fact.occurred_at), received: clockOf(fact.received_at) })),
  make("button", { type: "button", class: "quiet", "data-focus": `late ${fact.position}`, click: () => read(fact) }, say("late-fact-read")));

/**
 * @param {LateFact[]} facts
 * @param {(fact: LateFact) => void} read
 */
export const lateSection = (facts, read) => facts.length > 0 && make("section", { "data-part": "late" },
  make("h3", {}, say("late-facts")), make("ul", { class: "plain late-facts" }, ...facts.map((fact) => lateLine(fact, read))));

let shown = "";

/**
 * Above the queue: emergencies under way, and late facts of what has no row any more.
 * @param {Board} board
 * @param {(fact: LateFact) => void} read
 */
export function showAttention(board, read) {
  const lost = board.late_facts.filter((fact) => rowOf(fact, board) === null);
  const signature = JSON.stringify([board.emergencies, lost]);
  if (signature === shown) return;
  shown = signature;
  find("attention").replaceChildren(
    ...board.emergencies.map((one) => make("p", { class: "emergency", "data-level": String(one.level), "data-emergency": one.id },
      make("a", { href: "/duty" }, say("emergency-line", { level: one.level_name, incident: one.incident, place: one.address ?? "" })),
      one.is_drill && make("span", { class: "tag drill" }, say("drill")),
      one.unacknowledged > 0 && make("span", {}, say("emergency-calls", { n: figure(one.unacknowledged) })),
      one.report_due_at !== null && make("span", {}, say("emergency-report", { time: clockOf(one.report_due_at) })))),
    ...(lost.length ? [make("ul", { class: "plain late-facts", "aria-label": say("late-facts") }, ...lost.map((fact) => lateLine(fact, read)))] : []));
}
