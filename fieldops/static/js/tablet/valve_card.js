/** One valve of a job: what is known of it, and what the crew finds as it closes it or opens it again. */
import { badge, button, choiceField, confirm, facts, link, make, notice, numberField, primary, readFields, textField, toast, whereMark, yesNoField } from "./elements.js";
import { findStep, isShut, isStuck, shutBy, toClose } from "./job_state.js";
import { recordDeed } from "./local_state.js";
import { photoOf } from "./needs_form.js";
import { askRelease } from "./opening.js";
import { go } from "./router.js";
import { session } from "./session.js";
import { jobRoute, valveRoute } from "./valve_route.js";
import { clock, name, say, valveState } from "./words.js";

/** @typedef {import("./job_state.js").JobNow} JobNow */
/** @typedef {import("./job_state.js").OutageNow} OutageNow */
/** @typedef {import("./job_state.js").ValveNow} ValveNow */
/** @typedef {import("./fields.js").Field<any>} Field */

/** Fewer turns than this share of those recorded: the valve may not be down. */
const TURNS_SHORT = 0.9;
const CLOSING = ["closed_tight", "passing", "will_not_close", "not_found"];
const OPENING = ["reopened", "will_not_reopen", "handed_over"];

/** The valve's number as the map shows it: stuck a cross, verify-shut a bar, shut a full disc. @param {ValveNow} valve */
export function disc(valve) {
  const shape = isStuck(valve) || valve.role === "stuck" ? "stuck" : isShut(valve) ? "shut" : valve.role === "verify_shut" ? "verify" : valve.role === "optional" ? "optional" : "close";
  const text = shape === "stuck" ? "✕" : shape === "verify" ? "▬" : String(valve.number ?? "·");
  return make("span", { class: `disc ${shape}`, "aria-hidden": "true" }, text);
}

/** Which way it closes; not knowing is said, never guessed. @param {ValveNow} valve */
function directionOf(valve) {
  if (valve.closes === "clockwise") return say("Clockwise ↻");
  if (valve.closes === "anticlockwise") return say("Anticlockwise ↺");
  return null;
}

/**
 * @param {HTMLElement} element
 * @param {JobNow} job
 * @param {OutageNow} outage
 * @param {ValveNow} valve
 */
export function showValve(element, job, outage, valve) {
  const isOpening = shutBy(outage).includes(valve) || valve.state === "will_not_reopen";
  element.append(
    make("h1", {}, disc(valve), ` ${valve.valve} · ${name("valve_role", valve.role)}`),
    make("p", { class: "marks" }, badge(valveState(valve), isStuck(valve) ? "wrong" : isShut(valve) ? "good" : "plain"),
      valve.is_from_device ? badge(say("computed on the device"), "warn") : null,
      valve.is_boundary ? badge(say("boundary valve"), "warn") : null,
      valve.recorded ? whereMark(valve.recorded.where, valve.recorded.at) : null),
    cardFacts(valve),
  );
  if (valve.where.chamber && findStep(job, "enter_chamber")?.is_mine) {
    element.append(make("div", { class: "actions" }, link(name("action", "enter_chamber"), `${jobRoute(job.id)}?do=enter_chamber`)));
  }
  if (isShut(valve) && valve.role !== "verify_shut") {
    element.append(make("div", { class: "actions" }, link(valve.tag ? say("Take the tag off") : say("Hang a tag"), valveRoute(job, valve, "&tag=1"))));
  }
  if (valve.role === "refeed" && valve.state === "to_open") {
    element.append(notice("info", say("Opened to feed from elsewhere, once the dispatcher wants it.")), make("div", { class: "actions" },
      link(say("Open valve %(valve)s", { valve: valve.valve }), `${jobRoute(job.id)}?part=${encodeURIComponent(`refeed:${valve.valve}`)}`)));
  } else if (isOpening) showOpening(element, job, outage, valve);
  else if (valve.state === "reopened" || valve.state === "handed_over") element.append(notice("good", say("This valve is done.")));
  else showClosing(element, job, outage, valve);
}

