/** What a person makes of an operation that the server has refused; none is dropped by itself. */
import { durably, open } from "./db.js";
import { countOn, forgetOld, makeId, tellChange, withRoom } from "./outbox.js";
import { session } from "./session.js";
import { name, say } from "./words.js";

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
  const sent = await withRoom(() =>
    durably(["ops", "parked", "answers", "kv"], async (writing) => {
      const parked = writing.objectStore("parked");
      // Another tab may have been first.
      if ((await parked.getKey(op_id)) === undefined) return null;
      const instead = choice === "mine" ? again(refused) : choice === "theirs" ? noteOf(refused) : null;
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

/**
 * @param {Op} refused
 * @returns {Pick<Op, "action" | "body" | "base_version">}
 */
function again(refused) {
  const { answer } = refused;
  const base_version = answer?.version ?? refused.base_version;
  if (answer?.status !== "applied_with_conflict") return { action: refused.action, body: refused.body, base_version };
  // The step itself is done: only what stood against others' values is said again.
  const mine = Object.entries(answer.conflicts ?? {}).map(([field, { mine }]) => [field, mine]);
  const action = CORRECTS[subjectKind(refused)] ?? refused.action;
  return { action, body: Object.fromEntries(mine), base_version };
}

/**
 * Say on the order what was not taken over, so that it can be read there.
 * @param {Op} refused
 * @returns {Pick<Op, "action" | "body" | "base_version"> | null}
 */
function noteOf(refused) {
  if (subjectKind(refused) !== "work_order") return null;
  const conflicts = Object.entries(refused.answer?.conflicts ?? {});
  const mine = conflicts.length ? conflicts.map(([field, { mine }]) => /** @type {[string, unknown]} */ ([field, mine])) : Object.entries(refused.body);
  const values = mine.map(([field, value]) => `${name("fields", field)}: ${show(value)}`).join("; ");
  const step = name("actions", refused.action);
  const text = values
    ? say("Recorded on the tablet at %(at)s and not taken over: %(step)s (%(values)s).", { at: refused.occurred_at, step, values })
    : say("Recorded on the tablet at %(at)s and not taken over: %(step)s.", { at: refused.occurred_at, step });
  return { action: "note", body: { text: text.slice(0, 2000) }, base_version: null };
}

/** @param {unknown} value */
export function show(value) {
  if (value === null || value === undefined || value === "") return say("nothing");
  if (value === true) return say("Yes");
  if (value === false) return say("No");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** @param {Op} op */
const subjectKind = (op) => op.subject.split(":", 1)[0] ?? "";

/**
 * Put an operation in the place of the refused one: before whatever was recorded after it.
 * @param {Writing} writing
 * @param {Op} refused
 * @param {Pick<Op, "action" | "body" | "base_version">} instead
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
