/** An outage under way: its plan and what changed in it, its valves, who has water again. */
import { make } from "../map/elements.js";
import { change, count, figure, say } from "../map/words.js";
import { ageOf, clockOf } from "./moments.js";
import { linkTo } from "./order_view.js";

/** @typedef {import("./hands.js").Hands} Hands */
/** @typedef {import("../map/outage.js").Keys} Keys */
/** @typedef {import("../map/outage.js").Forecast} Forecast */

/**
 * @typedef {object} PlanValve
 * @property {string} valve
 * @property {string} role
 * @property {number | null} number
 * @property {string} state
 * @property {number | null} turns_recorded
 * @property {string | null} tag
 * @property {string | null} closed_at
 */

/**
 * @typedef {object} Difference
 * @property {string[]} valves_added
 * @property {string[]} valves_removed
 * @property {number} customers_added
 * @property {number} properties_added
 * @property {string[]} critical_added
 * @property {string[]} critical_removed
 */

/**
 * @typedef {object} PlanVersion
 * @property {number} number
 * @property {string} status
 * @property {string} because - in the person's language
 * @property {{connections: number, properties: number}} customers - whom it leaves without water
 * @property {Difference | null} difference
 */

/** @typedef {{id: string, label: string, valves: string[], properties: number, connections: number}} Part */

/**
 * What a tablet without a signal has worked out, and what the network says of it.
 * @typedef {object} DeviceRing
 * @property {string} because - in the person's language, as `words` and `reasons`
 * @property {string} words
 * @property {"confirmed" | "corrected" | "not_judged"} verdict
 * @property {string[]} valves
 * @property {string[]} pumps
 * @property {number | null} properties
 * @property {string[]} reasons - why dispatch had to be called
 * @property {string | null} authorised_by
 * @property {string | null} others_unknown_since
 * @property {string} by
 * @property {string} at
 */

/**
 * @typedef {object} Detail
 * @property {string} id
 * @property {string | null} incident
 * @property {string} status
 * @property {boolean} is_planned
 * @property {number} version
 * @property {string | null} pipe
 * @property {number | null} at_m
 * @property {number | null} lon
 * @property {number | null} lat
 * @property {string} opened_at
 * @property {number} connections
 * @property {number} customers_out
 * @property {number} properties_out
 * @property {number | null} people_out
 * @property {string[]} critical
 * @property {Forecast | null} restored
 * @property {Record<string, string>} stages - those that have happened, with their times
 * @property {string | null} promised_by
 * @property {string | null} next_news_at
 * @property {number | null} minutes_lost
 * @property {number | null} minutes_lost_per_customer
 * @property {number | null} customers_restored
 * @property {PlanVersion | null} plan
 * @property {PlanVersion | null} proposed
 * @property {PlanValve[]} valves
 * @property {Part[]} parts
 * @property {DeviceRing[]} device_rings
 * @property {OutageKeys} [keys] - of what is over nothing is recoloured
 */

/** @typedef {Keys & {parts_restored?: number[], customers_restored?: number[]}} OutageKeys */

const CLOSED = new Set(["closed_tight", "passing"]);
const CLOSING = ["closed_tight", "passing", "will_not_close", "not_found"];
const REOPENING = ["reopened", "will_not_reopen"];
const STAGES = ["aware", "dispatched", "on_site", "water_stopped", "repaired", "flushed", "restored"];
const UNUSUAL = new Set(["verify_shut", "surplus", "stuck", "pump", "source", "optional", "refeed"]);

/**
 * @param {Detail} outage
 * @param {Hands} hands
 * @returns {Node[]}
 */
export function viewOutage(outage, hands) {
  return [
    make("p", { class: "lead", "data-version": String(outage.version) }, say(`outage.${outage.status}`), outage.is_planned ? ` · ${say("planned")}` : ""),
    outage.proposed && proposal(outage, outage.proposed, hands),
    whoIsOut(outage, hands),
    times(outage),
    valves(outage, hands),
    onTablets(outage),
    restoring(outage, hands),
    ending(outage, hands),
  ].filter((part) => part instanceof Node);
}

/**
 * @param {string} name
 * @param {string} title
 * @param {...import("../map/elements.js").Child} content
 */
const section = (name, title, ...content) => make("section", { "data-part": name }, make("h3", {}, title), ...content);

/**
 * @param {Detail} outage
 * @param {PlanVersion} plan
 * @param {Hands} hands
 */
