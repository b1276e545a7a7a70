/** What a dispatcher does: each deed with its second step or its way back. */
import { ask, send } from "../map/api.js";
import { make } from "../map/elements.js";
import { askOutage } from "../map/outage.js";
import { compare } from "../map/difference.js";
import { suppose } from "../map/question.js";
import { span } from "../map/times.js";
import { change, count, figure, say } from "../map/words.js";
import { choice, confirm, field } from "./confirm.js";
import { perform, refuse, tellFailure } from "./deed.js";
import { clockOf, serverNow } from "./moments.js";

/** @typedef {import("./board.js").Board} Board */
/** @typedef {import("./board.js").Order} Order */
/** @typedef {import("./board.js").Incident} Incident */
/** @typedef {import("./outage_view.js").Detail} Detail */
/** @typedef {import("./outage_view.js").PlanValve} PlanValve */
/** @typedef {import("./outage_view.js").Part} Part */
/** @typedef {import("../map/plan_view.js").Plan} Plan */

const HOLD_REASONS = ["materials", "permit", "traffic", "weather", "other_utility", "customer", "daylight", "other"];

const INCIDENT_KINDS = ["burst", "leak", "visible_leak", "surfacing", "collapse", "third_party_damage", "frost", "valve_fault", "cover_defect", "no_water", "low_pressure", "discoloured", "odour", "other"];
const HOLD_HOURS = [0.5, 1, 2, 4, 8, 24, 48];

const COMING = new Set(["assigned", "accepted", "en_route"]);

/**
 * Who was sent to an order, and for what reason, to send them again.
 * @param {Order} order
 */
const sentTo = (order) => ({
  crew: order.crew,
  ...(order.second_crew ? { second_crew: order.second_crew } : {}),
  ...(order.pin_reason ? { reason: order.pin_reason } : {}),
});

/** @param {string} id @param {string} action @param {object} body */
const toOrder = (id, action, body) => send(`/api/v1/orders/${encodeURIComponent(id)}/${action}`, body);
/** @param {string} id @param {string} action @param {object} body */
const toOutage = (id, action, body) => send(`/api/v1/outages/${encodeURIComponent(id)}/${action}`, body);

/**
 * @param {{board: () => Board | null, changed: () => Promise<void>, outageChanged: (id: string) => void}} page
 */
