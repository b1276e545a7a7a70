/** What is drawn wrong on the map: told with place and photo, and decided by a person. */
import { badge, button, card, choiceField, make, notice, numberField, photoField, primary, readFields, textField, whereMark, yesNoField } from "./elements.js";
import { day, watchDay } from "./day.js";
import { metresBetween } from "./here.js";
import { enqueue, listOps, makeId, onOutboxChange } from "./outbox.js";
import { load } from "./parts.js";
import { keepPhoto } from "./photos.js";
import { placeField } from "./place_field.js";
import { spotOf } from "./register.js";
import { age, clock, distance, say } from "./words.js";

/** @returns {[string, string][]} */
const kinds = () => [
  ["moved", say("The valve is somewhere else")],
  ["missing", say("A valve is not drawn")],
  ["not_there", say("The valve is not there")],
  ["wrong_fact", say("A fact is recorded wrong")],
];
const SHOWN = 20;

/**
 * @param {HTMLElement} element
 * @param {Record<string, string>} [params] - kind, feature, order, lon and lat
 * @returns {() => void}
 */
export function show(element, params = {}) {
  const told = make("div", { class: "proposals" });
  const form = make("div", {});
  const list = () => fillTold(told);
  const begin = (/** @type {Record<string, string>} */ given) => form.replaceChildren(makeForm(given, async () => {
    begin({});
    element.querySelector("h1")?.scrollIntoView();
    form.prepend(notice("good", say("Your proposal is on this device. It is sent as soon as there is a signal, and a person decides.")));
    await list();
  }));
  element.replaceChildren(
    make("h1", {}, say("Report a mistake on the map")),
    make("p", {}, say("The map changes only when a person approves what you saw.")),
    form,
    card([make("h2", {}, say("What became of my proposals")), told], { class: "proposals-here" }),
  );
  begin(params);
  void list();
  const stops = [onOutboxChange(() => void list()), watchDay(() => void list())];
  return () => { for (const stop of stops) stop(); };
}

/**
 * @param {Record<string, string>} params
 * @param {() => Promise<void>} done
 */
function makeForm(params, done) {
  const kind = choiceField({ name: "kind", label: say("What is wrong?"), is_required: true, options: kinds(), value: params.kind ?? null, onChange: () => draw() });
  const feature = textField({ name: "feature", label: say("Number of the valve or pipe"), is_required: true, value: params.feature ?? "", help: say("As it stands on the map or on its card."), onChange: () => void compare() });
  const isPipe = choiceField({ name: "feature_kind", label: say("Of which"), is_required: true, value: "valve", options: [["valve", say("valve")], ["pipe", say("pipe")]], onChange: () => { draw(); void compare(); } });
  const place = placeField({ name: "place", label: say("Where is it really?"), is_required: true, value: spotOf(params), help: say("Stand beside it and wait until the device is sure."), onChange: () => void compare() });
  const facts = {
    turns: numberField({ name: "turns", label: say("turns"), min: 0, max: 10000, step: 1 }),
    closes: choiceField({ name: "closes", label: say("direction of closing"), options: [["clockwise", say("clockwise")], ["anticlockwise", say("anticlockwise")]] }),
    position: choiceField({ name: "position", label: say("open/closed state"), options: [["open", say("open")], ["closed", say("closed")]] }),
    operability: choiceField({ name: "operability", label: say("operability"), options: [["operable", say("operable")], ["inoperable", say("inoperable")]] }),
    reachable: yesNoField({ name: "reachable", label: say("reachable") }),
    diameter_mm: numberField({ name: "diameter_mm", label: say("nominal diameter"), unit: "mm", min: 1, max: 10000, step: 50 }),
    material: textField({ name: "material", label: say("material") }),
  };
  const note = textField({ name: "note", label: say("What do you see?"), rows: 3, value: params.note ?? "" });
  const photos = photoField({ name: "photos", label: say("Photos"), keep: keepPhoto });
  const notes = make("div", {});
  const body = make("div", {});
  const known = make("div", { class: "as-drawn", role: "status" });
  feature.element.append(known);
  /** Say beside the number where the map on this device has it. */
  const compare = async () => {
    const asked = feature.value();
    const said = asked && (await drawnAt(isPipe.value() === "pipe" && kind.value() === "wrong_fact" ? "pipe" : "device", asked));
    if (asked !== feature.value()) return;
    known.replaceChildren(...(said ? [explain(said, kind.value() === "moved" ? place.value() : null)] : []));
  };

  /** The fields that a kind asks for; nothing is asked that does not belong to it. */
  const wanted = () => {
    const chosen = kind.value();
    if (chosen === null) return [kind];
    const ofPipe = [facts.diameter_mm, facts.material];
    const ofValve = [facts.turns, facts.closes, facts.position, facts.operability, facts.reachable, facts.diameter_mm];
    const factFields = chosen === "wrong_fact" ? [isPipe, feature, ...(isPipe.value() === "pipe" ? ofPipe : ofValve)] : [];
    return [
      kind,
      ...(chosen === "moved" || chosen === "not_there" ? [feature] : []),
      ...(chosen === "moved" || chosen === "missing" ? [place] : []),
      ...factFields, note, photos,
    ];
  };
  const draw = () => body.replaceChildren(...wanted().map(({ element }) => element));
  const save = async () => {
    const values = readFields(wanted(), notes);
    if (!values) return;
    const { kind: chosen, feature: named, feature_kind = "valve", place: spot, note: words, photos: hashes = [], ...said } = values;
    if (chosen === "wrong_fact" && !Object.keys(said).length && !words) {
      notes.replaceChildren(make("p", { class: "wrong", role: "alert" }, say("Say what is wrong.")));
      return;
    }
    const revision = await geometryRevision();
    await enqueue({
      subject: `map_proposal:${makeId()}`,
      action: "propose",
      photos: hashes,
      body: {
        kind: chosen,
        feature_kind,
        ...(named ? { feature: named } : {}),
        ...(spot ? { lon: spot.lon, lat: spot.lat, ...(spot.accuracy_m === null ? {} : { accuracy_m: spot.accuracy_m }) } : {}),
        ...(Object.keys(said).length ? { facts: said } : {}),
        ...(words ? { note: words } : {}),
        ...(hashes.length ? { photo_sha256: hashes } : {}),
        ...(params.order ? { order: params.order } : {}),
        ...(revision === null ? {} : { geometry_revision: revision }),
      },
    });
    await done();
  };
  draw();
  void compare();
  return card([body, notes, make("div", { class: "actions" }, primary(say("Propose"), save))],
    { class: "propose-form", label: say("Report a mistake on the map") });
}

