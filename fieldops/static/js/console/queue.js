/** The queue: incidents by how bad they are, each with its work orders; one of them is selected. */
import { find, make } from "../map/elements.js";
import { figure, knows, say } from "../map/words.js";
import { escalationMark, lateFactsOf, lateMark } from "./attention.js";
import { ageOf, clockOf, standOf } from "./moments.js";
import { SEVERITIES, severityOf, severitySign } from "./severity.js";

/** @typedef {import("./board.js").Board} Board */
/** @typedef {import("./board.js").Incident} Incident */
/** @typedef {import("./board.js").Order} Order */
/** @typedef {import("./board.js").Severity} Severity */
/** @typedef {{kind: "incident" | "order", id: string}} Item */
/** @typedef {{incident: Incident | null, severity: Severity, orders: Order[]}} Group */
/** @typedef {Map<string, {signature: string, row: HTMLElement}>} Rows */

const AT_THE_PLACE = new Set(["on_site", "working", "work_done", "restored", "verified"]);

/**
 * What belongs together, the worst first. A work order without incident stands by itself.
 * @param {Board} board
 * @returns {Group[]}
 */
export function groupBoard(board) {
  /** @type {Map<string, Order[]>} */
  const byIncident = new Map();
  /** @type {Group[]} */
  const groups = [];
  const known = new Set(board.incidents.map(({ id }) => id));
  for (const order of board.orders) {
    if (order.incident && known.has(order.incident)) {
      byIncident.set(order.incident, [...(byIncident.get(order.incident) ?? []), order]);
    } else groups.push({ incident: null, severity: order.severity, orders: [order] });
  }
  for (const incident of board.incidents) {
    const orders = byIncident.get(incident.id) ?? [];
    groups.push({ incident, severity: severityOf(incident, orders), orders: orders.sort(byKey) });
  }
  return groups.sort((one, other) => rankOf(one.severity) - rankOf(other.severity)
    || (other.incident?.score ?? 0) - (one.incident?.score ?? 0) || beginOf(one).localeCompare(beginOf(other)));
}

/** @param {Severity} severity */
const rankOf = (severity) => SEVERITIES.indexOf(severity);
/** @param {Group} group */
const beginOf = ({ incident, orders }) => incident?.opened_at ?? orders[0].opened_at;
/** @param {Order} one @param {Order} other */
const byKey = (one, other) => Number(one.id.slice(2)) - Number(other.id.slice(2));

/** @param {Item} item */
const nameOf = ({ kind, id }) => `${kind}-${id}`;

/**
 * The limit that counts now: to be there, then to be done.
 * @param {Order} order
 * @returns {[string, string] | null}
 */
export function limitOf(order) {
  const isThere = AT_THE_PLACE.has(order.state);
  if (!isThere && order.arrive_due_at) return ["arrive", order.arrive_due_at];
  return order.due_at ? ["done", order.due_at] : null;
}

/** @param {string} state */
export const stateWord = (state) => say(knows(`state.${state}`) ? `state.${state}` : state);

/**
 * @param {{selected: (item: Item) => void, opened: (item: Item) => void}} listener
 */
export function makeQueue({ selected, opened }) {
  const list = find("queue");
  /** @type {Item[]} */
  let items = [];
  /** @type {Item | null} */
  let current = null;
  /** @type {Rows} */
  let kept = new Map();

  /** @param {Board} board */
  function show(board) {
    const groups = groupBoard(board);
    const at = items.findIndex((item) => current && nameOf(item) === nameOf(current));
    items = groups.flatMap(({ incident, orders }) => [
      ...(incident ? [/** @type {Item} */ ({ kind: "incident", id: incident.id })] : []),
      ...orders.map(({ id }) => /** @type {Item} */ ({ kind: "order", id })),
    ]);
    /** @type {Rows} */
    const now = new Map();
    for (const group of groups) {
      if (group.incident) keepRow(now, { kind: "incident", id: group.incident.id }, incidentRow(group, board));
      for (const order of group.orders) keepRow(now, { kind: "order", id: order.id }, orderRow(order, group, board));
    }
    kept = now;
    const rows = [...kept.values()].map(({ row }) => row);
    if (rows.length !== list.children.length || rows.some((row, index) => list.children[index] !== row)) {
      list.replaceChildren(...rows);
    }
    const isGone = current && !items.some((item) => nameOf(item) === nameOf(/** @type {Item} */ (current)));
    if (isGone) current = items[Math.min(Math.max(at, 0), items.length - 1)] ?? null;
    mark();
  }

  /**
   * @param {Rows} now
   * @param {Item} item
   * @param {{signature: string, build: () => (HTMLElement | false)[]}} wanted
   */
  function keepRow(now, item, { signature, build }) {
    const name = nameOf(item);
    const old = kept.get(name);
    if (old?.signature === signature) {
      now.set(name, old);
      return;
    }
    const row = make("li", {
      id: name, role: "option", class: item.kind, "data-kind": item.kind, "data-id": item.id, "aria-selected": "false",
      click: () => { select(item); opened(item); },
    }, ...build());
    now.set(name, { signature, row });
  }

  function mark() {
    for (const row of list.children) row.setAttribute("aria-selected", String(current !== null && row.id === nameOf(current)));
    if (current) list.setAttribute("aria-activedescendant", nameOf(current));
    else list.removeAttribute("aria-activedescendant");
  }

  /** @param {Item | null} item */
  function select(item) {
    current = item;
    mark();
    if (!item) return;
    document.getElementById(nameOf(item))?.scrollIntoView({ block: "nearest" });
    selected(item);
  }

  /** @param {number} step */
  function move(step) {
    if (!items.length) return;
    const at = items.findIndex((item) => current && nameOf(item) === nameOf(current));
    const next = at < 0 ? (step > 0 ? 0 : items.length - 1) : Math.min(items.length - 1, Math.max(0, at + step));
    select(items[next]);
    list.focus({ preventScroll: true });
  }

  list.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step) { event.preventDefault(); move(step); }
    if (event.key === "Home" || event.key === "End") { event.preventDefault(); select(items.at(event.key === "Home" ? 0 : -1) ?? null); }
  });
  return { show, move, select, selected: () => current, items: () => items };
}

