/** After a valve that does not bound, with or without a signal: the next valves, and what they change. */
import { day, dayAskedAt } from "./day.js";
import { badge, facts, link, make, notice, primary, readFields, textField, toast, whereMark } from "./elements.js";
import { jobsNow, recordDeed } from "./local_state.js";
import { listOps, onOutboxChange } from "./outbox.js";
import { load } from "./parts.js";
import { nextRing } from "./ring.js";
import { NotInPack } from "./ring_question.js";
import { go } from "./router.js";
import { age, clock, distance, figure, name, say, valveState } from "./words.js";

/** @typedef {import("./job_state.js").OutageNow} OutageNow */
/** @typedef {import("./job_state.js").ValveNow} ValveNow */
/** @typedef {import("./ring.js").Ring} Ring */
/** @typedef {import("./ring.js").RingValve} RingValve */
/** @typedef {import("./db.js").Op} Op */
/** @typedef {{geometry_revision: number, revision: number, baked_at: string, facts_at?: string | null}} PackState */

/** What a crew hears of each reason to call dispatch. */
const REASONS = {
  critical: () => say("a critical customer is inside"),
  boundary: () => say("a boundary valve is in the ring of valves"),
  pump: () => say("a pump has to be stopped"),
  large: () => say("a valve is larger than a crew may close by itself"),
  size_unknown: () => say("the size of a valve is not known"),
  source: () => say("a source is on the isolation segment"),
  pack_edge: () => say("it may go on beyond the district on this tablet"),
  no_sources: () => say("no source is recorded: who is cut off is not known"),
};
/** What is kept of a valve with the record, so that its card can be shown before the server has it. */
const CARD = /** @type {const} */ (["valve", "table", "role", "key", "lon", "lat", "turns_recorded", "closes", "diameter_mm", "valve_type", "is_boundary", "is_position_assumed"]);

/**
 * @param {HTMLElement} element
 * @param {{outage: OutageNow, valve: ValveNow}} asked
 * @returns {Promise<() => void>} what stops it
 */
export async function showRing(element, { outage, valve }) {
  const verdict = make("div", { "data-part": "verdict" });
  element.append(
    make("h1", {}, say("The next valves after %(valve)s", { valve: valve.valve })),
    make("p", { class: "marks" }, badge(name("valve_state", valve.state), "wrong"), badge(say("computed on the device"), "warn")),
    verdict,
  );
  const shown = make("div", { class: "ring-body" });
  element.append(shown);
  const draw = async () => {
    const records = await recordsOf(outage.id, valve.valve);
    const last = records.at(-1) ?? null;
    verdict.replaceChildren(...records.map(viewVerdict));
    // What the server has corrected must not be worked by any more.
    if (last && theirsOf(last)) shown.replaceChildren(make("div", { class: "actions main" }, primary(say("Back to the job"), () => back(outage))));
    return last;
  };
  const last = await draw();
  const stop = onOutboxChange(() => void draw());
  if (last && theirsOf(last)) return stop;
  const found = await findRing(outage, valve.valve);
  element.dataset.ring = "why" in found ? "none" : "shown";
  shown.replaceChildren(...("why" in found ? viewNothing(found.why, outage) : viewRing(found, outage, valve, last)));
  return stop;
}

/**
 * What this device has recorded of a ring after a valve.
 * @param {string} outage
 * @param {string} [stuck]
 * @returns {Promise<Op[]>}
 */
async function recordsOf(outage, stuck) {
  const ops = await listOps(`outage:${outage}`);
  return ops.filter((op) => op.action === "device_ring" && (stuck === undefined || op.body.stuck === stuck));
}

/**
 * The server's valves where they are others than those worked out here.
 * @param {Op} op
 * @returns {string[] | null}
 */
function theirsOf(op) {
  const theirs = op.answer?.conflicts?.ring?.theirs;
  return op.state === "confirmed" && Array.isArray(theirs) ? theirs : null;
}

/**
 * Where a recorded ring is, and what the server says of it.
 * @param {Op} op
 * @returns {HTMLElement}
 */
export function viewVerdict(op) {
  const { answer } = op;
  const theirs = theirsOf(op);
  const mark = theirs ? badge(say("corrected by the server"), "warn") : whereMark(op.state, op.answered_at ?? null);
  const head = make("p", {}, make("strong", {}, say("The valves after %(valve)s", { valve: String(op.body.stuck) })), " ", mark);
  if (op.state === "here" || op.state === "sending") return notice("info", [head, make("p", {}, say("Worked out on this device; the server has not looked at it yet."))]);
  if (op.state === "needs_you") return notice("wrong", [head, make("p", {}, answer?.message ?? ""), link(say("Outbox"), "#/outbox")]);
  const shown = notice(theirs ? "warn" : "good", [head, make("p", {}, answer?.message ?? ""),
    theirs ? make("p", {}, say("The server's valves: %(valves)s", { valves: theirs.join(", ") || "–" })) : null]);
  shown.dataset.verdict = theirs ? "corrected" : "confirmed";
  return shown;
}

