/** What the map shows at a time: every live outage, and above them what is being asked. */
import { ask, Problem } from "../map/api.js";
import { listSigns, showSigns } from "../map/marks.js";
import { paintAll } from "../map/paint.js";
import { askPlaces } from "../map/places.js";
import { knows, say } from "../map/words.js";

/** @typedef {import("../../vendor/maplibre-gl.mjs").Map} Map */
/** @typedef {import("../map/marks.js").Sign} Sign */
/** @typedef {import("../map/places.js").Place} Place */
/** @typedef {import("../map/plan_view.js").Plan} Plan */
/** @typedef {import("./board.js").Board} Board */
/** @typedef {import("./outage_view.js").Detail} Detail */
/** @typedef {import("./outage_view.js").PlanValve} PlanValve */

const MOST_NAMED = 60;

/**
 * A proposed plan, as an event tells it.
 * @param {Record<string, any>} body
 * @returns {import("./outage_view.js").PlanVersion}
 */
function planOf({ plan, plan_status, because, difference, properties_out, connections }) {
  const reason = `because.${because?.code}`;
  return {
    number: plan, status: plan_status, difference, because: knows(reason) ? say(reason, { valve: because.valve ?? "" }) : "",
    customers: { properties: properties_out, connections },
  };
}

/** @type {Record<string, (valve: PlanValve) => string>} */
const IMAGES = {
  to_close: ({ number }) => number === null ? "optional" : `close:${number}`,
  closed_tight: ({ number }) => `closed:${number ?? ""}`,
  passing: ({ number }) => `passing:${number ?? ""}`,
  will_not_close: () => "stuck",
  not_found: () => "stuck",
  will_not_reopen: () => "stuck",
  to_open: () => "optional",
  opened: () => "optional",
  reopened: () => "optional",
  handed_over: ({ number }) => `closed:${number ?? ""}`,
};

/**
 * What of an outage has to be found on the map, or named by its kind.
 * @param {Detail} detail
 * @returns {[string, string][]}
 */
function thingsOf({ valves, critical, proposed }) {
  const change = proposed?.difference;
  const customers = [...critical, ...(change ? [...change.critical_added, ...change.critical_removed] : [])];
  return [
    ...valves.map(({ valve }) => /** @type {[string, string]} */ (["valve", valve])),
    ...customers.slice(0, MOST_NAMED).map((id) => /** @type {[string, string]} */ (["customer", id])),
  ];
}

/**
 * @param {Map} map
 * @param {{known: (outage: Detail) => void, lost: (id: string, problem: Problem) => void}} listener
 */