function proposal(outage, plan, hands) {
  const changed = plan.difference;
  const lines = changed ? [
    changed.valves_added.length > 0 && `${change("valves", changed.valves_added.length)}: ${changed.valves_added.join(say("comma"))}`,
    changed.valves_removed.length > 0 && `${change("valves", -changed.valves_removed.length)}: ${changed.valves_removed.join(say("comma"))}`,
    changed.properties_added !== 0 && change("properties", changed.properties_added),
    changed.customers_added !== 0 && change("connections", changed.customers_added),
    ...changed.critical_added.map((name) => say("critical-in", { name: hands.criticalName(name) })),
    ...changed.critical_removed.map((name) => say("critical-out", { name: hands.criticalName(name) })),
  ].filter((line) => typeof line === "string") : [];
  return make("section", { class: "difference", "data-part": "proposal", "data-plan": String(plan.number) },
    make("h3", {}, say("new-plan", { n: figure(plan.number) })),
    make("p", {}, plan.because),
    lines.length ? make("ul", { class: "changes" }, ...lines.map((line) => make("li", {}, line))) : make("p", {}, say("nothing-changes")),
    make("p", { class: "actions" }, make("button", { type: "button", class: "primary", "data-focus": "approve", "data-step": "approve",
      click: () => hands.approvePlan(outage) }, say("approve-plan"))));
}

/**
 * @param {Detail} outage
 * @param {Hands} hands
 */
function whoIsOut(outage, hands) {
  const rows = [
    ["connections", figure(outage.connections)],
    ["dry-now", figure(outage.customers_out)],
    ["people", outage.people_out === null ? say("unknown") : figure(outage.people_out)],
    ["restored-already", outage.customers_restored === null ? say("unknown") : figure(outage.customers_restored)],
    ["minutes-lost", outage.minutes_lost === null ? say("unknown") : figure(Math.round(outage.minutes_lost))],
    ["minutes-each", outage.minutes_lost_per_customer === null ? say("unknown") : figure(Math.round(10 * outage.minutes_lost_per_customer) / 10)],
  ];
  return section("customers", say("without-water"),
    make("p", { class: "headline" }, make("strong", {}, figure(outage.properties_out)), " ", say("properties-word")),
    outage.critical.length > 0 && make("p", { class: "critical" }, say("critical-customers", { n: figure(outage.critical.length) }), " ", outage.critical.map(hands.criticalName).join(say("comma"))),
    make("dl", { class: "facts" }, rows.flatMap(([name, value]) => [make("dt", {}, say(`fact.${name}`)), make("dd", { "data-fact": name }, value)])));
}

/** @param {Detail} outage */
function times(outage) {
  const { restored, stages } = outage;
  const reached = STAGES.filter((stage) => stages[stage]);
  const isBack = Boolean(stages.restored);
  return section("times", say("times"), make("dl", { class: "facts times" },
    make("dt", {}, say("fact.age")), make("dd", {}, make("span", { "data-age": outage.opened_at }, ageOf(outage.opened_at))),
    ...reached.flatMap((stage) => [make("dt", {}, say(`stage.${stage}`)),
      make("dd", { "data-stage": stage, "data-reached": "true" }, make("time", { datetime: stages[stage] }, clockOf(stages[stage])))]),
    ...(isBack ? [] : [
      make("dt", {}, say("stage.restored")), make("dd", { "data-stage": "restored" },
        restored ? make("time", { class: "likely", datetime: restored.p50 }, clockOf(restored.p50)) : say("unknown"),
        restored && make("span", { class: "quiet" }, say("likely-between", { from: clockOf(restored.p10), until: clockOf(restored.p90) }))),
      make("dt", {}, say("fact.promise")), make("dd", { "data-fact": "promise" },
        outage.promised_by ? say("promise-by", { time: clockOf(outage.promised_by) })
          : outage.next_news_at ? say("promise-news", { time: clockOf(outage.next_news_at) }) : say("no-promise"))])));
}

/**
 * @param {Detail} outage
 * @param {Hands} hands
 */
function valves(outage, hands) {
  const isRefeeding = outage.valves.some(({ role }) => role === "refeed");
  // Before somebody is fed from elsewhere, what may stay open otherwise has to be shut.
  const steps = outage.valves.filter(({ role, state }) => isRefeeding || (role !== "optional" || state !== "to_close"))
    .sort((one, other) => (one.number ?? 99) - (other.number ?? 99));
  return section("valves", say("plan-valves", { n: figure(steps.length), plan: outage.plan ? say("plan-number", { n: figure(outage.plan.number), status: say(`plan.${outage.plan.status}`) }) : "–" }),
    steps.length ? make("ol", { class: "valves live" }, ...steps.map((valve) => valveRow(outage, valve, hands))) : make("p", {}, say("no-valves")));
}

/**
 * The rings of valves that crews worked out without a signal, the latest first.
 * @param {Detail} outage
 */
