/** Anything seen on the way is registered at once, with photo and place; signal or not. */
import { button, card, choiceField, link, make, notice, photoField, primary, readFields, textField, whereMark, yesNoField } from "./elements.js";
import { gpxField } from "./gpx.js";
import { enqueue, listOps, makeId, onOutboxChange } from "./outbox.js";
import { keepPhoto } from "./photos.js";
import { placeField } from "./place_field.js";
import { age, clock, say } from "./words.js";

/** What crews come across, the most frequent first; the words are the glossary's. @returns {[string, string][]} */
const kinds = () => [
  ["visible_leak", say("visible leak")],
  ["surfacing", say("water surfacing")],
  ["burst", say("burst")],
  ["leak", say("leak")],
  ["third_party_damage", say("third-party damage")],
  ["collapse", say("road collapse")],
  ["valve_fault", say("valve fault")],
  ["cover_defect", say("cover missing/damaged")],
  ["no_water", say("no water")],
  ["discoloured", say("discoloured/turbid water")],
  ["other", say("something else")],
];
const SHOWN = 20;

/**
 * @param {HTMLElement} element
 * @param {Record<string, string>} [params] - kind, and lon and lat from a click on the map
 * @returns {() => void}
 */
export function show(element, params = {}) {
  const sent = make("div", { class: "registered" });
  const form = make("div", {});
  const begin = () => form.replaceChildren(makeForm(params, async (/** @type {string} */ word) => {
    begin();
    element.querySelector("h1")?.scrollIntoView();
    form.prepend(notice("good", say("%(kind)s: on this device. It is sent as soon as there is a signal.", { kind: word })));
    await list();
  }));
  const list = () => fillSent(sent);
  const gpx = gpxField();
  element.replaceChildren(
    make("h1", {}, say("Register what you see")),
    form,
    card([make("h2", {}, say("Registered on this device")), sent], { class: "registered-here" }),
    card([make("h2", {}, say("Something else")),
      make("div", { class: "actions" }, link(say("Report a mistake on the map"), "#/propose")),
      make("h3", {}, say("Import a track (GPX)")), gpx.element], { class: "more" }),
  );
  begin();
  void list();
  const stop = onOutboxChange(() => void list());
  return () => {
    stop();
    gpx.stop();
  };
}

/**
 * @param {Record<string, string>} params
 * @param {(word: string) => Promise<void>} done
 */
function makeForm(params, done) {
  const words = Object.fromEntries(kinds());
  const kind = choiceField({ name: "kind", label: say("What is it?"), is_required: true, options: kinds(), value: params.kind ?? null });
  const call = make("div", { class: "call-now", hidden: true }, notice("warn", say("Call dispatch now: nobody reads this before it is sent.")));
  const danger = yesNoField({ name: "danger", label: say("Is anybody in danger?"), is_required: true, onChange: () => { call.hidden = danger.value() !== true; } });
  const place = placeField({ name: "place", label: say("Where is it?"), value: spotOf(params) });
  const address = textField({ name: "address", label: say("Address or landmark"), help: say("Say at least one of both: a place or words.") });
  const note = textField({ name: "words", label: say("What do you see?"), rows: 3 });
  const photos = photoField({ name: "photos", label: say("Photos"), keep: keepPhoto });
  const fields = [kind, danger, place, address, note, photos];
  const notes = make("div", {});
  const save = async () => {
    const values = readFields(fields, notes);
    if (!values) return;
    if (!values.place && !values.address) {
      notes.replaceChildren(make("p", { class: "wrong", role: "alert" }, say("Say at least one of both: a place or words.")));
      return;
    }
    const hashes = values.photos ?? [];
    await enqueue({
      subject: `report:new-${makeId()}`,
      action: "register",
      photos: hashes,
      body: {
        kind: values.kind, channel: "crew", danger: values.danger,
        ...(values.place ? { lon: values.place.lon, lat: values.place.lat } : {}),
        ...(values.address ? { address: values.address } : {}),
        ...(values.words ? { words: values.words } : {}),
        ...(hashes.length ? { photo_sha256: hashes } : {}),
      },
    });
    await done(words[values.kind] ?? values.kind);
  };
  danger.element.append(call);
  return card([...fields.map(({ element }) => element), notes, make("div", { class: "actions" }, primary(say("Register"), save))],
    { class: "register-form", label: say("Register what you see") });
}

/**
 * A place that the address of the page names.
 * @param {Record<string, string>} params
 * @returns {import("./place_field.js").Spot | null}
 */
export function spotOf(params) {
  const lon = Number.parseFloat(params.lon ?? "");
  const lat = Number.parseFloat(params.lat ?? "");
  if (!(Math.abs(lon) <= 180 && Math.abs(lat) <= 90)) return null;
  return { lon, lat, accuracy_m: null, at: null };
}

/** The number that the server gave to it. @param {import("./outbox.js").Op} op @returns {string | null} */
const numberOf = (op) => /** @type {any} */ (op.answer)?.id ?? null;

/** @param {HTMLElement} element */
async function fillSent(element) {
  const words = Object.fromEntries(kinds());
  const ops = (await listOps()).filter(({ subject, action }) => subject.startsWith("report:new-") && action === "register");
  const rows = ops.slice(-SHOWN).reverse().map((op) => make("li", { "data-op": op.op_id, "data-report": numberOf(op) },
    make("strong", {}, words[String(op.body.kind)] ?? String(op.body.kind)), " ", numberOf(op), " ",
    make("span", { class: "help" }, `${clock(op.occurred_at)} (${age(op.occurred_at)})`), " ", whereMark(op.state, op.answered_at),
    op.state === "needs_you" ? button(say("See what is wrong"), () => { location.hash = "#/outbox"; }) : null));
  element.replaceChildren(rows.length ? make("ul", { class: "plain-list" }, rows) : make("p", {}, say("Nothing has been registered on this device of late.")));
}
