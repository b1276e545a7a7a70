/** The map page: what is asked, what is answered, and what a hand or a key does to it. */
import { Problem } from "./api.js";
import { announce, closeDrawer, isDrawerOpen, setDrawerState, showDrawer } from "./drawer.js";
import { find, make } from "./elements.js";
import { followFacts, isRedrawn } from "./facts.js";
import { listenToKeys } from "./keys.js";
import { areVisible, goTo, makeMap } from "./map_view.js";
import { clearSigns, listSigns, showSigns } from "./marks.js";
import { followConnection, raise, settle } from "./notice.js";
import { askOutage } from "./outage.js";
import { page } from "./page_data.js";
import { clearAnswer, paintAnswer, paintChosen } from "./paint.js";
import { pick } from "./pick.js";
import { askPlaces } from "./places.js";
import { summarise, viewPlan } from "./plan_view.js";
import { readAddress, suppose, writeAddress } from "./question.js";
import { confirmAndRecord } from "./record.js";
import { makeSearch } from "./search.js";
import { viewValve } from "./valve_view.js";
import { say } from "./words.js";

/** @typedef {import("./question.js").Question} Question */
/** @typedef {import("./plan_view.js").Plan} Plan */
/** @typedef {import("./places.js").Place} Place */

const map = makeMap();
/** @type {Plan | null} */
let plan = null;
/** @type {Place | null} */
let valve = null;
/** @type {AbortController | undefined} */
let asking;
let revision = page.revision;
let isDrawnAnew = false;

/** @type {import("./valve_actions.js").ValveHands} */
const hands = {
  suppose: (id, supposition) => { if (plan) answer(suppose(plan.question, id, supposition)); },
  show: async (id) => {
    const place = plan?.places.get(`valve ${id}`) ?? (await askPlaces([["valve", id]])).get(`valve ${id}`);
    if (place) goTo(map, [place], 18);
  },
  showAll: () => { if (plan) goTo(map, placesOf(plan)); },
  record: async (id, fact, opener) => {
    const question = plan?.question ?? questionAtValve();
    if (!(await confirmAndRecord({ question, revision, valve: id, fact }))) return opener.focus();
    announce(say("recorded", { id }));
    await lookAtFacts();
    if (plan) answer(suppose(plan.question, id, null));
    else openValve(id);
  },
};

/** @returns {Question | null} */
function questionAtValve() {
  if (!valve?.facts.pipe) return null;
  return { pipe: valve.facts.pipe, at_m: valve.facts.at_m ?? null, click: null, supposed: new Map() };
}

/**
 * Every place that the drawer and the map need for an answer.
 * @param {import("./outage.js").Answer} found
 * @param {Question} question
 * @returns {[string, string][]}
 */
function wantedPlaces(found, question) {
  const signs = listSigns(found, question.supposed.keys());
  return [
    ["pipe", found.pipe],
    ...signs.map(([kind, id]) => /** @type {[string, string]} */ ([kind, id])),
    ...found.customers.critical.slice(0, 50).map((id) => /** @type {[string, string]} */ (["customer", id])),
  ];
}

/**
 * Ask, and show the answer in the drawer and on the map.
 * @param {Question} question
 * @param {{part?: number | null, move?: boolean}} [options]
 */
async function answer(question, { part = null, move = false } = {}) {
  asking?.abort();
  const mine = (asking = new AbortController());
  const isSamePlace = plan?.question.pipe === question.pipe && (plan.question.at_m === question.at_m);
  valve = null;
  setDrawerState("loading");
  if (!isSamePlace) {
    plan = null;
    clearSigns(map);
    paintChosen(map, part);
    showDrawer(say("pipe", { id: question.pipe }), [make("p", { class: "loading", role: "status" }, say("working-out"))]);
  }
  try {
    const found = await askOutage(question, mine.signal);
    const exact = { ...question, at_m: found.at_m };
    const recorded = question.supposed.size
      ? await askOutage({ ...exact, supposed: new Map() }, mine.signal) : null;
    const places = await askPlaces(wantedPlaces(found, exact), mine.signal, found.at_m);
    plan = { question: exact, answer: found, recorded, places };
  } catch (error) {
    if (mine.signal.aborted) return;
    return fail(error, () => answer(question, { part, move }));
  }
  showPlan(plan, move);
}

/**
 * @param {Plan} now
 * @param {boolean} move
 */
function showPlan(now, move) {
  const { question, answer: found, places } = now;
  writeAddress(question);
  if (found.network_revision >= revision && !isDrawnAnew) settle("stale");
  paintAnswer(map, found.keys);
  showSigns(map, signsOf(now), places, burstOf(now));
  showDrawer(say("pipe", { id: found.pipe }), viewPlan(now, hands));
  setDrawerState("shown");
  announce(summarise(found));
  const shown = placesOf(now);
  if (move || !areVisible(map, shown)) goTo(map, shown);
}

/**
 * Where it breaks; nothing where the whole pipe counts as broken.
 * @param {Plan} now
 */
const burstOf = ({ answer: found, places }) => (found.at_m === null ? null : places.get(`pipe ${found.pipe}`) ?? null);

/** @param {Plan} now */
const signsOf = ({ question, answer: found }) =>
  listSigns(found, [...question.supposed].filter(([, what]) => what === "inoperable" || what === "unreachable").map(([id]) => id));

/**
 * Every place that a plan shows with a sign.
 * @param {Plan} now
 */
function placesOf(now) {
  const burst = burstOf(now);
  const signs = signsOf(now).flatMap(([kind, id]) => now.places.get(`${kind} ${id}`) ?? []);
  const pipe = now.places.get(`pipe ${now.answer.pipe}`);
  return [burst ?? pipe ?? [], ...signs].flat();
}

