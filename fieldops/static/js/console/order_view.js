/** A work order as it stands in the drawer: its clocks, who should go, and why. */
import { make } from "../map/elements.js";
import { figure, say } from "../map/words.js";
import { escalationMark, lateFactsOf, lateSection } from "./attention.js";
import { ageOf, clockOf, standOf } from "./moments.js";
import { limitOf, placeOf, stateWord } from "./queue.js";
import { skillWord } from "./skills.js";
import { severitySign } from "./severity.js";

/** @typedef {import("./board.js").Board} Board */
/** @typedef {import("./board.js").Order} Order */
/** @typedef {import("./board.js").Reason} Reason */
/** @typedef {import("./hands.js").Hands} Hands */

/**
 * A crew for an order, as the matrix that decided has it.
 * @typedef {object} Candidate
 * @property {string} crew
 * @property {string} crew_name
 * @property {string | null} contractor
 * @property {number} rank
 * @property {boolean} is_chosen
 * @property {boolean} can_go
 * @property {number | null} travel_min - null: no way, or nobody knows where the crew is
 * @property {number | null} eta_min
 * @property {boolean} is_straight_line
 * @property {number} weight
 * @property {number | null} slack_min
 * @property {number} diversion_min
 * @property {number | null} cost_customer_min
 * @property {string} place
 * @property {string | null} position_at
 * @property {string[] | null} carries
 * @property {Reason[]} against
 */

const PHONE_ANSWERS = ["accepted", "declined", "no_answer"];

/** @typedef {{candidates: Candidate[]}} Why */
/** @typedef {{problem: string} | {nobody: string}} NoWhy - it failed, or nobody has to be sent */

/**
 * @param {Order} order
 * @param {Board} board
 * @param {Why | "loading" | NoWhy} why
 * @param {Hands} hands
 * @returns {Node[]}
 */
export function viewOrder(order, board, why, hands) {
  return [
    make("p", { class: "lead", "data-version": String(order.version) }, severitySign(order.severity), " ", placeOf(order), " ", escalationMark(order)),
    lateSection(lateFactsOf(board, order.id), hands.readLateFact),
    facts(order, board, hands),
    ...board.offers.filter((offer) => offer.order === order.id).map((offer) => answering(offer, hands)),
    steps(order, board, hands),
    whyThisCrew(order, board, why, hands),
  ].filter((part) => part instanceof Node);
}

/**
 * @param {Order} order
 * @param {Board} board
 * @param {Hands} hands
 */
function facts(order, board, hands) {
  const limit = limitOf(order);
  const outages = board.outages.filter(({ id, incident }) => id === order.outage || (incident !== null && incident === order.incident)).map(({ id }) => id);
  const crew = board.crews.find(({ id }) => id === order.crew);
  const limits = /** @type {const} */ ([["arrive", order.arrive_due_at], ["done", order.due_at]]);
  /** @type {[string, (Node | string)[]][]} */
  const rows = [
    ["state", [order.is_on_hold ? `${say("state.on_hold")} · ${stateWord(order.state)}` : stateWord(order.state)]],
    ...(order.is_on_hold ? [/** @type {[string, string[]]} */ (["hold", [say("held", {
      reason: order.hold_reason ?? "–", until: order.resume_by ? clockOf(order.resume_by) : say("unknown") })]])] : []),
    ["crew", [crew ? linkTo(`${crew.id} ${crew.name}`, () => hands.open({ kind: "crew", id: crew.id })) : order.crew ?? say("nobody-yet"),
      ...(order.is_pinned ? [" ", say("pinned-because", { reason: order.pin_reason ?? "–" })] : [])]],
    ["age", [make("span", { "data-age": order.opened_at }, ageOf(order.opened_at))]],
    ...limits.flatMap(([name, at]) => at ? [/** @type {[string, Node[]]} */ ([`limit.${name}`, [
      make("time", { datetime: at }, clockOf(at)), document.createTextNode(" "),
      limit?.[0] === name ? make("span", { class: "stand", "data-due": at, "data-stand": standOf(at).state }, standOf(at).text) : ""].map(asNode)])] : []),
    ["out", [order.customers_out === null ? say("unknown") : figure(order.customers_out)
      + (order.critical_out ? ` · ${say("critical-n", { n: figure(order.critical_out) })}` : "")]],
    ["skills", [order.skills.length ? order.skills.map(skillWord).join(say("comma")) : say("none-needed")]],
    ...(order.crews_needed > 1 ? [/** @type {[string, string[]]} */ (["crews-needed", [figure(order.crews_needed)]])] : []),
    ...(order.after_order ? [/** @type {[string, Node[]]} */ (["after", [linkTo(order.after_order, () => hands.open({ kind: "order", id: order.after_order ?? "" }))]])] : []),
    ...(order.incident ? [/** @type {[string, Node[]]} */ (["incident", [linkTo(order.incident, () => hands.open({ kind: "incident", id: order.incident ?? "" }))]])] : []),
    ...outages.map((id) => /** @type {[string, Node[]]} */ (["outage", [linkTo(id, () => hands.open({ kind: "outage", id }))]])),
  ];
  return make("dl", { class: "facts" }, rows.flatMap(([name, value]) => [
    make("dt", {}, say(`fact.${name}`)), make("dd", { "data-fact": name }, value)]));
}