/** @param {ValveNow} valve */
function cardFacts(valve) {
  const where = Object.values(valve.where).filter(Boolean).join(" · ");
  return facts([
    [say("Closes"), directionOf(valve)],
    [say("Turns recorded"), valve.turns_recorded],
    [say("Turns counted"), valve.turns_counted ?? (valve.state === "to_close" ? say("not yet") : null)],
    [say("Diameter"), valve.diameter_mm === null ? null : `DN${Math.round(valve.diameter_mm)}`],
    [say("Where"), where],
    [say("Tag"), valve.tag ?? say("none hangs")],
    [say("Last exercised"), valve.last_exercised_on],
    ...(valve.closed_at ? [/** @type {[string, string]} */ ([say("Shut"), `${clock(valve.closed_at)} ${valve.closed_by ?? ""}`])] : []),
  ]);
}

/**
 * @param {HTMLElement} element
 * @param {JobNow} job
 * @param {OutageNow} outage
 * @param {ValveNow} valve
 */
function showClosing(element, job, outage, valve) {
  const blocked = mayWork(job);
  if (blocked) return element.append(blocked);
  const isFeed = valve.role === "refeed";
  const result = choiceField({ name: "result", label: say("What you found"), is_required: true, onChange: () => look(),
    options: CLOSING.map((code) => [code, name("valve_state", code)]) });
  const accept = yesNoField({ name: "accept_passing", label: say("Do you accept the trickle, by your name?"), is_required: true, onChange: () => look(),
    help: say("Recorded as accepted by %(name)s. Without that the next ring of valves is needed.", { name: session()?.person.name ?? "?" }) });
  const turns = numberField({ name: "turns", label: say("Turns counted"), min: 0, max: 10_000, onChange: () => look() });
  const short = make("div", { role: "status" });
  const tag = textField({ name: "tag", label: say("Number of the tag you hung"), value: "" });
  const photo = photoOf({ name: "photo", label: say("Photo of the tag on the valve") });
  const gland = yesNoField({ name: "gland_leaking", label: say("Is the gland leaking?") });
  const torque = numberField({ name: "torque_nm", label: say("Torque"), unit: "N·m", min: 0, max: 100_000, step: 10 });
  const form = make("div", { class: "needs" });
  const shown = () => {
    const found = result.value();
    if (found === null) return [result];
    if (found === "not_found") return [result, photo];
    if (found === "will_not_close") return [result, turns, gland, torque, photo];
    return [result, ...(found === "passing" ? [accept] : []), turns, tag, photo, gland, torque];
  };
  const look = () => {
    const fields = shown().map((field) => field.element);
    if (fields.length !== form.children.length || fields.some((each, at) => each !== form.children[at])) form.replaceChildren(...fields);
    const counted = turns.value();
    const isShort = valve.turns_recorded !== null && counted !== null && counted < TURNS_SHORT * valve.turns_recorded;
    short.replaceChildren(...(isShort && shown().includes(turns) ? [notice("warn", say("%(counted)s of %(recorded)s recorded turns: the valve may not be down.", { counted, recorded: valve.turns_recorded }))] : []));
  };
  look();
  const notes = make("div", {});
  const act = primary(say("Record"), async () => {
    const values = isFeed ? {} : readFields(shown(), notes);
    if (!values) return;
    await recordDeed(outage, "confirm_valve", { valve: valve.valve, table: valve.table, ...(isFeed ? { result: "closed_tight" } : values) }, photosOf(values));
    toast(say("%(valve)s: kept on this device.", { valve: valve.valve }));
    const isUseless = ["will_not_close", "not_found"].includes(values.result) || (values.result === "passing" && values.accept_passing === false);
    go(isUseless ? `${jobRoute(job.id)}?ring=${encodeURIComponent(valve.valve)}` : jobRoute(job.id));
  });
  act.dataset.record = "confirm_valve";
  const turn = toClose(outage)[0];
  if (turn && turn !== valve && valve.state === "to_close") element.append(notice("info", say("%(valve)s comes first in the closing order.", { valve: turn.valve })));
  element.append(isFeed ? notice("info", say("This valve was opened to feed from elsewhere; record it when it is closed again.")) : form, short, notes, make("div", { class: "actions main" }, act));
}

/**
 * Before the briefing nobody works at a valve.
 * @param {JobNow} job
 * @returns {HTMLElement | null}
 */