function onTablets(outage) {
  const rings = [...outage.device_rings ?? []].reverse();
  if (!rings.length) return null;
  return section("device-rings", say("device-rings"), ...rings.map((ring) => make("div", { class: ring.verdict === "confirmed" ? "" : "difference", "data-ring": ring.verdict },
    make("p", {}, make("strong", {}, ring.because), " ", make("span", { class: "quiet" }, make("time", { datetime: ring.at }, clockOf(ring.at)), ` · ${ring.by}`)),
    make("p", {}, ring.words),
    make("p", { class: "quiet" }, say("device-ring-valves", { valves: [...ring.valves, ...ring.pumps].join(say("comma")) || "–", properties: ring.properties === null ? say("unknown") : count("properties", ring.properties) })),
    ring.reasons.length > 0 && make("p", { "data-fact": "authorised" }, say("device-ring-called", { why: ring.reasons.join(say("comma")), name: ring.authorised_by ?? say("nobody") })),
    ring.others_unknown_since !== null && make("p", { class: "quiet" }, say("others-unknown", { time: clockOf(ring.others_unknown_since) })))));
}

/**
 * What may have been found at a valve, as it stands.
 * @param {PlanValve} valve
 * @returns {readonly string[]}
 */
function resultsFor({ state, role }) {
  if (role === "refeed") return state === "opened" ? ["closed_tight"] : [];
  if (role === "verify_shut" || state === "to_close" || state === "will_not_close" || state === "not_found") {
    return CLOSING.filter((result) => result !== state);
  }
  return CLOSED.has(state) || state === "will_not_reopen" ? REOPENING.filter((result) => result !== state) : [];
}

/**
 * @param {Detail} outage
 * @param {PlanValve} valve
 * @param {Hands} hands
 */
function valveRow(outage, valve, hands) {
  const button = (/** @type {string} */ result, /** @type {() => void} */ act) => make("button", { type: "button", class: "quiet",
    "data-result": result, "data-focus": `${result} ${valve.valve}`, click: act }, say(`result.${result}`));
  const results = resultsFor(valve).map((result) => button(result, () =>
    REOPENING.includes(result) ? hands.reopenValve(outage, valve, result) : hands.confirmValve(outage, valve, result)));
  return make("li", { "data-valve": valve.valve, "data-state": valve.state },
    make("span", { class: `disc ${CLOSED.has(valve.state) ? "is-closed" : ""}`, "aria-hidden": "true" }, valve.number === null ? "–" : String(valve.number)),
    make("div", { class: "valve-words" }, linkTo(valve.valve, () => hands.showValve(valve.valve)),
      make("span", { class: "quiet" }, valve.turns_recorded ? count("turns", valve.turns_recorded) : say("turns.unknown"),
        valve.tag ? ` · ${say("tag", { n: valve.tag })}` : "",
        UNUSUAL.has(valve.role) && make("em", {}, ` · ${say(`role.${valve.role}`)}`))),
    make("span", { class: "valve-state", "data-state": valve.state }, say(`valve.${valve.state}`)),
    results.length > 0 && outage.status !== "closed" && make("div", { class: "buttons results", role: "group", "aria-label": say("valve-results", { id: valve.valve }) }, ...results,
      CLOSED.has(valve.state) && make("a", { "data-focus": `release ${valve.valve}`, "data-release": valve.valve,
        href: `/releases?${new URLSearchParams({ outage: outage.id, valve: valve.valve })}` }, say("release-valve"))));
}

/**
 * @param {Detail} outage
 * @param {Hands} hands
 */
function restoring(outage, hands) {
  const isRepaired = Boolean(outage.stages.repaired);
  if (outage.status === "closed" || (!outage.parts.length && (isRepaired || !outage.stages.water_stopped))) return null;
  return section("parts", say("restore-by-parts"),
    !isRepaired && make("p", {}, say("not-repaired"), " ",
      make("button", { type: "button", "data-focus": "repaired", "data-step": "repaired", click: () => hands.recordRepair(outage) }, say("repair-done"))),
    make("ul", { class: "plain parts" }, ...outage.parts.map((part) => make("li", { "data-restorable": part.id },
      make("span", {}, part.label, " ", make("strong", {}, count("properties", part.properties))),
      make("button", { type: "button", "data-focus": `part ${part.id}`, click: () => hands.restorePart(outage, part) }, say("has-water-again"))))));
}

/**
 * @param {Detail} outage
 * @param {Hands} hands
 */
function ending(outage, hands) {
  return make("p", { class: "actions" },
    outage.incident && linkTo(outage.incident, () => hands.open({ kind: "incident", id: outage.incident ?? "" })),
    make("a", { href: `/outages/${encodeURIComponent(outage.id)}`, "data-focus": "page" }, say("outage-page")),
    outage.status !== "closed" && make("a", { href: `/releases?${new URLSearchParams({ outage: outage.id })}`, "data-focus": "release", "data-release": outage.id }, say("release-by-phone")),
    outage.status !== "closed" && make("button", { type: "button", class: "end", "data-focus": "end", "data-step": "end", click: () => hands.endOutage(outage) }, say("end-outage")));
}
