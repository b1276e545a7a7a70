/** What a person makes of an operation that the server has refused; none is dropped by itself. */
import { day } from "./day.js";
import { durably, open } from "./db.js";
import { countOn, forgetOld, makeId, tellChange, withRoom } from "./outbox.js";
import { session } from "./session.js";
import { dated, name, say } from "./words.js";

/** @typedef {import("./db.js").Op} Op */
/** @typedef {import("./db.js").Writing} Writing */

/** By which action single fields of a subject are corrected once its step is done. */
const CORRECTS = /** @type {Record<string, string>} */ ({ work_order: "set", incident: "change", report: "change" });

/**
 * Decide about a refused operation. "mine" says the own values again, upon the version that the
 * person has seen here; "theirs" lets the others stand and keeps the own ones as a note; "drop"
 * forgets it, and only after `ask` has said yes.
 * @param {string} op_id
 * @param {"mine" | "theirs" | "drop"} choice
 * @param {(op: Op) => boolean | Promise<boolean>} [ask]
 * @returns {Promise<Op | null>} what is to be sent instead; null when nothing is
 */
export async function resolve(op_id, choice, ask = () => false) {
  const refused = await (await open()).get("parked", op_id);
  if (!refused) return null;
  if (choice === "drop" && !(await ask(refused))) return null;
  const instead = choice === "mine" ? again(refused) : choice === "theirs" ? noteOf(refused) : null;
  // The job may have left the day since the page was drawn: without its note the record would be lost.
  if (choice === "theirs" && !instead) throw new Error(say("There is no job on this device any more on which this could be noted, so it stays here. Save it to a file, or call dispatch."));
  const sent = await withRoom(() =>
    durably(["ops", "parked", "answers", "kv"], async (writing) => {
      const parked = writing.objectStore("parked");
      // Another tab may have been first.
      if ((await parked.getKey(op_id)) === undefined) return null;
      const made = instead && (await add(writing, refused, instead));
      await parked.delete(op_id);
      await writing.objectStore("answers").put({ ...refused, resolved: choice === "drop" ? "dropped" : choice });
      await forgetOld(writing);
      return made;
    }),
  );
  tellChange("more");
  return sent;
}

/**
 * Send again: a refused operation as it was, or, without one, all that waits, now.
 * @param {string} [op_id]
 * @returns {Promise<void>}
 */
export async function retry(op_id) {
  if (op_id !== undefined) await resolve(op_id, "mine");
  else tellChange("more");
}

/** @typedef {Pick<Op, "subject" | "action" | "body" | "base_version">} Instead */

/**
 * @param {Op} refused
 * @returns {Instead}
 */
function again(refused) {
  const { answer, subject } = refused;
  const base_version = answer?.version ?? refused.base_version;
  if (answer?.status !== "applied_with_conflict") return { subject, action: refused.action, body: refused.body, base_version };
  // The step itself is done: only what stood against others' values is said again.
  const mine = Object.entries(answer.conflicts ?? {}).map(([field, { mine }]) => [field, mine]);
  const action = CORRECTS[subjectKind(refused)] ?? refused.action;
  return { subject, action, body: Object.fromEntries(mine), base_version };
}

/**
 * Say on the order what was not taken over, so that it can be read there.
 * @param {Op} refused
 * @returns {Instead | null}
 */
function noteOf(refused) {
  const subject = orderOf(refused);
  if (subject === null) return null;
  const conflicts = Object.entries(refused.answer?.conflicts ?? {});
  const mine = conflicts.length ? conflicts.map(([field, { mine }]) => /** @type {[string, unknown]} */ ([field, mine])) : Object.entries(refused.body);
  const values = mine.map(([field, value]) => `${fieldName(field)}: ${valueName(field, value)}`).join("; ");
  const step = actionName(refused.action);
  const at = dated(refused.occurred_at);
  const text = values
    ? say("Recorded on the tablet at %(at)s and not taken over: %(step)s (%(values)s).", { at, step, values })
    : say("Recorded on the tablet at %(at)s and not taken over: %(step)s.", { at, step });
  return { subject, action: "note", body: { text: text.slice(0, 2000) }, base_version: null };
}

