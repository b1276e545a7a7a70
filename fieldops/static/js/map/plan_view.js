/** The answer as it stands in the drawer. */
import { compare } from "./difference.js";
import { make } from "./elements.js";
import { documentUrl } from "./question.js";
import { span, tell } from "./times.js";
import { valveActions } from "./valve_actions.js";
import { change, count, figure, knows, say } from "./words.js";

/** @typedef {import("./outage.js").Answer} Answer */
/** @typedef {import("./outage.js").Forecast} Forecast */
/** @typedef {import("./places.js").Place} Place */
/** @typedef {import("./question.js").Question} Question */
/** @typedef {import("./valve_actions.js").ValveHands} ValveHands */

/**
 * @typedef {object} Plan
 * @property {Question} question
 * @property {Answer} answer
 * @property {Answer | null} recorded - the answer with nothing supposed, where something is
 * @property {Map<string, Place>} places
 */

/**
 * @param {Plan} plan
 * @param {ValveHands} hands
 * @returns {Node[]}
 */
export function viewPlan(plan, hands) {
  const { answer, question } = plan;
  return [
    pipeFacts(plan, hands),
    verdict(answer),
    plan.recorded && difference(plan, plan.recorded, hands),
    losses(plan),
    times(answer),
    closingList(plan, hands),
    ...otherValves(plan, hands),
    idList("pumps_to_stop", answer.pumps_to_stop),
    idList("sources_shut", answer.sources_shut),
    refeeds(answer, hands),
    idList("hydrants_dry", answer.hydrants_dry),
    doubts(answer),
    remarks(answer),
    documents(question),
  ].filter((part) => part instanceof Node);
}

/** What is read out when an answer arrives. @param {Answer} answer */
export function summarise(answer) {
  return [
    say("pipe", { id: answer.pipe }) + ":",
    answer.isolated ? say("isolated-by", { valves: count("valves", answer.valves_to_close.length) }) : say("not-isolated"),
    say("lose-supply", { properties: count("properties", answer.customers.properties) }),
    answer.times?.restored ? say("back-about", { time: tell(answer.times.restored.p50) }) : "",
  ].join(" ");
}

/**
 * @param {string} name
 * @param {string} title
 * @param {...import("./elements.js").Child} content
 */
function section(name, title, ...content) {
  return make("section", { "data-part": name }, make("h3", {}, title), ...content);
}

/**
 * @param {Plan} plan
 * @param {ValveHands} hands
 */
function pipeFacts({ answer, places }, hands) {
  const facts = places.get(`pipe ${answer.pipe}`)?.facts ?? {};
  const parts = [
    facts.diameter_mm && `DN${facts.diameter_mm}`,
    facts.material && (knows(`material.${facts.material}`) ? say(`material.${facts.material}`) : facts.material),
    facts.laid_on && say("laid-on", { date: facts.laid_on }),
    answer.at_m === null ? say("whole-pipe") : say("at-metre", { m: answer.at_m.toFixed(1) }),
  ];
  return make("p", { class: "quiet pipe-facts" }, make("span", {}, parts.filter(Boolean).join(" · ")),
    make("button", { type: "button", class: "link quiet", "data-focus": "show all", click: hands.showAll }, say("show-on-map")));
}

/** @param {Answer} answer */
function verdict(answer) {
  if (answer.isolated) {
    return make("p", { class: "verdict", "data-part": "verdict", "data-isolated": "true" },
      say("isolated-by", { valves: count("valves", answer.valves_to_close.length) }));
  }
  return make("div", { class: "verdict loud", "data-part": "verdict", "data-isolated": "false", role: "alert" },
    make("strong", {}, say("not-isolated")),
    make("p", {}, answer.sources_shut.length ? say("shut-the-source", { ids: answer.sources_shut.join(", ") }) : say("not-isolated-why")));
}

/**
 * @param {Plan} plan
 * @param {string} id
 */
