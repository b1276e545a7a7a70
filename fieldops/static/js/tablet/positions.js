/**
 * Where the crew is, while the page is in front and the person agreed: seldom, so that the battery
 * lasts, and only the last one is kept where there is no signal.
 */
import { isOnline } from "./connection.js";
import { open } from "./db.js";
import { button, card, facts, make, moment, notice } from "./elements.js";
import { isWorthTelling, LEAST_MS } from "./position_rule.js";
import { api, onRevoked, Refused, serverNow, session, watchSession } from "./session.js";
import { distance, say, watchLanguage } from "./words.js";

/** @typedef {{lon: number, lat: number, accuracy_m: number, at: string}} Here */
/** @typedef {{consent: "yes" | "no" | null, last: Here | null, told_at: string | null, problem: string | null}} Positions */

const RETRY_MS = 30_000;
const KEY = 1;
const ROUGHEST_M = 500;

/** @type {Positions} */
let state = { consent: null, last: null, told_at: null, problem: null };
/** @type {Here | null} */
let toldPlace = null;
/** @type {number | null} */
let watching = null;
let isTelling = false;
let isBegun = false;
let triedAt = 0;
/** @type {Set<() => void>} */
const watchers = new Set();

/** What is known: the last place with its moment, and when dispatch was told. */
export const positions = () => state;

/**
 * Be told when it changes.
 * @param {() => void} watch
 * @returns {() => void} stops it
 */
export function watchPositions(watch) {
  watchers.add(watch);
  return () => void watchers.delete(watch);
}

/** @param {Partial<Positions>} change */
async function note(change) {
  state = { ...state, ...change };
  const { problem: _problem, ...kept } = state;
  await (await open()).put("positions", { ...kept, person_id: session()?.person.id ?? null }, KEY);
  for (const watch of watchers) watch();
}

/** Begin: read what the person said before, ask whoever has not been asked, and watch. */
export async function startPositions() {
  if (!navigator.geolocation) return note({ problem: say("This device or page gives no position: it needs https.") });
  await read();
  if (!isBegun) {
    isBegun = true;
    document.addEventListener("visibilitychange", follow);
    addEventListener("online", () => void tell());
    watchSession(() => void read().then(ask).then(follow));
    watchLanguage(ask);
    onRevoked(() => {
      state = { consent: null, last: null, told_at: null, problem: null };
      follow();
    });
    setInterval(() => void tell(), RETRY_MS);
  }
  ask();
  follow();
  return undefined;
}

/** What was agreed belongs to the person, not to the tablet. */
async function read() {
  const kept = await (await open()).get("positions", KEY);
  const isOwn = kept && kept.person_id === (session()?.person.id ?? null);
  state = isOwn
    ? { consent: kept.consent, last: kept.last, told_at: kept.told_at, problem: null }
    : { consent: null, last: null, told_at: null, problem: null };
  toldPlace = null;
  for (const watch of watchers) watch();
}

/** Only who is of a crew has a place that dispatch needs. */
const isWanted = () => (session()?.crews.length ?? 0) > 0;

/** Say, before anything is told, what is told to whom; on top of the page, and in nobody's way. */
function ask() {
  document.getElementById("positions-ask")?.remove();
  if (state.consent !== null || !isWanted() || !navigator.geolocation) return;
  const answer = (/** @type {"yes" | "no"} */ consent) => async () => {
    document.getElementById("positions-ask")?.remove();
    await choose(consent);
  };
  document.getElementById("page")?.before(card([
    make("p", {}, terms()),
    make("div", { class: "actions" },
      button(say("Do not tell"), answer("no")), button(say("Tell dispatch my position"), answer("yes"))),
  ], { class: "positions-ask", label: say("Where this tablet is") }));
  document.querySelector(".positions-ask")?.setAttribute("id", "positions-ask");
}

const terms = () => say("While this page is in front, it can tell dispatch where your crew is: about once a minute, or every 50 metres. Dispatch uses it to send the nearest crew. Nothing is told while the page is hidden or you are signed out, and you can stop it in the settings.");