/**
 * @param {unknown} error
 * @param {() => void} again
 */
function fail(error, again) {
  if (!(error instanceof Problem)) throw error;
  clearAnswer(map);
  clearSigns(map);
  plan = null;
  setDrawerState("failed");
  showDrawer(find("drawer-title").textContent ?? "", [
    make("div", { class: "verdict loud", role: "alert" }, make("strong", {}, say("no-answer-shown")), make("p", {}, error.message)),
    make("button", { type: "button", class: "primary", "data-focus": "again", click: again }, say("try-again")),
  ]);
}

/** @param {string} id */
async function openValve(id) {
  asking?.abort();
  const mine = (asking = new AbortController());
  setDrawerState("loading");
  plan = null;
  clearAnswer(map);
  writeAddress(null);
  try {
    const place = (await askPlaces([["valve", id]], mine.signal)).get(`valve ${id}`);
    if (!place) return fail(new Problem(say("nothing-found", { text: id }), 404), () => openValve(id));
    valve = place;
    showSigns(map, [["valve", id, "place", 1]], new Map([[`valve ${id}`, place]]), null);
    showDrawer(say("valve", { id }), viewValve(place, hands, (pipe, at_m) =>
      answer({ pipe, at_m, click: null, supposed: new Map() })));
    setDrawerState("shown");
    announce(say("valve", { id }));
  } catch (error) {
    if (!mine.signal.aborted) fail(error, () => openValve(id));
  }
}

function close() {
  asking?.abort();
  plan = valve = null;
  clearAnswer(map);
  clearSigns(map);
  writeAddress(null);
  return closeDrawer();
}

/** @param {{x: number, y: number}} point */
function choose(point) {
  const picked = pick(map, point);
  if (!picked) return;
  if (picked.kind === "valve") {
    if (plan) showActionsOf(picked.id);
    else openValve(picked.id);
    return;
  }
  answer({ pipe: picked.id, at_m: null, click: picked, supposed: new Map() }, { part: picked.key });
}

/**
 * A valve of the plan was clicked: its row opens; any other valve opens its own sheet.
 * @param {string} id
 */
function showActionsOf(id) {
  const row = [...find("drawer-body").querySelectorAll("ol.valves > li")].find(
    (item) => item instanceof HTMLElement && item.dataset.valve === id);
  if (!row) {
    openValve(id);
    return;
  }
  row.querySelector("details")?.setAttribute("open", "");
  row.scrollIntoView({ block: "nearest" });
  row.querySelector("summary")?.focus();
}

const search = makeSearch((found) => {
  if (found.kind === "pipe") {
    answer({ pipe: found.id, at_m: null, click: { lon: found.lon, lat: found.lat }, supposed: new Map() }, { move: true })
      .then(() => find("drawer-title").focus());
  } else if (found.kind === "valve" || found.kind === "control_valve") {
    goTo(map, [found]);
    openValve(found.id).then(() => find("drawer-title").focus());
  } else {
    close();
    goTo(map, [found]);
    showSigns(map, [[found.kind, found.id, "place", 1]], new Map([[`${found.kind} ${found.id}`, { ...found, key: -1, facts: {} }]]), null);
    announce(`${say(`kind.${found.kind}`)} ${found.id} ${found.label}`);
  }
});

const lookAtFacts = followFacts(map, {
  moved(state) {
    settle("failed");
    revision = Math.max(revision, state.revision);
    isDrawnAnew = isRedrawn(state);
    if (isDrawnAnew) {
      raise("stale", say("redrawn"), { action: say("reload"), act: () => location.reload() });
    } else if (plan && state.revision > plan.answer.network_revision) {
      const { question } = plan;
      raise("stale", say("stale"), { action: say("work-out-again"), act: () => { settle("stale"); answer(question); } });
    } else settle("stale");
  },
  lost: (problem) => raise("failed", problem.status ? problem.message : say("facts-lost")),
});

map.on("click", (event) => choose(event.point));
let isPointing = false;
map.on("mousemove", ({ point }) => {
  if (isPointing || map.isMoving()) return;
  isPointing = true;
  requestAnimationFrame(() => {
    isPointing = false;
    map.getCanvas().style.cursor = pick(map, point) ? "pointer" : "";
  });
});
map.on("error", ({ error }) => {
  if (/** @type {any} */ (error).status === 404) return;
  raise("tiles", say("tiles-failed"), { action: say("reload"), act: () => location.reload() });
});
map.on("load", () => {
  const question = readAddress(location.search);
  if (question) answer(question, { move: true });
});
map.getCanvas().addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  const { clientWidth: width, clientHeight: height } = map.getCanvas();
  choose({ x: width / 2, y: height / 2 });
});

find("drawer-close").addEventListener("click", close);
find("help-button").addEventListener("click", showHelp);
find("search-form").addEventListener("submit", (event) => event.preventDefault());

function showHelp() {
  /** @type {HTMLDialogElement} */ (find("help")).showModal();
}

listenToKeys({
  "/": search.focus,
  "?": showHelp,
  j: () => search.move(1),
  k: () => search.move(-1),
  Escape: () => {
    if (document.activeElement === find("search") && search.clear()) return;
    if (isDrawerOpen()) close();
    else { search.clear(); clearSigns(map); }
  },
});

if (matchMedia("(max-width: 60rem)").matches) find("legend").removeAttribute("open");
followConnection();
if (page.extent === null) {
  const { import_url } = page;
  if (import_url) raise("empty", say("empty"), { action: say("import"), act: () => location.assign(import_url) });
  else raise("empty", say("empty-ask"));
}