function criticalName({ places }, id) {
  const what = places.get(`customer ${id}`)?.facts.critical;
  if (!what) return id;
  return `${knows(`critical.${what}`) ? say(`critical.${what}`) : what} ${id}`;
}

/**
 * @param {Plan} plan
 * @param {Answer} recorded
 * @param {ValveHands} hands
 */
function difference(plan, recorded, hands) {
  const { answer, question } = plan;
  const changed = compare(recorded, answer);
  const lines = [
    changed.isolated === 1 && say("now-isolated"),
    changed.isolated === -1 && say("no-longer-isolated"),
    changed.valvesMore.length && `${change("valves", changed.valvesMore.length)}: ${changed.valvesMore.join(", ")}`,
    changed.valvesLess.length && `${change("valves", -changed.valvesLess.length)}: ${changed.valvesLess.join(", ")}`,
    changed.properties && change("properties", changed.properties),
    changed.connections && change("connections", changed.connections),
    ...changed.criticalIn.map((id) => say("critical-in", { name: criticalName(plan, id) })),
    ...changed.criticalOut.map((id) => say("critical-out", { name: criticalName(plan, id) })),
    later("stopped", changed.stoppedLaterMin),
    later("restored", changed.restoredLaterMin),
  ].filter((line) => typeof line === "string");
  const supposed = [...question.supposed].map(([valve, supposition]) => make("li", {},
    say(`supposed.${supposition}`, { id: valve }), " ",
    make("button", { type: "button", class: "quiet", "data-focus": `actions ${valve}`, click: () => hands.suppose(valve, null) }, say("take-back"))));
  return make("section", { class: "difference", "data-part": "difference" },
    make("h3", {}, say("what-if")),
    make("ul", { class: "plain" }, ...supposed),
    lines.length ? make("ul", { class: "changes" }, ...lines.map((line) => make("li", {}, line))) : make("p", {}, say("nothing-changes")));
}

/**
 * @param {string} stage
 * @param {number} minutes
 */
function later(stage, minutes) {
  if (Math.abs(minutes) < 1) return null;
  return say(`${stage}-${minutes > 0 ? "later" : "sooner"}`, { span: span(minutes) });
}

/** @param {Plan} plan */
function losses(plan) {
  const { customers, pipes_cut_off } = plan.answer;
  const unknown = say("unknown");
  const facts = [
    ["connections", figure(customers.connections)],
    ["people", customers.people === null ? unknown : figure(customers.people)],
    ["guessed", customers.guessed ? figure(customers.guessed) : null],
    ["already-dry", customers.already_dry === null ? unknown : customers.already_dry ? figure(customers.already_dry) : null],
  ];
  return section("customers", say("without-water"),
    make("p", { class: "headline" }, make("strong", {}, figure(customers.properties)), " ", say("properties-word")),
    make("dl", { class: "facts" }, facts.flatMap(([name, value]) => value === null ? [] : [
      make("dt", {}, say(`fact.${name}`)), make("dd", { "data-fact": String(name) }, value)])),
    pipes_cut_off === null && make("p", { class: "loud-line" }, say("cut-off-unknown")),
    customers.critical.length > 0 && make("div", { class: "critical" },
      make("h4", {}, say("critical-customers", { n: figure(customers.critical.length) })),
      make("ul", { class: "plain" }, ...customers.critical.map((id) => make("li", {}, criticalName(plan, id))))));
}

/** @param {Answer} answer */
function times(answer) {
  const rows = /** @type {const} */ (["water_stopped", "restored"]).flatMap((stage) => {
    const forecast = answer.times?.[stage];
    const none = answer.times && forecast === null ? "no-stage" : "unknown";
    if (!forecast?.p50) return [make("dt", {}, say(`stage.${stage}`)), make("dd", { "data-stage": stage }, say(none))];
    return [make("dt", {}, say(`stage.${stage}`)), make("dd", { "data-stage": stage },
      make("time", { class: "likely", datetime: forecast.p50 }, tell(forecast.p50)),
      make("span", { class: "quiet" }, say("likely-between", { from: tell(forecast.p10), until: tell(forecast.p90) })))];
  });
  return section("times", say("times"), make("dl", { class: "facts times" }, rows));
}