/**
 * Work the ring out from the pack; where that cannot be, say why.
 * @param {OutageNow} outage
 * @param {string} stuck
 * @returns {Promise<{ring: Ring, pack: PackState} | {why: string}>}
 */
async function findRing(outage, stuck) {
  const packs = await load("pack");
  try {
    const topology = await packs.topology();
    /** @type {PackState | null} */
    const pack = await packs.packState();
    if (!topology || !pack) return { why: say("The map of the district is not on this device.") };
    const others = (await jobsNow() ?? []).flatMap((job) => job.outages).filter((one) => one.id !== outage.id);
    // As long as the limit is not known, dispatch decides of every valve.
    const ring = nextRing(topology, outage, stuck, { others, most_mm: day()?.policy.tablet_max_diameter_mm ?? 0 });
    return { ring, pack };
  } catch (error) {
    console.warn(error);
    if (error instanceof NotInPack) return { why: say("%(what)s is not on the map of this device.", { what: error.what }) };
    return { why: say("The map of the district cannot be read on this device.") };
  }
}

/**
 * @param {string} why
 * @param {OutageNow} outage
 */
const viewNothing = (why, outage) => [
  notice("wrong", [make("p", {}, why), make("p", {}, make("strong", {}, say("The next valves cannot be worked out here. Call dispatch.")))]),
  viewAges(null, outage),
];

/**
 * @param {{ring: Ring, pack: PackState}} found
 * @param {OutageNow} outage
 * @param {ValveNow} valve
 * @param {Op | null} recorded - the last ring recorded after this valve
 */
function viewRing({ ring, pack }, outage, valve, recorded) {
  const parts = [
    viewDifference(ring),
    ...(ring.reasons.length ? [viewCall(ring)] : []),
    viewList(say("To close"), ring.close, outage, "close"),
    viewList(say("Pumps to stop"), ring.pumps, outage, "pump"),
    viewList(say("Check that they are shut"), ring.verify_shut, outage, "verify_shut"),
    viewAges(pack, outage),
  ].filter((part) => part !== null);
  const leave = () => back(outage);
  if (recorded && isThis(recorded, ring)) return [...parts, make("div", { class: "actions main" }, primary(say("Back to the job"), leave))];
  const notes = make("div", {});
  const authorised = textField({ name: "authorised_by", label: say("Who at dispatch authorised it"), is_required: true, autocomplete: "off" });
  const isCall = ring.reasons.length > 0;
  const isSame = ring.valves_added.length === 0 && ring.valves_removed.length === 0;
  const act = primary(isSame ? say("Record: these valves") : say("Go on with these valves"), async () => {
    const values = isCall ? readFields([authorised], notes) : {};
    if (!values) return;
    await recordDeed(outage, "device_ring", bodyOf(ring, pack, valve, values.authorised_by));
    toast(say("The next valves are kept on this device."));
    await back(outage);
  });
  act.dataset.record = "device_ring";
  return [...parts, ...(isCall ? [authorised.element] : []), notes, make("div", { class: "actions main" }, act)];
}

/**
 * Whether a recorded ring is this one, so that it need not be recorded again.
 * @param {Op} op
 * @param {Ring} ring
 */
function isThis(op, ring) {
  const kept = /** @type {{valve: string, role: string}[]} */ (op.body.valves).filter(({ role }) => role !== "source");
  const now = [...ring.close, ...ring.pumps, ...ring.verify_shut];
  return op.state !== "needs_you" && kept.length === now.length && now.every((one) => kept.some(({ valve, role }) => valve === one.valve && role === one.role));
}

/** To the job whose outage it is. @param {OutageNow} outage */
async function back(outage) {
  const job = (await jobsNow() ?? []).find((one) => one.outages.some(({ id }) => id === outage.id));
  go(job ? `#/job/${encodeURIComponent(job.id)}` : "#/jobs");
}