/**
 * A crew that has not answered: what it says on the phone is recorded here.
 * @param {import("./board.js").Offer} offer
 * @param {Hands} hands
 */
function answering(offer, hands) {
  return make("section", { "data-part": "offer" },
    make("p", {}, say(offer.kind === "ordered" ? "ordered" : "offered", { crew: `${offer.crew} ${offer.crew_name}` }), " ",
      make("span", { class: "stand", "data-due": offer.due_at, "data-stand": standOf(offer.due_at).state }, standOf(offer.due_at).text)),
    offer.is_phone_asked && make("p", { class: "phone" }, say("phone-them", { phone: offer.phone ?? say("unknown") })),
    make("div", { class: "buttons", role: "group", "aria-label": say("phone-answer") }, ...PHONE_ANSWERS.map((answer) =>
      make("button", { type: "button", "data-focus": `phone ${answer}`, "data-answer": answer, click: () => hands.recordPhone(offer, answer) }, say(`phone.${answer}`)))));
}

/** @param {Node | string} part */
const asNode = (part) => typeof part === "string" ? document.createTextNode(part) : part;

/**
 * @param {string} text
 * @param {() => void} act
 */
export const linkTo = (text, act) => make("button", { type: "button", class: "link", "data-focus": `open ${text}`, click: act }, text);

/**
 * The crew that a suggestion would send: the first, or the second where only it is missing.
 * @param {Order} order
 * @param {import("./board.js").Suggestion} [suggestion]
 */
export function toSend(order, suggestion) {
  if (!suggestion) return null;
  if (!order.crew) return suggestion.crew;
  return order.crew === suggestion.crew && !order.second_crew ? suggestion.second_crew : null;
}

/**
 * @param {Order} order
 * @param {Board} board
 * @param {Hands} hands
 */
function steps(order, board, hands) {
  const suggestion = board.suggestions.find((one) => one.order === order.id);
  const wanted = toSend(order, suggestion);
  const crew = board.crews.find(({ id }) => id === wanted);
  const name = crew ? `${crew.id} ${crew.name}` : wanted ?? "";
  return make("p", { class: "actions" },
    suggestion && wanted && make("button", { type: "button", class: "primary", "data-focus": "assign", "data-step": "assign",
      click: () => hands.assign(order, suggestion.crew) }, say("assign-suggested", { crew: name }), make("kbd", { "aria-hidden": "true" }, "a")),
    order.is_on_hold
      ? make("button", { type: "button", "data-focus": "resume", "data-step": "resume", click: () => hands.resume(order) }, say("resume"))
      : make("button", { type: "button", "data-focus": "hold", "data-step": "hold", click: () => hands.hold(order) }, say("hold")),
    order.lon !== null && make("button", { type: "button", "data-focus": "show", click: () => hands.show(order) }, say("show-on-map")),
    make("a", { class: "button", href: `/orders/${encodeURIComponent(order.id)}`, "data-focus": "page" }, say("order-page")));
}