function mayWork(job) {
  const isBefore = ["assigned", "accepted", "en_route", "on_site", "on_hold"].includes(job.state);
  if (!isBefore) return null;
  return notice("warn", [make("p", {}, say("Begin the work first: the job is “%(state)s”.", { state: name("state", job.state) })),
    link(say("Back to the job"), jobRoute(job.id))]);
}

/** @param {Record<string, any>} values */
const photosOf = (values) => (values.photo ? [String(values.photo)] : []);

/**
 * @param {HTMLElement} element
 * @param {JobNow} job
 * @param {OutageNow} outage
 * @param {ValveNow} valve
 */
function showOpening(element, job, outage, valve) {
  if (!outage.stages.repaired) {
    return element.append(notice("warn", say("The repair is not recorded as done: opening this valve would fill the trench.")));
  }
  const release = askRelease(outage, valve);
  const result = choiceField({ name: "result", label: say("What you found"), is_required: true, onChange: () => look(),
    options: OPENING.map((code) => [code, name("valve_state", code)]) });
  const turns = numberField({ name: "turns", label: say("Turns counted"), min: 0, max: 10_000 });
  const tag = textField({ name: "tag", label: say("Number read on the tag you took off"), is_required: true });
  const photo = photoOf({ name: "photo", label: say("Photo") });
  const form = make("div", { class: "needs" });
  /** @type {() => Field[]} */
  const shown = () => {
    const found = result.value();
    const isOver = found === "reopened" || found === "handed_over";
    return [...(found === null || found === "reopened" ? release.fields() : []), result, ...(isOver && valve.tag ? [tag] : []), ...(found === null ? [] : [turns, photo])];
  };
  const look = () => form.replaceChildren(...shown().map((field) => field.element));
  release.watch(look);
  look();
  const notes = make("div", {});
  const act = primary(say("Record"), async () => {
    const values = readFields(shown(), notes);
    if (!values) return;
    if (valve.tag && values.tag && values.tag !== valve.tag) {
      notes.replaceChildren(notice("wrong", say("Tag %(tag)s hangs on %(valve)s, not %(read)s. Is it the right valve?", { tag: valve.tag, valve: valve.valve, read: values.tag })));
      return;
    }
    const { release_code: code, ...said } = values;
    const released = values.result === "reopened" ? await release.check(code, notes) : {};
    if (!released) return;
    await recordDeed(outage, "reopen_valve", { valve: valve.valve, table: valve.table, ...said, repaired: true, ...released }, photosOf(values));
    toast(say("%(valve)s: kept on this device.", { valve: valve.valve }));
    go(jobRoute(job.id));
  });
  act.dataset.record = "reopen_valve";
  const turn = shutBy(outage).at(-1);
  if (turn && turn !== valve && valve.state !== "will_not_reopen") element.append(notice("info", say("%(valve)s comes first in the opening order.", { valve: turn.valve })));
  element.append(release.element, form, notes, make("div", { class: "actions main" }, act));
}

/**
 * Put a tag's number right, or hang one later.
 * @param {HTMLElement} element
 * @param {JobNow} job
 * @param {OutageNow} outage
 * @param {ValveNow} valve
 */
export function showTag(element, job, outage, valve) {
  const tag = textField({ name: "tag", label: say("Number of the tag"), is_required: true });
  const photo = photoOf({ name: "photo", label: say("Photo of the tag on the valve") });
  const notes = make("div", {});
  const act = primary(say("Record"), async () => {
    const values = readFields([tag, photo], notes);
    if (!values) return;
    if (valve.tag && !(await confirm({ title: say("Take tag %(tag)s off %(valve)s?", { tag: valve.tag, valve: valve.valve }), yes: say("Take it off") }))) return;
    await recordDeed(outage, "tag", { valve: valve.valve, table: valve.table, ...values, is_taken_off: valve.tag !== null }, photosOf(values));
    go(jobRoute(job.id));
  });
  act.dataset.record = "tag";
  element.append(make("h1", {}, disc(valve), ` ${valve.valve} · ${valve.tag ? say("Take the tag off") : say("Hang a tag")}`),
    tag.element, photo.element, notes, make("div", { class: "actions main" }, act), button(say("Cancel"), () => go(jobRoute(job.id))));
}