/** @param {Ring} ring */
function viewDifference(ring) {
  const lines = [
    ring.valves_added.length > 0 && say("Valves added: %(valves)s", { valves: ring.valves_added.join(", ") }),
    ring.valves_removed.length > 0 && say("Valves no longer needed: %(valves)s", { valves: ring.valves_removed.join(", ") }),
    ring.properties_added === null ? say("How many properties come in is not known")
      : ring.properties_added !== 0 && say("Properties added: %(count)s", { count: figure(ring.properties_added) }),
    ring.critical_added.length > 0 && say("Critical customers now inside: %(names)s", { names: ring.critical_added.map(criticalName).join(", ") }),
  ].filter((line) => typeof line === "string");
  return make("section", { class: "card difference", "data-part": "difference" },
    make("h2", {}, say("What changes in the plan")),
    lines.length ? make("ul", {}, lines.map((line) => make("li", {}, line))) : make("p", {}, say("Nothing: the plan has these valves already.")),
    facts([
      [say("Properties without water"), ring.properties === null ? null : make("span", { "data-fact": "properties" }, figure(ring.properties))],
      [say("Critical customers"), ring.critical.length ? ring.critical.map(criticalName).join(", ") : ring.isolation.reaches_pack_edge ? null : say("none")],
    ]),
    ring.sources.length ? notice("wrong", say("Closing valves does not stop the water: shut the source %(sources)s.", { sources: ring.sources.join(", ") })) : null,
    ring.close.length ? null : notice("warn", say("No valve is left to close.")));
}

/** @type {Record<string, () => string>} */
const CRITICAL = { hospital: () => say("Hospital"), dialysis: () => say("Dialysis"), school: () => say("School"), fire: () => say("Fire station") };

/** What makes a customer critical is recorded as one of a few codes, or in words. @param {string} code */
const criticalName = (code) => CRITICAL[code]?.() ?? (code || say("critical"));

/** @param {Ring} ring */
function viewCall(ring) {
  const call = notice("warn", [make("p", {}, make("strong", {}, say("Call dispatch before you close anything."))),
    make("ul", {}, ring.reasons.map((reason) => make("li", { "data-reason": reason }, REASONS[reason]())))]);
  call.dataset.part = "call";
  return call;
}

/**
 * @param {string} title
 * @param {RingValve[]} valves
 * @param {OutageNow} outage
 * @param {string} part
 */
function viewList(title, valves, outage, part) {
  if (valves.length === 0) return null;
  return make("section", { class: "card", "data-part": part }, make("h2", {}, `${title} (${figure(valves.length)})`),
    make("ol", { class: "plain ring" }, valves.map((one) => {
      const known = outage.valves.find((each) => each.valve === one.valve && each.table === one.table);
      const words = [
        one.diameter_mm === null ? say("size not known") : `DN${Math.round(one.diameter_mm)}`,
        one.turns_recorded === null ? say("turns not known") : say("%(n)s turns", { n: one.turns_recorded }),
        one.metres === null ? null : distance(one.metres),
      ].filter(Boolean).join(" · ");
      return make("li", { "data-valve": one.valve }, make("strong", {}, one.valve), ` ${words} `,
        known && known.state !== "to_close" ? badge(valveState(known)) : null,
        one.is_boundary ? badge(say("boundary valve"), "warn") : null,
        one.is_position_assumed ? badge(say("open or shut is not known"), "warn") : null);
    })));
}

/**
 * How old what this rests on is.
 * @param {PackState | null} pack
 * @param {OutageNow} outage
 */
function viewAges(pack, outage) {
  const asked = dayAskedAt();
  const lines = [
    pack && say("Network as of %(time)s (%(age)s); valves as of %(facts)s (%(facts_age)s).", {
      time: clock(pack.baked_at), age: age(pack.baked_at),
      facts: clock(pack.facts_at ?? pack.baked_at), facts_age: age(pack.facts_at ?? pack.baked_at) }),
    asked ? say("Other jobs unknown since %(time)s", { time: clock(asked) }) : say("Today's jobs not heard yet"),
    outage.is_drill && say("drill"),
  ].filter((line) => typeof line === "string");
  return make("p", { class: "quiet", "data-part": "ages" }, lines.flatMap((line, at) => (at ? [make("br", {}), line] : [line])));
}

/**
 * @param {Ring} ring
 * @param {PackState} pack
 * @param {ValveNow} valve
 * @param {string | undefined} authorisedBy
 */
function bodyOf(ring, pack, valve, authorisedBy) {
  const result = ["will_not_close", "not_found", "passing"].includes(valve.state) ? valve.state : null;
  return {
    stuck: ring.stuck,
    result,
    valves: [
      ...[...ring.close, ...ring.pumps, ...ring.verify_shut].map((one) => Object.fromEntries(CARD.map((field) => [field, one[field]]))),
      ...ring.sources.map((source) => ({ valve: source, table: "source", role: "source" })),
    ],
    properties: ring.properties,
    critical: ring.isolation.reaches_pack_edge ? null : ring.critical.length,
    geometry_revision: pack.geometry_revision,
    revision: pack.revision,
    facts_at: pack.facts_at ?? pack.baked_at,
    others_unknown_since: dayAskedAt()?.toISOString() ?? null,
    reasons: ring.reasons,
    ...(authorisedBy ? { authorised_by: authorisedBy } : {}),
  };
}
