/** The page of the map, and the map on other pages: the job's, and wherever a place is pointed at. */
import { button, facts, link, make, notice, showProblem, toast } from "./elements.js";
import { jobsNow, watchJobs } from "./local_state.js";
import { drawMap } from "./map_view.js";
import { watchDay } from "./day.js";
import { downloadPack, packOffer, packState, topology, watchPack } from "./pack.js";
import { deviceRow, valveRow } from "./pack_facts.js";
import { rowOf, textAt } from "./pack_format.js";
import { elsewhereText } from "./pack_sheet.js";
import { go } from "./router.js";
import { name, say, size } from "./words.js";

/** @typedef {import("./map_view.js").MapView} MapView */
/** @typedef {import("./map_view.js").Touched} Touched */
/** @typedef {import("./map_marks.js").Mark} Mark */
/** @typedef {{lon: number, lat: number}} Spot */

const POSITIONS = [() => say("open"), () => say("closed"), () => say("unknown")];
const OPERABILITIES = [() => say("yes"), () => say("no"), () => say("unknown")];

/**
 * The map on an element, as a job's page shows it.
 * @param {HTMLElement} element
 * @param {{marks?: Mark[], focus?: {lon?: number | null, lat?: number | null, zoom?: number} | null, track?: Spot[]}} [wish]
 * @returns {Promise<MapView>}
 */
export async function showMap(element, { marks = [], focus = null, track = [] } = {}) {
  const { map, sheet } = room(element);
  const at = typeof focus?.lon === "number" && typeof focus.lat === "number" ? { lon: focus.lon, lat: focus.lat, zoom: focus.zoom } : null;
  const view = await drawMap(map, { marks, track, focus: at, onTouch: (touched) => void tell(sheet, view, touched) });
  return view;
}

/**
 * Let somebody point at a place.
 * @param {HTMLElement} element
 * @param {{start?: Spot | null, onPick: (spot: Spot) => void}} wish
 * @returns {Promise<() => void>} ends it
 */
export async function pickOnMap(element, { start = null, onPick }) {
  const { map } = room(element);
  const jobs = (await jobsNow()) ?? [];
  const focus = start ?? jobs.find(({ lon, lat }) => typeof lon === "number" && typeof lat === "number") ?? null;
  const view = await drawMap(map, {
    focus: focus ? { lon: /** @type {number} */ (focus.lon), lat: /** @type {number} */ (focus.lat), zoom: 16.5 } : null,
    onPoint: (spot) => {
      view.pick(spot);
      onPick(spot);
    },
  });
  view.pick(start);
  return view.remove;
}

/** @param {HTMLElement} element */
function room(element) {
  const map = make("div", { class: "map-room" });
  const sheet = make("aside", { class: "map-sheet", hidden: true, "aria-live": "polite" });
  element.replaceChildren(map, sheet);
  return { map, sheet };
}

/**
 * The page: every job of the day, and the valves of those whose water is being stopped.
 * @param {HTMLElement} element
 * @param {Record<string, string>} params - lon and lat, or valve or pipe, of what to show
 */
export async function show(element, params) {
  element.classList.add("map-page");
  const top = make("div", { class: "map-top" }, make("h1", { class: "visually-hidden" }, say("Map")));
  const below = make("div", { class: "map-below" });
  element.replaceChildren(top, below);
  const marks = async () => ((await jobsNow()) ?? []).flatMap(marksOf);
  const view = await showMap(below, { marks: await marks(), focus: await find(params) });
  /** @type {string | null} */
  let said = null;
  const drawTop = async () => {
    const pack = await packState();
    const now = !pack ? "none" : pack.is_elsewhere ? pack.name || "whole" : "own";
    // What is being fetched goes on telling how far it is.
    if (now === said) return;
    said = now;
    top.querySelector(".map-offer")?.remove();
    if (!pack) top.append(offerPack());
    else if (pack.is_elsewhere) top.append(make("div", { class: "map-offer" }, notice("warn", elsewhereText(pack.name))));
  };
  await drawTop();
  const stops = [watchJobs(async () => view.setMarks(await marks())), watchPack(() => void drawTop()), watchDay(() => void drawTop())];
  return () => {
    for (const stop of stops) stop();
    view.remove();
  };
}

/**
 * The marks of a job: itself, and the valves of its outage as numbered discs.
 * @param {import("./local_state.js").JobNow} job
 * @returns {Mark[]}
 */
function marksOf(job) {
  /** @type {Mark[]} */
  const marks = [];
  const open = () => go(`#/job/${encodeURIComponent(job.id)}`);
  if (typeof job.lon === "number" && typeof job.lat === "number") {
    marks.push({ kind: "job", id: job.id, lon: job.lon, lat: job.lat, label: job.id, open });
  }
  for (const valve of job.outage?.valves ?? []) {
    if (valve.lon === null || valve.lat === null) continue;
    const { number, role, state, lon, lat } = valve;
    marks.push({ kind: "valve", id: valve.valve, number, role, state, lon, lat, label: valve.valve, open: () => go(`#/job/${encodeURIComponent(job.id)}?valve=${encodeURIComponent(valve.valve)}`) });
  }
  return marks;
}

/**
 * Where something of the pack is, as an address may ask.
 * @param {Record<string, string>} params
 */