/**
 * Where the map on this device has something; null where there is no map to ask.
 * @param {"device" | "pipe"} kind
 * @param {string} id
 * @returns {Promise<{lon: number, lat: number} | "unknown" | null>}
 */
async function drawnAt(kind, id) {
  const [pack, format, known] = await Promise.all([load("pack"), load("pack_format"), load("pack_facts")]);
  const topology = await pack?.topology?.().catch(() => null);
  if (!topology || !format || !known) return null;
  const row = kind === "pipe" ? format.rowOf(topology, "pipe_id", id) : known.valveRow(topology, id);
  return row < 0 ? "unknown" : { lon: topology.columns[`${kind}_lon`][row], lat: topology.columns[`${kind}_lat`][row] };
}

/**
 * @param {{lon: number, lat: number} | "unknown"} drawn
 * @param {{lon: number, lat: number} | null} place
 */
function explain(drawn, place) {
  if (drawn === "unknown") return notice("warn", say("The map on this device has nothing of this number. You may propose it all the same."));
  if (!place) return notice("good", say("The map on this device has it."));
  return notice("good", say("%(distance)s from where it is drawn.", { distance: distance(metresBetween(drawn, place)) }));
}

/** Of the map that the person had before their eyes; null where there is none on this device. */
async function geometryRevision() {
  const pack = await load("pack");
  const state = await pack?.packState?.().catch(() => null);
  return typeof state?.geometry_revision === "number" ? state.geometry_revision : null;
}

/** @param {HTMLElement} element */
async function fillTold(element) {
  const words = Object.fromEntries(kinds());
  const ops = (await listOps()).filter(({ subject, action }) => subject.startsWith("map_proposal:") && action === "propose");
  /** @type {any[]} */
  const outcomes = /** @type {any} */ (day())?.map_proposals ?? [];
  const known = new Set(outcomes.map(({ client_id }) => `map_proposal:${client_id}`));
  const waiting = ops.filter(({ subject }) => !known.has(subject)).slice(-SHOWN).reverse().map((op) => make("li", { "data-op": op.op_id },
    make("strong", {}, words[String(op.body.kind)] ?? ""), " ", String(op.body.feature ?? ""), " ",
    make("span", { class: "help" }, `${clock(op.occurred_at)} (${age(op.occurred_at)})`), " ", whereMark(op.state, op.answered_at),
    op.state === "needs_you" ? button(say("See what is wrong"), () => { location.hash = "#/outbox"; }) : null));
  const decided = outcomes.map((one) => make("li", { "data-proposal": one.id, "data-status": one.status },
    make("strong", {}, words[one.kind] ?? one.kind), " ", one.feature ?? "", " ", one.id, " ", statusBadge(one.status, one.is_map_changed !== false),
    one.decided_by ? make("span", { class: "help" }, ` ${one.decided_by} ${clock(one.decided_at)}`) : null,
    one.reason ? make("p", {}, one.reason) : null));
  element.replaceChildren(waiting.length || decided.length
    ? make("ul", { class: "plain-list" }, waiting, decided)
    : make("p", {}, say("You have proposed nothing of late.")));
}

/**
 * @param {string} status
 * @param {boolean} isMapChanged
 */
function statusBadge(status, isMapChanged) {
  if (status === "approved") return badge(isMapChanged ? say("approved, map changed") : say("approved, map unchanged"), "good");
  if (status === "rejected") return badge(say("rejected"), "wrong");
  return status === "withdrawn" ? badge(say("taken back")) : badge(say("waits for a decision"), "info");
}
