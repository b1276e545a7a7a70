/**
 * The one sender: whichever tab holds the lock sends, first in first out, data before photos.
 * Only an answer of the server takes anything out of the queue; whatever else happens, it stays.
 */
import { isOnline, watchConnection } from "./connection.js";
import { StorageFull, durably, kv, open } from "./db.js";
import { keepReserve, onOutboxChange, settle, tellChange } from "./outbox.js";
import { noPhotoUnderWay, sendPhoto, unsentPhotos } from "./photos.js";
import { Offline, Refused, Unauthorized, api, mustSignIn, session, watchSession } from "./session.js";

/** @typedef {import("./db.js").Op} Op */
/** @typedef {import("./db.js").Answer} Answer */

/**
 * What sending waits for: the network, a sign-in, the server to get well, or nothing.
 * @typedef {"network" | "sign_in" | "forbidden" | "server" | null} Waiting
 */
/** @typedef {{isSending: boolean, waiting: Waiting, problem: string, last_contact: string | null}} SenderState */

const MOST_AT_ONCE = 50;
const MOST_BYTES = 1024 ** 2;
const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 60_000;
const PATIENCE_MS = 60_000;
/** The server could not take the list as a whole: one alone may still go. */
const UNREADABLE = new Set([400, 413, 422]);
const ANSWERS = new Set(["applied", "applied_with_conflict", "conflict", "missing", "illegal", "forbidden"]);

/** @type {SenderState} */
let state = { isSending: false, waiting: null, problem: "", last_contact: null };
/** @type {Set<(state: SenderState) => void>} */
const watchers = new Set();
/** @type {Promise<void> | null} */
let round = null;
let isWantedAgain = false;
/** There is a signal again since the try began that is under way. */
let isBack = false;
let failures = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** @param {Partial<SenderState>} change */
function become(change) {
  state = { ...state, ...change };
  for (const watch of watchers) watch(state);
}

/**
 * Follow what the sender does in this tab.
 * @param {(state: SenderState) => void} watch - called at once, and at every change
 * @returns {() => void} stop
 */
export function watchSender(watch) {
  watchers.add(watch);
  watch(state);
  return () => void watchers.delete(watch);
}

/**
 * Send from now on, whenever there is something and a way.
 * @returns {() => void} stop
 */
export function startSender() {
  const stops = [
    // While the server is unwell it is left in peace; a missing network costs nothing to try.
    onOutboxChange((news) => news === "more" && state.waiting !== "server" && void sendNow()),
    watchSession(() => void sendNow()),
    watchConnection(() => isOnline() === true && back()),
  ];
  const again = () => void sendNow();
  const back = () => {
    // A try that is under way now began without a signal, and will end in vain.
    isBack = round !== null;
    again();
  };
  const seen = () => document.visibilityState === "visible" && again();
  addEventListener("online", back);
  document.addEventListener("visibilitychange", seen);
  void keepReserve();
  again();
  return () => {
    for (const stop of stops) stop();
    removeEventListener("online", back);
    document.removeEventListener("visibilitychange", seen);
    clearTimeout(timer);
  };
}

/**
 * Send all that can be sent; resolves when there is nothing more to do for now.
 * @returns {Promise<void>}
 */
export function sendNow() {
  clearTimeout(timer);
  if (round) {
    isWantedAgain = true;
    return round;
  }
  round = exclusively(sendAll)
    .catch((error) => note("server", String(error)))
    .finally(() => {
      round = null;
      become({ isSending: false });
      const isWanted = isBack || (isWantedAgain && !state.waiting);
      isBack = false;
      if (isWanted) void sendNow();
      else if (state.waiting && state.waiting !== "sign_in") timer = setTimeout(() => void sendNow(), pause());
      isWantedAgain = false;
    });
  return round;
}

/** Each try in vain doubles the pause, and tablets that lost the same server come back apart. */
function pause() {
  const whole = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 10));
  return whole * (0.5 + Math.random() / 2);
}

/**
 * Do it while no other tab does.
 * @param {() => Promise<void>} work
 * @returns {Promise<void>}
 */
async function exclusively(work) {
  // Without locks, as on plain http, two tabs may send the same twice, which the server answers once.
  if (!navigator.locks) return work();
  await navigator.locks.request("fieldops-tablet-sender", work);
  return undefined;
}

/**
 * @param {Waiting} waiting
 * @param {string} [problem]
 */
function note(waiting, problem = "") {
  failures = waiting ? failures + 1 : 0;
  become({ waiting, problem });
}

