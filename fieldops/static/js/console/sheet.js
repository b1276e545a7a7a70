/** What is open in the drawer: an incident, a work order, an outage or a crew, as known now. */
import { ask, Problem } from "../map/api.js";
import { isDrawerOpen, setDrawerState, showDrawer } from "../map/drawer.js";
import { find, make } from "../map/elements.js";
import { areVisible, goTo } from "../map/map_view.js";
import { say } from "../map/words.js";
import { viewCrew, viewIncident } from "./incident_view.js";
import { refreshMoments } from "./moments.js";
import { viewOrder } from "./order_view.js";
import { viewOutage } from "./outage_view.js";

/** @typedef {import("../../vendor/maplibre-gl.mjs").Map} Map */
/** @typedef {import("./board.js").Board} Board */
/** @typedef {import("./hands.js").Hands} Hands */
/** @typedef {import("./hands.js").Thing} Thing */
/** @typedef {import("./order_view.js").Why} Why */
/** @typedef {import("./order_view.js").NoWhy} NoWhy */

/**
 * Where a thing of the board is.
 * @param {Board | null} board
 * @param {{kind: string, id: string}} thing
 */
export function placeOfThing(board, { kind, id }) {
  const thing = kind === "incident" ? board?.incidents.find((one) => one.id === id)
    : kind === "order" ? board?.orders.find((one) => one.id === id)
      : kind === "crew" ? board?.crews.find((one) => one.id === id) : null;
  return thing && thing.lon !== null && thing.lat !== null ? { lon: thing.lon, lat: thing.lat } : null;
}

/**
 * Say in the drawer that something could not be read.
 * @param {unknown} error
 * @param {() => void} again
 */
export function failDrawer(error, again) {
  if (!(error instanceof Problem)) throw error;
  setDrawerState("failed");
  showDrawer(find("drawer-title").textContent ?? "", [
    make("div", { class: "verdict loud", role: "alert" }, make("strong", {}, say("no-answer-shown")), make("p", {}, error.message)),
    make("button", { type: "button", class: "primary", "data-focus": "again", click: again }, say("try-again")),
  ]);
}

/**
 * Show it, unless that is what is shown: nothing may move under a hand that is about to press it.
 * @param {string} title
 * @param {Node[]} content
 */
function render(title, content) {
  const frame = make("div", {}, ...content);
  refreshMoments(frame);
  const isShown = isDrawerOpen() && find("drawer-title").textContent === title && find("drawer-body").innerHTML === frame.innerHTML;
  if (!isShown) showDrawer(title, content);
  setDrawerState("shown");
}

/**
 * @param {{map: Map, board: () => Board | null, picture: ReturnType<typeof import("./picture.js").makePicture>, hands: () => Hands}} page
 */
export function makeSheet({ map, board, picture, hands }) {
  /** @type {Thing | null} */
  let thing = null;
  /** @type {globalThis.Map<string, Why | NoWhy>} */
  const whys = new globalThis.Map();
  /** The board's position when candidates were last asked for. */
  let whyAt = -1;

  /** @param {Thing} wanted */
  function open(wanted) {
    const isNew = thing?.id !== wanted.id;
    thing = wanted;
    if (wanted.kind === "order" && isNew) askWhy(wanted.id);
    if (wanted.kind === "outage") {
      const detail = picture.detail(wanted.id);
      if (!detail) picture.read(wanted.id);
      else if (isNew) goTo(map, picture.placesOfOutage(detail));
    }
    show();
    const place = placeOfThing(board(), wanted);
    if (isNew && place && !areVisible(map, [place])) goTo(map, [place]);
  }

  /** Draw what is open anew, from what is known now. */
  function show() {
    const now = board();
    if (!thing || !now) return;
    const { kind, id } = thing;
    if (kind === "outage") return showOutage(id);
    const order = kind === "order" && now.orders.find((one) => one.id === id);
    const incident = kind === "incident" && now.incidents.find((one) => one.id === id);
    const crew = kind === "crew" && now.crews.find((one) => one.id === id);
    if (order) render(`${order.id} ${say(`job.${order.kind}`)}`, viewOrder(order, now, whys.get(id) ?? "loading", hands()));
    else if (incident) render(`${incident.id} ${say(`incident.${incident.kind}`)}`, viewIncident(incident, now, hands()));
    else if (crew) render(`${crew.id} ${crew.name}`, viewCrew(crew, now, hands()));
    else {
      render(id, [make("p", {}, say("no-longer-open", { id })),
        kind === "order" && make("a", { class: "button", href: `/orders/${encodeURIComponent(id)}` }, say("order-page"))].filter((part) => part instanceof Node));
    }
  }

  /** @param {string} id */
  function showOutage(id) {
    const detail = picture.detail(id);
    if (detail) {
      render(say("outage", { id }), viewOutage(detail, hands()));
    } else {
      setDrawerState("loading");
      showDrawer(say("outage", { id }), [make("p", { role: "status" }, say("working-out"))]);
    }
  }

  /** @param {string} id - of a work order */
  async function askWhy(id) {
    whyAt = board()?.position ?? -1;
    try {
      whys.set(id, await ask(`/api/v1/orders/${encodeURIComponent(id)}/candidates`));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      whys.set(id, error.status === 409 ? { nobody: error.message } : { problem: error.message });
    }
    if (thing?.id === id) show();
  }

  return {
    open,
    askWhy,
    thing: () => thing,
    forget: () => { thing = null; },
    /** @param {Board} now */
    boardChanged(now) {
      show();
      if (thing?.kind === "order" && now.position > whyAt) askWhy(thing.id);
    },
    /** @param {import("./outage_view.js").Detail} outage */
    outageKnown(outage) { if (thing?.kind === "outage" && thing.id === outage.id) show(); },
    /** @param {string} id @param {Problem} problem */
    outageLost(id, problem) { if (thing?.id === id && !picture.detail(id)) failDrawer(problem, () => picture.read(id)); },
  };
}
