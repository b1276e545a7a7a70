/** Who would lose supply if a pipe broke, asked by a click; and the step from there to a real one. */
import { Problem } from "../map/api.js";
import { announce, setDrawerState, showDrawer } from "../map/drawer.js";
import { make } from "../map/elements.js";
import { areVisible, goTo } from "../map/map_view.js";
import { listSigns } from "../map/marks.js";
import { askOutage } from "../map/outage.js";
import { askPlaces } from "../map/places.js";
import { summarise, viewPlan } from "../map/plan_view.js";
import { suppose } from "../map/question.js";
import { confirmAndRecord } from "../map/record.js";
import { say } from "../map/words.js";

/** @typedef {import("../../vendor/maplibre-gl.mjs").Map} Map */
/** @typedef {import("../map/question.js").Question} Question */
/** @typedef {import("../map/plan_view.js").Plan} Plan */
/** @typedef {ReturnType<typeof import("./picture.js").makePicture>} Picture */

/**
 * @param {Map} map
 * @param {Picture} picture
 * @param {{openOutage: (plan: Plan) => void, openIncident: (plan: Plan) => void, fail: (error: unknown, again: () => void) => void}} hands
 */
export function makePreview(map, picture, { openOutage, openIncident, fail }) {
  /** @type {Plan | null} */
  let plan = null;
  /** @type {AbortController | undefined} */
  let asking;

  /** @type {import("../map/valve_actions.js").ValveHands} */
  const hands = {
    suppose: (id, supposition) => { if (plan) answer(suppose(plan.question, id, supposition)); },
    show: (id) => {
      const place = plan?.places.get(`valve ${id}`);
      if (place) goTo(map, [place], 18);
    },
    showAll: () => { if (plan) goTo(map, picture.placesOf(plan)); },
    record: async (id, fact, opener) => {
      if (!plan) return;
      const { question } = plan;
      if (!(await confirmAndRecord({ question, revision: plan.answer.network_revision, valve: id, fact }))) return opener.focus();
      announce(say("recorded", { id }));
      answer(suppose(question, id, null));
    },
  };

  /**
   * @param {Question} question
   * @param {{part?: number | null, move?: boolean}} [options]
   */
  async function answer(question, { part = null, move = false } = {}) {
    asking?.abort();
    const mine = (asking = new AbortController());
    const isSame = plan?.question.pipe === question.pipe && plan.question.at_m === question.at_m;
    setDrawerState("loading");
    if (!isSame) {
      plan = null;
      picture.ask(null, part);
      showDrawer(say("pipe", { id: question.pipe }), [make("p", { class: "loading", role: "status" }, say("working-out"))]);
    }
    try {
      const found = await askOutage(question, mine.signal);
      const exact = { ...question, at_m: found.at_m };
      const recorded = question.supposed.size ? await askOutage({ ...exact, supposed: new Map() }, mine.signal) : null;
      const signs = listSigns(found, question.supposed.keys());
      const wanted = [["pipe", found.pipe], ...signs.map(([kind, id]) => [kind, id]), ...found.customers.critical.slice(0, 50).map((id) => ["customer", id])];
      const places = await askPlaces(/** @type {[string, string][]} */ (wanted), mine.signal, found.at_m);
      plan = { question: exact, answer: found, recorded, places };
    } catch (error) {
      if (mine.signal.aborted) return;
      if (error instanceof Problem) close();
      return fail(error, () => answer(question, { part, move }));
    }
    show(plan, move);
  }

  /**
   * @param {Plan} now
   * @param {boolean} move
   */
  function show(now, move) {
    picture.ask(now);
    showDrawer(say("pipe", { id: now.answer.pipe }), [
      make("p", { class: "actions" },
        make("button", { type: "button", "data-focus": "open incident", "data-step": "open-incident", click: () => openIncident(now) }, say("open-incident-here")),
        make("button", { type: "button", "data-focus": "open outage", "data-step": "open-here", click: () => openOutage(now) }, say("open-here"))),
      ...viewPlan(now, hands),
    ]);
    setDrawerState("shown");
    announce(summarise(now.answer));
    const places = picture.placesOf(now);
    if (move || !areVisible(map, places)) goTo(map, places);
  }

  function close() {
    asking?.abort();
    plan = null;
    picture.ask(null);
  }

  return { answer, close, isOpen: () => plan !== null };
}
