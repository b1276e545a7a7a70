/** An incident as it stands in the drawer: why it ranks where it does, and what belongs to it. */
import { make } from "../map/elements.js";
import { figure, say } from "../map/words.js";
import { lateFactsOf, lateSection } from "./attention.js";
import { ageOf, clockOf } from "./moments.js";
import { linkTo } from "./order_view.js";
import { placeOf, stateWord } from "./queue.js";
import { skillWord } from "./skills.js";
import { severityOf, severitySign } from "./severity.js";

/** @typedef {import("./board.js").Board} Board */
/** @typedef {import("./board.js").Incident} Incident */
/** @typedef {import("./board.js").Crew} Crew */
/** @typedef {import("./hands.js").Hands} Hands */

/**
 * @param {Incident} incident
 * @param {Board} board
 * @param {Hands} hands
 * @returns {Node[]}
 */
export function viewIncident(incident, board, hands) {
  const orders = board.orders.filter((order) => order.incident === incident.id);
  const outages = board.outages.filter((outage) => outage.incident === incident.id);
  const unknown = say("unknown");
  const number = (/** @type {number | null} */ value) => value === null ? unknown : figure(value);
  const rows = [
    ["kind", say(`incident.${incident.kind}`)],
    ["reports", figure(incident.reports)],
    ["out", number(incident.properties_out)],
    ["people", number(incident.people_out)],
    ["critical", number(incident.critical_out)],
    ["hydrants", number(incident.hydrants_dry)],
    ["pipe", incident.pipe ?? unknown],
  ];
  return [
    make("p", { class: "lead", "data-version": String(incident.version) }, severitySign(severityOf(incident, orders)), " ", placeOf(incident)),
    lateSection(lateFactsOf(board, incident.id), hands.readLateFact),
    make("dl", { class: "facts" }, ...rows.flatMap(([name, value]) => [make("dt", {}, say(`fact.${name}`)), make("dd", { "data-fact": name }, value)]),
      make("dt", {}, say("fact.age")), make("dd", {}, make("span", { "data-age": incident.opened_at }, ageOf(incident.opened_at)))),
    make("section", { "data-part": "score" }, make("h3", {}, say("score-why", { n: figure(incident.score) })),
      incident.score_parts.length ? make("ul", { class: "plain score" }, ...incident.score_parts.map((part) =>
        make("li", { "data-code": part.code }, make("span", {}, part.text), make("strong", {}, part.points > 0 ? `+${figure(part.points)}` : figure(part.points)))))
        : make("p", {}, unknown)),
    make("section", { "data-part": "outages" }, make("h3", {}, say("outages-of")),
      ...outages.map(({ id, properties_out, restored }) => make("p", {}, linkTo(id, () => hands.open({ kind: "outage", id })), " ",
        say("out", { n: number(properties_out) }), " · ", restored ? say("back-about", { time: clockOf(restored.p50) }) : say("back-unknown"))),
      outages.length === 0 && make("p", {}, incident.pipe ? say("no-outage") : say("no-pipe"),
        " ", incident.pipe && make("button", { type: "button", "data-focus": "open outage", "data-step": "open-outage", click: () => hands.openOutageOf(incident) }, say("open-outage")))),
    make("section", { "data-part": "orders" }, make("h3", {}, say("orders-of")),
      orders.length === 0 && make("p", { class: "loud-line" }, say("no-orders")),
      make("ul", { class: "plain" }, ...orders.map((order) => make("li", {}, linkTo(order.id, () => hands.open({ kind: "order", id: order.id })), " ",
        say(`job.${order.kind}`), " · ", order.is_on_hold ? say("state.on_hold") : stateWord(order.state), order.crew ? ` · ${order.crew}` : "")))),
    make("p", { class: "actions" },
      incident.lon !== null && make("button", { type: "button", "data-focus": "show", click: () => hands.show(incident) }, say("show-on-map")),
      make("a", { class: "button", href: `/incidents/${encodeURIComponent(incident.id)}`, "data-focus": "page" }, say("incident-page")),
      make("button", { type: "button", "data-focus": "close", "data-step": "close-incident", click: () => hands.closeIncident(incident) }, say("close-incident"))),
  ].filter((part) => part instanceof Node);
}

/**
 * @param {Crew} crew
 * @param {Board} board
 * @param {Hands} hands
 * @returns {Node[]}
 */
export function viewCrew(crew, board, hands) {
  const orders = board.orders.filter((order) => order.crew === crew.id || order.second_crew === crew.id);
  const rows = [
    ["works", crew.on_shift ? crew.shift_ends_at ? say("on-shift-until", { time: clockOf(crew.shift_ends_at) }) : say("on-shift")
      : crew.on_call_rank !== null ? say("on-call", { n: figure(crew.on_call_rank) }) : say("off-shift")],
    ["contractor", crew.contractor ?? null],
    ["phone", crew.phone ?? say("unknown")],
    ["skills", crew.skills.map(skillWord).join(say("comma")) || say("none")],
  ];
  return [
    make("dl", { class: "facts" }, ...rows.flatMap(([name, value]) => value === null ? [] : [make("dt", {}, say(`fact.${name}`)), make("dd", { "data-fact": String(name) }, String(value))]),
      make("dt", {}, say("fact.position-age")), make("dd", { "data-fact": "position" },
        crew.position_at ? make("span", { "data-age": crew.position_at }, ageOf(crew.position_at)) : say("never-told"),
        crew.is_position_stale && make("p", { class: "warning" }, say("position-stale")))),
    make("section", { "data-part": "orders" }, make("h3", {}, say("orders-of-crew")),
      orders.length ? make("ul", { class: "plain" }, ...orders.map((order) => make("li", {}, linkTo(order.id, () => hands.open({ kind: "order", id: order.id })), " ",
        say(`job.${order.kind}`), " · ", stateWord(order.state)))) : make("p", {}, say("crew-free"))),
    make("p", { class: "actions" }, crew.lon !== null && make("button", { type: "button", "data-focus": "show", click: () => hands.show(crew) }, say("show-on-map"))),
  ];
}
