/** The dispatcher's console: one queue, one map, one drawer, and what happens meanwhile. */
import { ask } from "../map/api.js";
import { announce, closeDrawer, isDrawerOpen, setDrawerState, showDrawer } from "../map/drawer.js";
import { find, make } from "../map/elements.js";
import { followFacts, isRedrawn } from "../map/facts.js";
import { listenToKeys } from "../map/keys.js";
import { areVisible, goTo, makeMap } from "../map/map_view.js";
import { followConnection, raise, settle } from "../map/notice.js";
import { page } from "../map/page_data.js";
import { pick } from "../map/pick.js";
import { askPlaces } from "../map/places.js";
import { makeStyle } from "../map/style.js";
import { viewValve } from "../map/valve_view.js";
import { knows, say } from "../map/words.js";
import { makeBoard } from "./board.js";
import { showAttention } from "./attention.js";
import { fillHelp, makeCommandBar } from "./command_bar.js";
import { refuse, undoNow } from "./deed.js";
import { makeDesk } from "./desk.js";
import { follow } from "./live.js";
import { clockOf, refreshMoments } from "./moments.js";
import { makeOverlay, OVERLAY_LAYERS, OVERLAY_SOURCES, pickThing } from "./overlay.js";
import { toSend } from "./order_view.js";
import { makePicture } from "./picture.js";
import { makePreview } from "./preview.js";
import { makeQueue, placeOf } from "./queue.js";
import { failDrawer, makeSheet, placeOfThing } from "./sheet.js";
import { makeStatus, showCounts } from "./status.js";

/** @typedef {import("./board.js").Board} Board */
/** @typedef {import("./board.js").Order} Order */
/** @typedef {import("./hands.js").Hands} Hands */
/** @typedef {import("./hands.js").Thing} Thing */

const LOOK_AGAIN_MS = 30_000;

const map = makeMap(makeStyle(OVERLAY_SOURCES, OVERLAY_LAYERS));
const overlay = makeOverlay(map);
const status = makeStatus();
let isMapReady = false;

const board = makeBoard({
  changed: showBoard,
  failed(problem) {
    const frame = find("queue-frame");
    frame.setAttribute("aria-busy", "false");
    const known = board.current();
    frame.dataset.boardState = known ? "stale" : "failed";
    find("board-state").replaceChildren(known ? say("board-old", { time: clockOf(known.now), problem: problem.message }) : say("board-failed", { problem: problem.message }),
      " ", make("button", { type: "button", click: board.read }, say("try-again")));
  },
});

const desk = makeDesk({
  board: board.current,
  changed: board.read,
  outageChanged: (id) => { picture.read(id); board.read(); },
});

const picture = makePicture(map, {
  known: (outage) => sheet.outageKnown(outage),
  lost: (id, problem) => sheet.outageLost(id, problem),
});

const sheet = makeSheet({ map, board: board.current, picture, hands: () => hands });

const preview = makePreview(map, picture, {
  openOutage: (plan) => { openOutageHere(plan); },
  openIncident: (plan) => { openIncidentHere(plan); },
  fail: failDrawer,
});

/** @type {Hands} */
const hands = {
  ...desk,
  open,
  show: ({ lon, lat }) => { if (lon !== null && lat !== null) goTo(map, [{ lon, lat }]); },
  askWhy: (id) => { sheet.askWhy(id); },
  askOutageAgain: (id) => { picture.read(id); },
  async openOutageOf(incident) {
    await desk.openOutageOf(incident);
  },
  criticalName: (id) => {
    const what = picture.place(`customer ${id}`)?.facts.critical;
    return what ? `${knows(`critical.${what}`) ? say(`critical.${what}`) : what} ${id}` : id;
  },
  showValve: async (id) => {
    const place = picture.place(`valve ${id}`) ?? (await askPlaces([["valve", id]])).get(`valve ${id}`);
    if (place) goTo(map, [place], 18);
  },
};

const queue = makeQueue({
  selected(item) {
    const thing = find(`${item.kind}-${item.id}`);
    announce(thing.textContent ?? "");
    if (isMapReady) overlay.show(/** @type {Board} */ (board.current()), item.id);
    const place = placeOfThing(board.current(), item);
    if (place && !areVisible(map, [place])) goTo(map, [place], map.getZoom());
    if (sheet.thing() && isDrawerOpen()) open(item);
  },
  opened: open,
});