/**
 * How many turns, and which way.
 * @param {Place | undefined} place
 */
function handling(place) {
  const { turns, closes } = place?.facts ?? {};
  const way = closes === "clockwise" || closes === "anticlockwise" ? say(`closes.${closes}`) : say("closes.unknown");
  return `${turns ? count("turns", turns) : say("turns.unknown")} · ${way}`;
}

/**
 * @param {Plan} plan
 * @param {ValveHands} hands
 */
function closingList({ answer, places, question }, hands) {
  const steps = [...answer.keys.valves_to_close].sort((one, other) => one.number - other.number);
  const items = steps.map(({ id, number }) => make("li", { "data-valve": id },
    make("span", { class: "disc", "aria-hidden": "true" }, String(number)),
    make("div", { class: "valve-words" },
      valveName(id, hands),
      make("span", { class: "quiet" }, handling(places.get(`valve ${id}`)))),
    valveActions(id, question.supposed.get(id) ?? null, hands)));
  return section("valves", say("valves-to-close", { n: figure(steps.length) }),
    steps.length ? make("ol", { class: "valves" }, ...items) : make("p", {}, say("no-valves")));
}

/**
 * @param {string} id
 * @param {ValveHands} hands
 */
function valveName(id, hands) {
  return make("button", { type: "button", class: "link", "data-focus": `show ${id}`, click: () => hands.show(id),
    title: say("show-on-map") }, id);
}

/**
 * @param {Plan} plan
 * @param {ValveHands} hands
 */
function otherValves({ answer }, hands) {
  return /** @type {const} */ (["valves_optional", "valves_verify_shut"]).map((name) => answer[name].length > 0 &&
    section(name, say(name, { n: figure(answer[name].length) }), make("p", { class: "quiet" }, say(`${name}.why`)),
      make("ul", { class: `ids ${name}` }, ...answer[name].map((id) => make("li", { "data-valve": id }, valveName(id, hands))))));
}

/**
 * @param {"pumps_to_stop" | "sources_shut" | "hydrants_dry"} name
 * @param {string[]} ids
 */
function idList(name, ids) {
  return ids.length > 0 && section(name, say(name, { n: figure(ids.length) }),
    make("ul", { class: "ids" }, ...ids.map((id) => make("li", {}, id))));
}

/**
 * @param {Answer} answer
 * @param {ValveHands} hands
 */
function refeeds({ refeed }, hands) {
  if (refeed === null) return section("refeed", say("refeed"), make("p", {}, say("refeed-unknown")));
  return refeed.length > 0 && section("refeed", say("refeed"), make("ul", { class: "plain" },
    ...refeed.map((one) => make("li", {}, valveName(one.valve, hands), " ",
      change("properties", one.properties_regained).replace("+", ""), " ", say("regained"),
      one.crosses_boundary && make("em", { class: "warning" }, " ", say("crosses-boundary"))))));
}

/** @param {Answer} answer */
function doubts({ if_unknown_closed: other, customers_differ: differ }) {
  return other !== null && section("doubts", say("if-unknown-closed"),
    make("p", {}, say("if-unknown-closed.text", {
      valves: count("valves", other.valves_to_close.length),
      properties: count("properties", other.customers.properties),
      differ: figure(differ.length),
    })));
}

/** @param {Answer} answer */
function remarks({ remarks: all }) {
  return all.length > 0 && section("remarks", say("remarks"),
    make("ul", { class: "remarks" }, ...all.map((remark) => make("li", { "data-code": remark.code }, remark.text))));
}

/** @param {Question} question */
function documents(question) {
  return make("p", { class: "documents" },
    make("a", { class: "button", href: documentUrl("/outages/plan.html", question), "data-focus": "plan" }, say("isolation-plan")),
    make("a", { class: "button", href: documentUrl("/outages/valve-sheet.pdf", question), "data-focus": "sheet" }, say("valve-sheet")));
}