/**
 * The work order on which a note can stand: its own, or that of the outage.
 * @param {Op} op
 * @returns {string | null} null where there is none, as for a report
 */
export function orderOf(op) {
  if (subjectKind(op) === "work_order") return op.subject;
  const job = day()?.jobs.find(({ outage }) => outage !== null && `outage:${outage.id}` === op.subject);
  return job ? `work_order:${job.id}` : null;
}

/** @param {unknown} value @returns {string} */
function show(value) {
  if (value === null || value === undefined || value === "") return say("nothing");
  if (value === true) return say("Yes");
  if (value === false) return say("No");
  if (Array.isArray(value)) return value.map(show).join(", ");
  // A part that was built in; nothing else that a crew says is made of several.
  if (typeof value === "object") return "quantity" in value && "name" in value ? `${value.name} × ${value.quantity}` : JSON.stringify(value);
  const text = String(value);
  return /^\d{4}-\d\d-\d\dT\d\d:/.test(text) ? dated(text) : text;
}

/** What the day's names do not name: the tablet's own records. @type {Record<string, () => string>} */
const ACTIONS = {
  register: () => say("Register what was seen"),
  propose: () => say("Propose a change to the map"),
  import: () => say("Track"),
  confirm_valve: () => say("valve confirmed"),
  reopen_valve: () => say("valve reopened"),
  restore_part: () => say("water back in a part"),
  refeed: () => say("re-feed"),
  tag: () => say("valve tag hung"),
  device_ring: () => say("extended isolation worked out on a tablet"),
  stage: () => say("stage reached"),
};

/**
 * Name a step in the person's language.
 * @param {string} action
 */
export const actionName = (action) => {
  const known = name("action", action);
  return known === action ? (ACTIONS[action]?.() ?? action) : known;
};

/**
 * Name a field; a valve of an outage is a field, too.
 * @param {string} field
 */
export const fieldName = (field) =>
  field.startsWith("valve:") ? say("Valve %(valve)s", { valve: field.slice("valve:".length) }) : name("field", field);

/**
 * Say a value of a field.
 * @param {string} field
 * @param {unknown} value
 */
export const valueName = (field, value) => {
  if (field === "crew") return [...(day()?.crews ?? []), ...(day()?.other_crews ?? [])].find((crew) => crew.id === value)?.name ?? show(value);
  const word = typeof value === "string" ? name(field.startsWith("valve:") || field === "result" ? "valve_state" : "choice", value) : null;
  return word === null || word === value ? show(value) : word;
};

/** What became of a record that a person has decided about. @param {Op} op */
export function resolvedWord(op) {
  if (op.resolved === "mine") return say("Sent again");
  if (op.resolved === "dropped") return say("Forgotten by hand");
  return Object.keys(op.answer?.conflicts ?? {}).length ? say("The other value stands") : say("Left as a note");
}

/** @param {Op} op */
const subjectKind = (op) => op.subject.split(":", 1)[0] ?? "";

/**
 * Put an operation in the place of the refused one: before whatever was recorded after it.
 * @param {Writing} writing
 * @param {Op} refused
 * @param {Instead} instead
 * @returns {Promise<Op>}
 */
async function add(writing, refused, instead) {
  const own = session();
  const { answer: _answer, answered_at: _at, resolved: _resolved, ...made } = refused;
  /** @type {Op} */
  const op = {
    ...made,
    ...instead,
    op_id: makeId(),
    sequence: await countOn(writing),
    device: own?.device.id ?? refused.device,
    state: "here",
    is_sent: false,
    replaces: refused.op_id,
  };
  await writing.objectStore("ops").add(op);
  return op;
}