/**
 * @param {Order} order
 * @param {Board} board
 * @param {Why | "loading" | NoWhy} why
 * @param {Hands} hands
 */
function whyThisCrew(order, board, why, hands) {
  const title = make("h3", {}, say("why-this-crew"));
  if (why === "loading") return make("section", { "data-part": "why", "data-state": "loading" }, title, make("p", { class: "quiet", role: "status" }, say("working-out")));
  if ("nobody" in why) return make("section", { "data-part": "why", "data-state": "nobody" }, title, make("p", { class: "quiet" }, why.nobody));
  if ("problem" in why) {
    return make("section", { "data-part": "why", "data-state": "failed" }, title, make("p", { class: "loud-line", role: "alert" }, why.problem),
      make("button", { type: "button", "data-focus": "why again", click: () => hands.askWhy(order.id) }, say("try-again")));
  }
  const { candidates } = why;
  const suggestion = board.suggestions.find((one) => one.order === order.id);
  const isStraight = candidates.length > 0 && candidates.every(({ is_straight_line }) => is_straight_line);
  return make("section", { "data-part": "why", "data-state": "shown" }, title,
    suggestion !== undefined && make("ul", { class: "reasons" }, ...suggestion.reasons.map((reason) => make("li", { "data-code": reason.code }, reason.text))),
    candidates.length > 0 && make("p", { class: "quiet" }, say("weight", { n: figure(Math.round(candidates[0].weight)) })),
    isStraight && make("p", { class: "straight" }, say("straight-line-why")),
    candidates.length === 0 ? make("p", {}, say("no-candidates"))
      : make("ol", { class: "candidates" }, ...candidates.map((one) => candidateRow(order, one, suggestion?.runner_up === one.crew, isStraight, hands))));
}

/**
 * @param {Order} order
 * @param {Candidate} one
 * @param {boolean} isRunnerUp
 * @param {boolean} isAllStraight
 * @param {Hands} hands
 */
function candidateRow(order, one, isRunnerUp, isAllStraight, hands) {
  const minutes = (/** @type {number} */ n) => say("minutes", { n: figure(Math.round(n)) });
  const isThis = order.crew === one.crew || order.second_crew === one.crew;
  const against = one.against.filter(({ code }) => code !== "straight_line" || !isAllStraight);
  return make("li", { "data-crew": one.crew, "data-fit": String(one.can_go), ...(one.is_chosen ? { "data-chosen": "true" } : {}) },
    make("div", { class: "line" },
      linkTo(`${one.crew} ${one.crew_name}`, () => hands.open({ kind: "crew", id: one.crew })),
      one.is_chosen && make("span", { class: "tag chosen" }, say(isThis ? "goes" : "suggested-tag")),
      isRunnerUp && make("span", { class: "tag" }, say("runner-up")),
      isThis && !one.is_chosen && make("span", { class: "tag chosen" }, say("goes")),
      make("span", { class: "travel" }, one.travel_min === null ? say("no-way") : minutes(one.travel_min))),
    make("dl", { class: "numbers" },
      ...(one.slack_min === null ? [] : pair("slack", one.slack_min < 0 ? say("overdue-by", { span: minutes(-one.slack_min) }) : minutes(one.slack_min))),
      ...(one.diversion_min ? pair("diversion", minutes(one.diversion_min)) : []),
      ...(one.cost_customer_min === null ? [] : pair("cost", figure(Math.round(one.cost_customer_min)))),
      ...(one.carries?.length ? pair("carries", one.carries.join(say("comma"))) : [])),
    make("div", { class: "line" },
      make("span", { class: one.can_go ? "against quiet" : "against quiet warning" }, against.map(({ text }) => text).join(say("comma"))),
      !isThis && make("button", { type: "button", class: "quiet", "data-focus": `assign ${one.crew}`, click: () => one.can_go ? hands.assign(order, one.crew) : hands.assignAgainst(order, one) },
        say(order.crew ? "reassign-to" : "assign-to", { crew: one.crew }))));
}

/**
 * @param {string} name
 * @param {string} value
 */
const pair = (name, value) => [make("dt", {}, say(`number.${name}`)), make("dd", { "data-number": name }, value)];