/** @param {Board} now */
function showBoard(now) {
  const frame = find("queue-frame");
  frame.setAttribute("aria-busy", "false");
  const isEmpty = now.incidents.length === 0 && now.orders.length === 0;
  frame.dataset.boardState = isEmpty ? "empty" : "shown";
  find("board-state").textContent = isEmpty ? say("board-empty", { time: clockOf(now.now) }) : "";
  showCounts(now);
  showAttention(now, desk.readLateFact);
  if (now.last_event_at) status.happened(now.last_event_at);
  queue.show(now);
  if (isMapReady) {
    overlay.show(now, queue.selected()?.id ?? null);
    picture.follow(now);
  }
  sheet.boardChanged(now);
}

/** @param {Thing} thing */
function open(thing) {
  preview.close();
  sheet.open(thing);
}

/** @param {import("../map/plan_view.js").Plan} plan */
async function openOutageHere({ question }) {
  const now = board.current();
  const incident = now?.incidents.find(({ pipe }) => pipe === question.pipe) ?? null;
  const id = await desk.startOutage({ pipe: question.pipe, at_m: question.at_m }, incident);
  if (id) open({ kind: "outage", id });
}

/** @param {import("../map/plan_view.js").Plan} plan */
async function openIncidentHere(plan) {
  const id = await desk.startIncident(plan);
  if (!id) return;
  queue.select({ kind: "incident", id });
  open({ kind: "incident", id });
}

function close() {
  sheet.forget();
  preview.close();
  return closeDrawer();
}

/** @param {{x: number, y: number}} point */
function choose(point) {
  const thing = pickThing(map, point);
  if (thing) {
    if (thing.kind === "incident" || thing.kind === "order") queue.select({ kind: thing.kind, id: thing.id });
    return open(thing);
  }
  const picked = pick(map, point);
  if (!picked) return;
  if (picked.kind === "valve") return openValve(picked.id);
  sheet.forget();
  preview.answer({ pipe: picked.id, at_m: null, click: picked, supposed: new Map() }, { part: picked.key });
}

/** @param {string} id */
async function openValve(id) {
  const outage = board.current()?.outages.map(({ id: one }) => picture.detail(one)).find((detail) => detail?.valves.some(({ valve }) => valve === id));
  if (outage) return open({ kind: "outage", id: outage.id });
  try {
    const place = (await askPlaces([["valve", id]])).get(`valve ${id}`);
    if (!place) return refuse(say("nothing-found", { text: id }));
    sheet.forget();
    preview.close();
    showDrawer(say("valve", { id }), viewValve(place, { suppose() {}, show() {}, showAll() {}, record() {} }, (pipe, at_m) =>
      preview.answer({ pipe, at_m, click: null, supposed: new Map() })));
    setDrawerState("shown");
  } catch (error) {
    failDrawer(error, () => openValve(id));
  }
}

/** @returns {Order | null} the selected order, or the selected incident's first that waits for a crew */
function orderAtHand() {
  const now = board.current();
  const item = queue.selected();
  if (!now || !item) return null;
  if (item.kind === "order") return now.orders.find(({ id }) => id === item.id) ?? null;
  const waiting = now.orders.filter(({ incident, crew }) => incident === item.id && !crew);
  return waiting.find(({ id }) => now.suggestions.some(({ order }) => order === id)) ?? waiting[0] ?? null;
}

/** @param {Order | null} order */
function assignSuggested(order) {
  const now = board.current();
  if (!order || !now) return refuse(say("nothing-selected"));
  const suggestion = now.suggestions.find((one) => one.order === order.id);
  if (order.crew && !toSend(order, suggestion)) return refuse(say("has-a-crew", { id: order.id, crew: order.crew }));
  if (!suggestion) return refuse(say("no-suggestion-for", { id: order.id, place: placeOf(order) }));
  desk.assign(order, suggestion.crew);
}

/** @param {import("./commands.js").Command} command */
function run({ name, args, rest }) {
  const now = board.current();
  if (name === "help") return showHelp();
  const [first, second] = args;
  const order = now?.orders.find(({ id }) => id === first) ?? null;
  const crew = now?.crews.find(({ id }) => id.toLowerCase() === (second ?? first ?? "").toLowerCase());
  if (["assign", "why", "hold", "resume"].includes(name)) {
    if (!order) return refuse(say("nothing-found", { text: first }));
    queue.select({ kind: "order", id: order.id });
    if (name === "assign") return second ? crew ? desk.assign(order, crew.id, { reason: rest }) : refuse(say("nothing-found", { text: second })) : assignSuggested(order);
    if (name === "hold") return desk.hold(order, rest);
    if (name === "resume") return desk.resume(order);
    return open({ kind: "order", id: order.id });
  }
  const incident = now?.incidents.find(({ id }) => id === first);
  const outage = now?.outages.find(({ id }) => id === first);
  if (name === "close" && outage) {
    open({ kind: "outage", id: outage.id });
    ask(`/api/v1/outages/${encodeURIComponent(outage.id)}?keys=1`).then(desk.endOutage, (error) => failDrawer(error, () => open({ kind: "outage", id: outage.id })));
  } else if (name === "close" && incident) desk.closeIncident(incident);
  else if (order) { queue.select({ kind: "order", id: order.id }); open({ kind: "order", id: order.id }); }
  else if (incident) { queue.select({ kind: "incident", id: incident.id }); open({ kind: "incident", id: incident.id }); }
  else if (crew) open({ kind: "crew", id: crew.id });
  // An outage that is new or over is not on the board, and can be read all the same.
  else if (outage || /^O-\d+$/.test(first)) open({ kind: "outage", id: first });
  else refuse(say("nothing-found", { text: first }));
}