export function makePicture(map, { known, lost }) {
  /** @type {globalThis.Map<string, Detail>} */
  const details = new globalThis.Map();
  /** @type {Set<string>} */
  let open = new Set();
  /** @type {globalThis.Map<string, number>} */
  const wanted = new globalThis.Map();
  /** @type {globalThis.Map<string, Place>} */
  const places = new globalThis.Map();
  /** @type {Plan | null} */
  let plan = null;
  /** @type {number | null} */
  let chosen = null;

  /** Read each outage that is new or has changed, and once more each that has ended. @param {Board} board */
  function follow(board) {
    const before = open;
    open = new Set(board.outages.map(({ id }) => id));
    for (const { id, version } of board.outages) read(id, version);
    const ended = [...before].filter((id) => !open.has(id));
    for (const id of ended) read(id);
    if (ended.length) paint();
  }

  /**
   * @param {string} id
   * @param {number} [version] - which is wanted at least; without it the newest
   */
  async function read(id, version) {
    if (version !== undefined && (wanted.get(id) ?? -1) >= version) return;
    wanted.set(id, version ?? wanted.get(id) ?? 0);
    try {
      const detail = /** @type {Detail} */ (await ask(`/api/v1/outages/${encodeURIComponent(id)}?keys=1`));
      if ((details.get(id)?.version ?? -1) > detail.version) return;
      await learn(thingsOf(detail));
      details.set(id, detail);
      paint();
      known(detail);
    } catch (error) {
      wanted.delete(id);
      if (!(error instanceof Problem)) throw error;
      lost(id, error);
    }
  }

  /** @param {[string, string][]} things */
  async function learn(things) {
    const missing = things.filter(([kind, id]) => !places.has(`${kind} ${id}`));
    if (!missing.length) return;
    for (const [name, place] of await askPlaces(missing)) places.set(name, place);
  }

  /** @param {Plan} now @returns {Sign[]} */
  const signsOf = ({ question, answer }) =>
    listSigns(answer, [...question.supposed].filter(([, what]) => what === "inoperable" || what === "unreachable").map(([id]) => id));

  function paint() {
    const live = [...details.values()].filter(({ id }) => open.has(id));
    // Where all have water again, hydrants have it, too.
    const painted = live.flatMap(({ keys, status }) => !keys ? [] : status === "restored" ? { ...keys, hydrants_dry: [] } : keys);
    paintAll(map, [...painted, ...(plan ? [plan.answer.keys] : [])], chosen);
    const signs = live.flatMap(({ valves }) => valves.filter(({ role, state }) => role !== "refeed" && (role !== "optional" || state !== "to_close"))
      .map((valve) => /** @type {Sign} */ (["valve", valve.valve, (IMAGES[valve.state] ?? IMAGES.to_close)(valve), 500 - (valve.number ?? 99)])));
    const asked = plan ? signsOf(plan) : [];
    const all = new globalThis.Map([...places, ...(plan?.places ?? [])]);
    const named = new Set(asked.map(([kind, id]) => `${kind} ${id}`));
    const burst = plan && plan.answer.at_m !== null ? plan.places.get(`pipe ${plan.answer.pipe}`) ?? null : null;
    showSigns(map, [...signs.filter(([kind, id]) => !named.has(`${kind} ${id}`)), ...asked], all, burst);
  }

  /**
   * Show at once what an event of an outage says; the rest follows with the next reading.
   * @param {import("./board.js").Happening} happening
   */
  function hear({ kind, body }) {
    const detail = details.get(body.id);
    // What several jobs do together is told of one by another's numbers.
    if (!detail || body.version < detail.version || kind === "outage.joint_effect") return;
    for (const name of /** @type {const} */ (["status", "connections", "customers_out", "properties_out", "restored", "stages"])) {
      if (body[name] !== undefined) Object.assign(detail, { [name]: body[name] });
    }
    const valve = body.result && detail.valves.find((one) => one.valve === body.valve);
    if (valve) valve.state = body.result;
    if (kind === "outage.replanned" || kind === "outage.plan_proposed") detail.proposed = planOf(body);
    if (kind === "outage.plan_approved") detail.proposed = null;
    if (valve) paint();
    known(detail);
  }

  return {
    follow,
    read,
    hear,
    detail: (/** @type {string} */ id) => details.get(id) ?? null,
    place: (/** @type {string} */ name) => places.get(name) ?? plan?.places.get(name) ?? null,
    /** @param {Plan | null} now @param {number | null} part */
    ask(now, part = null) {
      plan = now;
      chosen = part;
      paint();
    },
    /** Every place that a plan shows with a sign. @param {Plan} now */
    placesOf(now) {
      const pipe = now.places.get(`pipe ${now.answer.pipe}`);
      return [...(pipe ? [pipe] : []), ...signsOf(now).flatMap(([kind, id]) => now.places.get(`${kind} ${id}`) ?? [])];
    },
    /** Where an outage's valves and pipe are. @param {Detail} detail */
    placesOfOutage(detail) {
      const valves = detail.valves.flatMap(({ valve }) => places.get(`valve ${valve}`) ?? []);
      return detail.lon === null || detail.lat === null ? valves : [...valves, { lon: detail.lon, lat: detail.lat }];
    },
  };
}