export function makeDesk({ board, changed, outageChanged }) {
  /** @param {string} id */
  const crewName = (id) => {
    const crew = board()?.crews.find((one) => one.id === id);
    return crew ? `${id} ${crew.name}` : id;
  };

  /**
   * @param {Order} order
   * @param {string} crew
   * @param {{reason?: string, isMeant?: boolean}} [how]
   */
  async function assign(order, crew, { reason, isMeant = false } = {}) {
    // The board goes on changing what it holds; to undo is to go back to how things are now.
    order = { ...order };
    const suggestion = board()?.suggestions.find((one) => one.order === order.id && one.crew === crew);
    const second = suggestion?.second_crew ?? (order.second_crew === crew ? null : order.second_crew);
    const isJoined = order.crew === crew && !order.second_crew && second !== null;
    const left = leftBy(order, [crew, second]);
    if (left.length && !suggestion && !isMeant && !await askToDivert(order, crew, left)) return;
    await perform({
      doing: say("assigning", { id: order.id, crew: crewName(crew) }),
      lost: say("assignment-lost"),
      act: () => toOrder(order.id, "assign", {
        crew, version: order.version,
        ...(second ? { second_crew: second } : {}),
        ...(left.length ? { instead_of: left.map(({ id }) => id) } : {}),
        ...(reason ? { reason } : {}),
      }),
      done: () => say("assigned", { id: order.id, crew: crewName(isJoined && second ? second : crew) }) + (left.length ? ` ${say("diverted", { order: left.map(({ id }) => id).join(say("comma")) })}` : ""),
      undo: async (made) => {
        if (isJoined) {
          await toOrder(order.id, "set", { second_crew: null, base_version: made.version });
        } else if (order.crew && (order.pin_reason || !reason)) {
          await toOrder(order.id, "assign", { ...sentTo(order), version: made.version });
        } else {
          await toOrder(order.id, "withdraw", { reason: say("undo-reason"), base_version: made.version });
          if (order.crew) await toOrder(order.id, "assign", sentTo(order));
        }
        for (const one of left) await toOrder(one.id, "assign", sentTo(one));
      },
    });
    changed();
  }

  /**
   * The orders that crews are on their way to, other than the one they are to be sent to.
   * @param {Order} order
   * @param {(string | null)[]} crews
   */
  const leftBy = (order, crews) => (board()?.orders ?? []).filter((one) => one.id !== order.id && COMING.has(one.state)
    && crews.some((crew) => crew !== null && (one.crew === crew || one.second_crew === crew))).map((one) => ({ ...one }));

  /** @param {Order} order @param {string} crew @param {Order[]} left */
  async function askToDivert(order, crew, left) {
    return confirm({
      title: say("against-title", { id: order.id, crew: crewName(crew) }),
      label: say("assign-to", { crew }),
      effect: Promise.resolve(left.map(({ id }) => say("diverted", { order: id }))),
      act: async () => {},
    });
  }

  /**
   * Send a crew against which something stands: the reason pins it.
   * @param {Order} order
   * @param {import("./order_view.js").Candidate} candidate
   */
  async function assignAgainst(order, candidate) {
    let reason = "";
    const isMeant = await confirm({
      title: say("against-title", { id: order.id, crew: `${candidate.crew} ${candidate.crew_name}` }),
      label: say("assign-to", { crew: candidate.crew }),
      effect: Promise.resolve([candidate.against.map(({ text }) => text).join(say("comma"))]),
      fields: [field("reason", say("against-reason"), { maxlength: "500", required: true })],
      act: async (fields) => { reason = String(fields.get("reason")); },
    });
    if (isMeant) await assign(order, candidate.crew, { reason, isMeant });
  }

  /**
   * @param {import("./board.js").Offer} offer
   * @param {string} answer
   */
  async function recordPhone(offer, answer) {
    await confirm({
      title: say("phone-title", { crew: `${offer.crew} ${offer.crew_name}`, answer: say(`phone.${answer}`) }),
      label: say("record-for-all"),
      effect: Promise.resolve([offer.order]),
      fields: [field("note", say("hold-text"), { maxlength: "500" })],
      act: (fields) => toOrder(offer.order, "phone-answer", { answer, note: String(fields.get("note") ?? "") }),
    });
    changed();
  }

  /** @param {Order} order @param {string} [reason] */
  async function hold(order, reason = "") {
    const moments = HOLD_HOURS.map((hours) => new Date(serverNow() + hours * 3600_000).toISOString());
    /** @type {{reason: string, resume_by: string} | null} */
    let wish = null;
    await confirm({
      title: say("hold-title", { id: order.id }),
      label: say("hold"),
      effect: Promise.resolve([order.customers_out === null ? say("hold-effect-unknown") : say("hold-effect", { properties: count("properties", order.customers_out) })]),
      fields: [
        choice("kind", say("hold-reason"), HOLD_REASONS.map((one) => [one, say(`hold.${one}`)])),
        field("text", say("hold-text"), { value: reason, maxlength: "200" }),
        choice("until", say("hold-until"), moments.map((moment, index) => [moment, `${clockOf(moment)} (${span(HOLD_HOURS[index] * 60)})`]), moments[2]),
      ],
      act: async (fields) => {
        const kind = String(fields.get("kind"));
        const text = String(fields.get("text") ?? "").trim();
        wish = { reason: [say(`hold.${kind}`), text].filter(Boolean).join(say("colon")), resume_by: String(fields.get("until")) };
      },
    });
    if (!wish) return;
    const body = /** @type {{reason: string, resume_by: string}} */ (wish);
    await perform({
      doing: say("holding", { id: order.id }),
      act: () => toOrder(order.id, "hold", body),
      done: () => say("held-now", { id: order.id }),
      undo: () => toOrder(order.id, "resume", {}),
    });
    changed();
  }

  /** @param {Order} order */
  async function resume(order) {
    const { hold_reason, resume_by } = order;
    await perform({
      doing: say("resuming", { id: order.id }),
      act: () => toOrder(order.id, "resume", {}),
      done: () => say("resumed-now", { id: order.id }),
      ...(hold_reason && resume_by ? { undo: () => toOrder(order.id, "hold", { reason: hold_reason, resume_by }) } : {}),
    });
    changed();
  }

  /**
   * Note for all screens that a fact which came late has been read.
   * @param {import("./board.js").LateFact} fact
   */
  async function readLateFact({ position }) {
    try {
      await send(`/api/v1/late-facts/${position}/read`, {});
    } catch (error) {
      tellFailure(error);
    }
    changed();
  }

  /** @param {Incident} incident */
  async function openOutageOf(incident) {
    if (!incident.pipe) return refuse(say("no-pipe"));
    const place = { pipe: incident.pipe, at_m: incident.at_m };
    await startOutage(place, incident);
  }

  /**
   * @param {{pipe: string, at_m: number | null}} place
   * @param {Incident | null} incident
   * @returns {Promise<string | null>} the outage's id
   */
  async function startOutage({ pipe, at_m }, incident) {
    /** @type {string | null} */
    let id = null;
    /** @type {number | null} */
    let seen = null;
    const effect = askOutage({ pipe, at_m, click: null, supposed: new Map() }).then(({ customers, valves_to_close }) => {
      seen = customers.connections;
      return [
        say("lose-supply", { properties: count("properties", customers.properties) }),
        say("isolated-by", { valves: count("valves", valves_to_close.length) }),
        customers.critical.length ? say("critical-customers", { n: figure(customers.critical.length) }) : ""];
    });
    await confirm({
      title: say("open-outage-title", { pipe }),
      label: say("open-outage"),
      effect,
      act: async () => {
        const made = await send("/api/v1/outages", { pipe, at_m, ...(incident ? { incident: incident.id } : {}), ...(seen === null ? {} : { customers: seen }) });
        id = made.id;
      },
    });
    changed();
    return id;
  }

  /**
   * @param {Plan} plan - what was asked about the place
   * @returns {Promise<string | null>} the incident's id
   */
  async function startIncident({ question: { pipe, at_m }, answer: { customers } }) {
    /** @type {string | null} */
    let id = null;
    await confirm({
      title: say("open-incident-title", { pipe }),
      label: say("open-incident"),
      effect: Promise.resolve([say("would-lose", { properties: count("properties", customers.properties) })]),
      fields: [choice("kind", say("fact.kind"), INCIDENT_KINDS.map((kind) => [kind, say(`incident.${kind}`)])), field("words", say("hold-text"), { maxlength: "1000" }), checkbox("danger", say("people-in-danger"))],
      act: async (fields) => {
        // What a dispatcher learns is a report like any other: so nobody opens a second incident.
        const words = String(fields.get("words") ?? "").trim();
        const told = await send("/api/v1/reports", { kind: fields.get("kind"), pipe, at_m, danger: fields.get("danger") !== null, ...(words ? { words } : {}) });
        id = told.linked_incident?.id ?? (await send(`/api/v1/reports/${told.report.id}/incident`, {})).incident.id;
      },
    });
    if (id) await changed();
    return id;
  }

  /** @param {Incident} incident */
  async function closeIncident(incident) {
    await confirm({
      title: say("close-incident-title", { id: incident.id }),
      label: say("close-incident"),
      effect: Promise.resolve([incident.properties_out === null ? say("out-unknown") : say("out", { n: figure(incident.properties_out) })]),
      act: () => send(`/api/v1/incidents/${encodeURIComponent(incident.id)}/close`, {}),
    });
    changed();
  }

  /**
   * Who would be without water if this valve could not be closed.
   * @param {Detail} outage
   * @param {string} valve
   */
  async function effectOf(outage, valve) {
    if (!outage.pipe) return [say("out", { n: figure(outage.properties_out) })];
    const question = { pipe: outage.pipe, at_m: outage.at_m, click: null, supposed: new Map() };
    const [before, after] = await Promise.all([askOutage(question), askOutage(suppose(question, valve, "inoperable"))]);
    const changed = compare(before, after);
    return [
      changed.properties ? say("effect-plan", { change: change("properties", changed.properties), total: count("properties", after.customers.properties) })
        : say("effect-plan-same", { total: count("properties", after.customers.properties) }),
      after.isolated ? "" : say("not-isolated"),
    ];
  }

  /**
   * @param {Detail} outage
   * @param {PlanValve} valve
   * @param {string} result
   */
  async function confirmValve(outage, valve, result) {
    const isShut = result === "closed_tight" || result === "passing";
    const fields = [field("turns", say("turns-counted"), { inputmode: "decimal", pattern: "[0-9]+([.,][0-9]+)?", autocomplete: "off" })];
    if (isShut) fields.push(field("tag", say("tag-number"), { maxlength: "40", autocomplete: "off" }));
    if (result === "passing") fields.push(checkbox("accept_passing", say("accept-passing")));
    await confirm({
      title: say("confirm-valve", { id: valve.valve, result: say(`result.${result}`) }),
      label: say("record-for-all"),
      effect: isShut ? Promise.resolve([say("valve-shuts", { properties: count("properties", outage.properties_out), connections: count("connections", outage.connections) })]) : effectOf(outage, valve.valve),
      fields: isShut ? fields : [],
      act: (form) => toOutage(outage.id, "confirm_valve", {
        valve: valve.valve, result, customers: outage.connections, base_version: outage.version,
        ...(form.get("turns") ? { turns: Number(String(form.get("turns")).replace(",", ".")) } : {}),
        ...(form.get("tag") ? { tag: String(form.get("tag")) } : {}),
        ...(form.get("accept_passing") ? { accept_passing: true } : {}),
      }),
    });
    outageChanged(outage.id);
  }

  /** @param {Detail} outage */
  async function approvePlan(outage) {
    const plan = outage.proposed;
    if (!plan) return;
    await confirm({
      title: say("approve-title", { n: figure(plan.number), id: outage.id }),
      label: say("approve-plan"),
      effect: Promise.resolve([plan.difference?.properties_added
        ? say("effect-plan", { change: change("properties", plan.difference.properties_added), total: count("properties", plan.customers.properties) })
        : say("effect-plan-same", { total: count("properties", plan.customers.properties) })]),
      act: () => toOutage(outage.id, "approve_plan", { plan: plan.number, customers: plan.customers.connections }),
    });
    outageChanged(outage.id);
  }

  /**
   * @param {Detail} outage
   * @param {PlanValve} valve
   * @param {string} result
   */
  async function reopenValve(outage, valve, result) {
    await confirm({
      title: say("confirm-valve", { id: valve.valve, result: say(`result.${result}`) }),
      label: say("record-for-all"),
      effect: Promise.resolve([result === "reopened" ? say("valve-opens", { properties: count("properties", outage.properties_out) }) : say("out", { n: figure(outage.properties_out) })]),
      fields: openingFields(outage, [valve]),
      act: (form) => toOutage(outage.id, "reopen_valve", {
        valve: valve.valve, result, customers: outage.connections, base_version: outage.version,
        ...(form.get(`tag ${valve.valve}`) ? { tag: String(form.get(`tag ${valve.valve}`)) } : {}),
        ...(form.get("repaired") ? { repaired: true } : {}),
      }),
    });
    outageChanged(outage.id);
  }

  /** @param {Detail} outage @param {Part} part */
  async function restorePart(outage, part) {
    const valves = outage.valves.filter(({ valve }) => part.valves.includes(valve));
    await confirm({
      title: say("restore-title", { part: part.label }),
      label: say("has-water-again"),
      effect: Promise.resolve([say("restore-effect", { properties: count("properties", part.properties), left: count("properties", outage.properties_out - part.properties) })]),
      fields: openingFields(outage, valves),
      act: (form) => toOutage(outage.id, "restore_part", {
        part: part.id, customers: outage.connections,
        tags: Object.fromEntries(valves.flatMap(({ valve }) => form.get(`tag ${valve}`) ? [[valve, String(form.get(`tag ${valve}`))]] : [])),
        ...(form.get("repaired") ? { repaired: true } : {}),
      }),
    });
    outageChanged(outage.id);
  }

  /** @param {Detail} outage */
  async function recordRepair(outage) {
    await confirm({
      title: say("repair-title", { id: outage.id }),
      label: say("record-for-all"),
      effect: Promise.resolve([say("repair-effect", { properties: count("properties", outage.properties_out) })]),
      act: () => toOutage(outage.id, "stage", { stage: "repaired", customers: outage.connections }),
    });
    outageChanged(outage.id);
  }

  /** @param {Detail} outage */
  async function endOutage(outage) {
    await confirm({
      title: say("end-title", { id: outage.id }),
      label: say("end-outage"),
      effect: ask(`/api/v1/outages/${encodeURIComponent(outage.id)}`).then((/** @type {Detail} */ now) => [
        now.properties_out ? say("end-still-out", { properties: count("properties", now.properties_out), connections: count("connections", now.connections) }) : say("end-nobody-out")]),
      act: () => toOutage(outage.id, "close", { customers: outage.connections }),
    });
    outageChanged(outage.id);
  }

  return { assign, assignAgainst, recordPhone, readLateFact, hold, resume, openOutageOf, startOutage, startIncident, closeIncident, confirmValve, approvePlan, reopenValve, restorePart, recordRepair, endOutage };
}

/**
 * What has to be said before water may flow again: the tags read on the valves, and the repair.
 * @param {Detail} outage
 * @param {PlanValve[]} valves
 */
function openingFields(outage, valves) {
  return [
    ...valves.filter(({ tag }) => tag).map(({ valve, tag }) => field(`tag ${valve}`, say("tag-read", { id: valve, n: tag ?? "" }), { maxlength: "40", autocomplete: "off", required: true })),
    ...(outage.stages.repaired ? [] : [checkbox("repaired", say("repair-done"))]),
  ];
}

/**
 * @param {string} name
 * @param {string} label
 */
function checkbox(name, label) {
  return make("p", { class: "field" }, make("label", { class: "box" }, make("input", { type: "checkbox", name }), label));
}