const bar = makeCommandBar({
  board: board.current,
  run,
  found(place) {
    if (place.kind === "pipe") preview.answer({ pipe: place.id, at_m: null, click: { lon: place.lon, lat: place.lat }, supposed: new Map() }, { move: true }).then(() => find("drawer-title").focus());
    else { goTo(map, [place]); if (place.kind === "valve") openValve(place.id); announce(`${say(`kind.${place.kind}`)} ${place.id} ${place.label}`); }
  },
});

function showHelp() {
  fillHelp();
  /** @type {HTMLDialogElement} */ (find("help")).showModal();
}

/** Whether Enter belongs to what has the focus. */
const isOnSomething = () => document.activeElement instanceof HTMLElement
  && document.activeElement.matches("a, button, summary, select, canvas, [data-focus]");

listenToKeys({
  j: () => queue.move(1),
  k: () => queue.move(-1),
  Enter: () => {
    const item = queue.selected();
    if (isOnSomething() || !item) return false;
    open(item);
    find("drawer-title").focus();
    return true;
  },
  "/": bar.focus,
  a: () => assignSuggested(orderAtHand()),
  u: () => { if (!undoNow()) refuse(say("nothing-to-undo")); },
  "?": showHelp,
  Escape: () => { if (!bar.leave()) close(); },
});

map.on("click", (event) => choose(event.point));
let isPointing = false;
map.on("mousemove", ({ point }) => {
  if (isPointing || map.isMoving()) return;
  isPointing = true;
  requestAnimationFrame(() => {
    isPointing = false;
    map.getCanvas().style.cursor = pickThing(map, point) || pick(map, point) ? "pointer" : "";
  });
});
map.on("error", ({ error }) => {
  if (/** @type {any} */ (error).status === 404) return;
  raise("tiles", say("tiles-failed"), { action: say("reload"), act: () => location.reload() });
});
map.on("load", () => {
  isMapReady = true;
  const now = board.current();
  if (now) showBoard(now);
});
map.getCanvas().addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing) return;
  const { clientWidth: width, clientHeight: height } = map.getCanvas();
  choose({ x: width / 2, y: height / 2 });
});

const lookAtFacts = followFacts(map, {
  moved: (state) => {
    settle("failed");
    if (isRedrawn(state)) raise("tiles", say("redrawn"), { action: say("reload"), act: () => location.reload() });
  },
  lost: (problem) => raise("failed", problem.status ? problem.message : say("facts-lost")),
});

find("drawer-close").addEventListener("click", close);
find("help-button").addEventListener("click", showHelp);
setInterval(() => { refreshMoments(find("queue")); refreshMoments(find("drawer")); }, 1000);
// Minutes are lost and limits come nearer though nothing happens.
setInterval(() => {
  const thing = sheet.thing();
  if (document.visibilityState !== "visible") return;
  if (thing?.kind === "outage" && isDrawerOpen()) picture.read(thing.id);
  else board.read();
}, LOOK_AGAIN_MS);
if (matchMedia("(max-width: 90rem)").matches) find("legend").removeAttribute("open");
followConnection();
if (page.extent === null) raise("empty", say("empty-ask"));

board.read().then(() => follow(board.current()?.position ?? 0, {
  alive: status.alive,
  opened: (isResumed) => { if (isResumed || !board.current()) board.read(); },
  happened: (happening) => {
    status.happened(happening.at);
    const { kind, body } = happening;
    // An outage's own plan need not wait for the board.
    if (kind.startsWith("outage.") && isMapReady) {
      picture.hear(happening);
      if (kind.startsWith("outage.valve_")) lookAtFacts();
      picture.read(body.id, body.version);
    }
    board.hear(happening);
  },
  lost: status.lost,
  restarted: board.restart,
}));