/** @param {Group} group @param {Board} board */
function incidentRow(group, board) {
  const incident = /** @type {Incident} */ (group.incident);
  const out = incident.properties_out;
  const late = lateFactsOf(board, incident.id);
  return {
    signature: JSON.stringify([incident, group.severity, late.length]),
    build: () => [
      make("div", { class: "line" }, severitySign(group.severity),
        make("strong", { class: "what" }, placeOf(incident)), outBadge(out)),
      make("div", { class: "line quiet" },
        make("span", {}, incident.id),
        incident.kind !== group.severity && make("span", {}, say(`incident.${incident.kind}`)),
        make("span", { "data-age": incident.opened_at }, ageOf(incident.opened_at)),
        make("span", {}, say("score", { n: figure(incident.score) })),
        incident.reports > 0 && make("span", { "data-reports": String(incident.reports) }, say("reports-n", { n: figure(incident.reports) })),
        (incident.critical_out ?? 0) > 0 && make("span", { class: "critical-count" }, say("critical-n", { n: figure(incident.critical_out ?? 0) })),
        (incident.hydrants_dry ?? 0) > 0 && make("span", { class: "warning" }, say("hydrants-dry-n", { n: figure(incident.hydrants_dry ?? 0) })),
        lateMark(late),
        incident.is_planned && make("span", { class: "tag" }, say("planned")),
        incident.is_drill && make("span", { class: "tag drill" }, say("drill"))),
    ],
  };
}

/** @param {number | null} out */
function outBadge(out) {
  return make("span", { class: "out", "data-out": out === null ? "unknown" : String(out) },
    out === null ? say("out-unknown") : say("out", { n: figure(out) }));
}

/** @param {{address: string | null, pipe: string | null, id: string}} thing */
export const placeOf = ({ address, pipe, id }) => address || (pipe ? say("pipe", { id: pipe }) : id);

/**
 * @param {Order} order
 * @param {Group} group
 * @param {Board} board
 */
function orderRow(order, group, board) {
  const suggestion = board.suggestions.find((one) => one.order === order.id);
  const crew = board.crews.find(({ id }) => id === order.crew);
  const proposed = board.crews.find(({ id }) => id === suggestion?.crew);
  const limit = limitOf(order);
  const call = board.offers.find((offer) => offer.order === order.id && offer.is_phone_asked);
  const alone = group.incident === null;
  const late = lateFactsOf(board, order.id);
  return {
    signature: JSON.stringify([order, suggestion, crew?.name, proposed?.name, alone, call, late.length]),
    build: () => [
      alone && make("div", { class: "line" }, severitySign(order.severity), make("strong", { class: "what" }, placeOf(order)), outBadge(order.customers_out)),
      make("div", { class: "line" },
        make("span", { class: "id" }, order.id),
        make("span", { class: "job" }, say(`job.${order.kind}`)),
        make("span", { class: "state", "data-state": order.is_on_hold ? "on_hold" : order.state },
          order.is_on_hold ? say("state.on_hold") : stateWord(order.state)),
        limit !== null && make("span", { class: "clock" }, make("span", { class: "quiet" }, say(`limit.${limit[0]}`)), " ",
          make("span", { class: "stand", "data-due": limit[1], "data-stand": standOf(limit[1]).state }, standOf(limit[1]).text))),
      make("div", { class: "line quiet" },
        alone && make("span", { "data-age": order.opened_at }, ageOf(order.opened_at)),
        ...crewWords(order, crew?.name, suggestion, proposed?.name),
        escalationMark(order),
        lateMark(late),
        call !== undefined && make("span", { class: "phone" }, say("phone-them", { phone: call.phone ?? say("unknown") }))),
    ],
  };
}

/**
 * @param {Order} order
 * @param {string | undefined} crewName
 * @param {import("./board.js").Suggestion | undefined} suggestion
 * @param {string | undefined} proposedName
 */
function crewWords(order, crewName, suggestion, proposedName) {
  /** @type {(HTMLElement | false)[]} */
  const words = [];
  if (order.is_on_hold) words.push(make("span", { class: "held" }, say("held", { reason: order.hold_reason ?? "–", until: order.resume_by ? clockOf(order.resume_by) : say("unknown") })));
  if (order.crew) {
    words.push(make("span", { class: "crew-name" }, crewName ? `${order.crew} ${crewName}` : order.crew));
    if (order.is_pinned) words.push(make("span", { class: "tag" }, say("pinned")));
  } else if (suggestion) {
    const eta = suggestion.eta_min === null ? say("no-way") : say("minutes", { n: Math.round(suggestion.eta_min) });
    words.push(make("span", { class: "suggestion" }, say("suggested", { crew: proposedName ? `${suggestion.crew} ${proposedName}` : suggestion.crew, eta })),
      suggestion.divert_from !== null && make("span", { class: "tag" }, say("diverted", { order: suggestion.divert_from })),
      suggestion.is_straight_line && make("span", { class: "tag" }, say("straight-line")),
      make("kbd", { "aria-hidden": "true" }, "a"));
  } else if (order.after_order) words.push(make("span", {}, say("after", { id: order.after_order })));
  else if (!order.is_on_hold) words.push(make("span", {}, say("no-suggestion")));
  return words;
}