async function find(params) {
  const [lon, lat] = [Number(params.lon), Number(params.lat)];
  if (params.lon && params.lat && Number.isFinite(lon) && Number.isFinite(lat)) return { lon, lat, zoom: 17 };
  for (const [kind, id] of [["device", params.valve], ["pipe", params.pipe]]) {
    const pack = id ? await topology() : null;
    const row = pack && id ? (kind === "pipe" ? rowOf(pack, "pipe_id", id) : valveRow(pack, id)) : -1;
    if (pack && row >= 0) return { lon: pack.columns[`${kind}_lon`][row], lat: pack.columns[`${kind}_lat`][row], zoom: 17 };
  }
  return null;
}

/** Say that there is no map, how large it is, and offer to fetch it. */
function offerPack() {
  const progress = make("p", { role: "status" }, "");
  const box = notice("warn", [make("p", {}, say("There is no map on this device yet: fetch it while there is a signal.")), progress]);
  packOffer().then(({ offer, bytes, kept_bytes }) => {
    if (!offer) progress.textContent = say("The map of the district is still being made: try again in a minute.");
    else progress.textContent = kept_bytes ? say("%(done)s of %(whole)s", { done: size(kept_bytes), whole: size(bytes) }) : size(bytes);
  }).catch(() => { progress.textContent = say("Its size is not known without a signal."); });
  const fetchIt = async () => {
    try {
      await downloadPack((done, whole) => { progress.textContent = say("%(done)s of %(whole)s", { done: size(done), whole: size(whole) }); });
      toast(say("The map is on this device."));
      go("#/map");
    } catch (error) {
      showProblem(error);
    }
  };
  return make("div", { class: "map-offer" }, box, make("div", { class: "actions" }, button(say("Fetch the map"), fetchIt)));
}

/**
 * Tell what the pack knows of what was touched.
 * @param {HTMLElement} sheet
 * @param {MapView} view
 * @param {Touched} touched
 */
async function tell(sheet, view, touched) {
  const { kind, id, lon, lat } = touched;
  view.pick({ lon, lat });
  const close = () => {
    sheet.hidden = true;
    view.pick(null);
  };
  const isValve = kind === "valve" || kind === "control_valve";
  sheet.dataset.kind = kind;
  sheet.dataset.id = id;
  sheet.hidden = false;
  const pack = await topology().catch(() => null);
  const rows = pack ? (kind === "pipe" ? pipeFacts(pack, id) : kind === "hydrant" || kind === "source" ? [] : deviceFacts(pack, kind, id)) : null;
  sheet.replaceChildren(
    make("h2", {}, `${titleOf(kind)} ${id}`),
    rows ? facts(rows) : notice("warn", say("What is recorded of it is not in the map on this device.")),
    make("div", { class: "actions" },
      button(say("Close"), close),
      isValve ? link(say("Something is wrong here"), `#/propose?feature=${encodeURIComponent(id)}`) : null),
  );
}

/** @param {string} kind */
const titleOf = (kind) => ({
  pipe: () => say("Pipe"), valve: () => say("Valve"), control_valve: () => say("Control valve"),
  pump: () => say("Pump"), hydrant: () => say("Hydrant"), source: () => say("Water source"),
}[kind] ?? (() => kind))();

/** @param {number} value */
const known = (value) => (Number.isNaN(value) ? null : String(value));

/**
 * @param {import("./pack_format.js").Pack} pack
 * @param {string} id
 * @returns {[string, string | null][] | null}
 */
function pipeFacts(pack, id) {
  const row = rowOf(pack, "pipe_id", id);
  if (row < 0) return null;
  const { pipe_diameter_mm: diameter, pipe_length_m: length, pipe_is_open: isOpen } = pack.columns;
  return [
    [say("Diameter"), `DN ${diameter[row]}`],
    [say("Pipe material"), name("material", textAt(pack, "pipe_material", row)) || null],
    [say("Laid"), textAt(pack, "pipe_laid_on", row) || null],
    [say("Length"), say("%(n)s m", { n: Math.round(length[row]) })],
    [say("State"), isOpen[row] ? say("open") : say("closed")],
  ];
}

/**
 * @param {import("./pack_format.js").Pack} pack
 * @param {string} table
 * @param {string} id
 * @returns {[string, string | null][] | null}
 */
function deviceFacts(pack, table, id) {
  const row = deviceRow(pack, table, id);
  if (row < 0) return null;
  const { device_position: position, device_operability: operability, device_reachable: reachable, device_turns: turns,
    device_closes: closes, device_diameter_mm: diameter, device_boundary: boundary, device_is_assumed: isAssumed, device_kind: kind } = pack.columns;
  if (kind[row] === 1) return [[say("State"), pack.columns.device_is_open[row] ? say("running") : say("stopped")]];
  const stands = POSITIONS[position[row]]();
  const direction = [null, say("clockwise"), say("anticlockwise")][closes[row]];
  return [
    [say("Position"), isAssumed[row] ? say("%(position)s (assumed)", { position: stands }) : stands],
    [say("Can be worked"), OPERABILITIES[operability[row]]()],
    [say("Can be reached"), reachable[row] ? say("yes") : say("no")],
    [say("Turns to close"), known(turns[row])],
    [say("Closes"), direction],
    [say("Diameter"), known(diameter[row]) && `DN ${known(diameter[row])}`],
    [say("Boundary valve"), boundary[row] ? say("yes") : say("no")],
    [say("Type"), textAt(pack, "device_type", row) || null],
  ];
}