async function sendAll() {
  /** Left alone until the next round. @type {Set<string>} */
  const passed = new Set();
  let most = MOST_AT_ONCE;
  await nothingUnderWay();
  for (;;) {
    const own = session();
    if (!own || mustSignIn()) return void ((await isEmpty()) || note("sign_in"));
    const batch = (await waitingOps(own.person.id)).filter((op) => !passed.has(op.op_id)).slice(0, most);
    try {
      if (batch.length) {
        become({ isSending: true });
        for (const op_id of await sendBatch(fitting(batch), own.token)) passed.add(op_id);
      } else {
        const photo = (await unsentPhotos(own.person.id)).find((one) => !passed.has(one.sha256));
        if (!photo) break;
        become({ isSending: true });
        const isOver = await sendPhoto(photo, own.token, async () => (await waitingOps(own.person.id)).some((op) => !passed.has(op.op_id)));
        if (isOver === "failed") passed.add(photo.sha256);
      }
    } catch (error) {
      await nothingUnderWay();
      if (error instanceof Offline) return note("network");
      if (error instanceof Unauthorized) return note("sign_in", error.message);
      if (error instanceof Refused && UNREADABLE.has(error.status) && batch[0]) {
        if (batch.length === 1) passed.add(batch[0].op_id);
        most = 1;
        become({ problem: error.message });
        continue;
      }
      if (error instanceof Refused) return note(error.status === 403 ? "forbidden" : "server", error.message);
      if (error instanceof SessionChanged) continue;
      throw error;
    }
  }
  if (passed.size) note("server", state.problem);
  else note(null);
}

/** Somebody else signed in while a request was made ready: nothing was sent. */
export class SessionChanged extends Error {}

/** @returns {Promise<boolean>} whether nothing of anybody waits */
async function isEmpty() {
  const db = await open();
  return (await db.count("ops")) === 0 && (await db.getAll("photos")).every((photo) => photo.state === "confirmed");
}

/**
 * @param {number} person_id only this person's: whoever else used the device sends for themselves
 * @returns {Promise<Op[]>}
 */
async function waitingOps(person_id) {
  const all = await (await open()).getAllFromIndex("ops", "by_seq");
  return all.filter((op) => op.person_id === person_id).sort((a, b) => a.seq - b.seq || a.sequence - b.sequence);
}

/** @param {Op[]} batch */
function fitting(batch) {
  let bytes = 0;
  const most = batch.findIndex((op) => (bytes += JSON.stringify(op.body).length * 3 + 600) > MOST_BYTES);
  return most === -1 ? batch : batch.slice(0, Math.max(1, most));
}

/** Nobody sends while we hold the lock: what looks under way was cut off, and waits. */
async function nothingUnderWay() {
  const db = await open();
  const cut = (await db.getAll("ops")).filter((op) => op.state === "sending");
  if (cut.length) await mark(cut, "here");
  await noPhotoUnderWay();
}

/**
 * @param {Op[]} ops
 * @param {"here" | "sending"} state
 */
async function mark(ops, state) {
  const writing = durably(["ops"], async (writing) => {
    const store = writing.objectStore("ops");
    for (const { op_id } of ops) {
      const op = await store.get(op_id);
      if (op) await store.put({ ...op, state, is_sent: op.is_sent || state === "sending" });
    }
  });
  // A full device must not keep its work from leaving: the mark is for reading only.
  await writing.catch((error) => {
    if (!(error instanceof StorageFull)) throw error;
  });
  tellChange();
}

/**
 * Send operations and keep their answers.
 * @param {Op[]} batch
 * @param {string} token the session that they were chosen for
 * @returns {Promise<string[]>} those that are to come again later
 */
async function sendBatch(batch, token) {
  await mark(batch, "sending");
  const body = JSON.stringify({ ops: batch.map(asSent), sent_at: new Date().toISOString() });
  // The next two lines run in one go: nobody can sign in between them.
  if (session()?.token !== token) throw new SessionChanged();
  const asked = api("/api/v1/ops", { method: "POST", headers: { "Content-Type": "application/json" }, body, signal: AbortSignal.timeout(PATIENCE_MS) });
  const said = await (await asked).json().catch(() => null);
  // A hotel's sign-in page also answers "200": only what names our operations is an answer.
  if (!said || !Array.isArray(said.results)) throw new Offline("no answer of ours");
  const wanted = new Set(batch.map((op) => op.op_id));
  /** @type {Answer[]} */
  const answers = said.results.filter((/** @type {any} */ one) => wanted.has(one?.op_id) && ANSWERS.has(one.status));
  await settle(answers);
  become({ last_contact: new Date().toISOString() });
  if (typeof said.skew_s === "number") await kv.set("skew_s", said.skew_s).catch(() => undefined);
  const done = new Set(answers.map((one) => one.op_id));
  const left = batch.filter((op) => !done.has(op.op_id));
  if (left.length) {
    await mark(left, "here");
    become({ problem: said.results.find((/** @type {any} */ one) => one?.status === "failed")?.message ?? "" });
  }
  tellChange();
  return left.map((op) => op.op_id);
}

/**
 * An operation as the server reads it, word for word the same whenever it is sent.
 * @param {Op} op
 */
export const asSent = (op) => ({
  op_id: op.op_id,
  device: op.device,
  sequence: op.sequence,
  subject: op.subject,
  action: op.action,
  base_version: op.base_version,
  body: op.body,
  occurred_at: op.occurred_at,
  ...(op.by_phone_for === null ? {} : { by_phone_for: op.by_phone_for }),
});