/** @param {"yes" | "no"} consent */
export async function choose(consent) {
  await note({ consent, problem: null });
  follow();
}

/** Watch while it is wanted, agreed and seen; else let the device rest. */
function follow() {
  const isOn = state.consent === "yes" && isWanted() && document.visibilityState === "visible";
  if (isOn && watching === null) {
    watching = navigator.geolocation.watchPosition(
      ({ coords, timestamp }) => void take({ lon: coords.longitude, lat: coords.latitude, accuracy_m: coords.accuracy, at: new Date(timestamp).toISOString() }),
      (error) => void note({ problem: explain(error) }),
      { enableHighAccuracy: false, maximumAge: 15_000, timeout: 60_000 },
    );
  } else if (!isOn && watching !== null) {
    navigator.geolocation.clearWatch(watching);
    watching = null;
  }
}

/** @param {GeolocationPositionError} error */
function explain(error) {
  if (error.code === error.PERMISSION_DENIED) return say("The browser does not allow the position: allow it in the browser's settings.");
  return say("The device does not know its position at the moment.");
}

/** @param {Here} here */
async function take(here) {
  if (here.accuracy_m > ROUGHEST_M) return;
  // Keeping each would wear the disk out: the last told, and the last in memory, is enough.
  state = { ...state, last: here, problem: null };
  for (const watch of watchers) watch();
  if (isWorthTelling(here, toldPlace)) await tell();
}

/** Tell dispatch the last place, if it was not told yet and there is a way. */
async function tell() {
  const here = state.last;
  const own = session();
  if (!here || !own || isTelling || state.consent !== "yes" || document.visibilityState !== "visible") return;
  if (state.told_at && state.told_at >= here.at) return;
  if (!isWorthTelling(here, toldPlace)) return;
  if (isOnline() === false || !navigator.onLine) return note({});
  if (Date.now() - triedAt < LEAST_MS) return undefined;
  isTelling = true;
  triedAt = Date.now();
  try {
    // The server believes no clock that runs ahead: it is told by its own.
    const at = new Date(Date.parse(here.at) + (serverNow().getTime() - Date.now())).toISOString();
    for (const crew of own.crews) {
      await api(`/api/v1/crews/${encodeURIComponent(crew.id)}/position`, {
        method: "POST", headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ lon: here.lon, lat: here.lat, accuracy_m: here.accuracy_m, at }),
      });
    }
    toldPlace = here;
    await note({ told_at: new Date().toISOString(), problem: null });
  } catch (error) {
    // Without a signal the last place is kept, and told when there is one.
    await note(error instanceof Refused ? { problem: error.message } : {});
  } finally {
    isTelling = false;
  }
  return undefined;
}

/**
 * What the settings show of it: agreed or not, the last place's age, and what is wrong.
 * @returns {{element: HTMLElement, stop: () => void}}
 */
export function positionsCard() {
  const element = card([], { class: "positions", label: say("Where this tablet is") });
  const draw = () => {
    const isOn = state.consent === "yes";
    element.replaceChildren(
      make("h2", {}, say("Where this tablet is")),
      make("p", {}, terms()),
      isWanted() ? "" : notice("info", say("You belong to no crew, so no position is told.")),
      facts([
        [say("Told to dispatch"), isOn ? say("yes") : say("no")],
        [say("Last known"), state.last ? make("span", {}, moment(state.last.at), ` ± ${distance(state.last.accuracy_m)}`) : null],
        [say("Last told"), state.told_at ? moment(state.told_at) : null],
      ]),
      state.problem ? notice("warn", state.problem) : "",
      make("div", { class: "actions" }, isOn
        ? button(say("Stop telling my position"), () => choose("no"))
        : button(say("Tell dispatch my position"), () => choose("yes"))),
    );
  };
  draw();
  const timer = setInterval(draw, 30_000);
  const stopWatching = watchPositions(draw);
  return { element, stop: () => { clearInterval(timer); stopWatching(); } };
}
