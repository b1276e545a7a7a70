/**
 * Everything recorded on this device that the server has not answered yet. Operations are made
 * once and never changed; they leave only after the server's answer is itself on the disk.
 */
import { StorageFull, durably, open, persist } from "./db.js";
import { session } from "./session.js";
import { say } from "./words.js";

export { resolve, retry } from "./refused.js";

/** @typedef {import("./db.js").Op} Op */
/** @typedef {import("./db.js").Answer} Answer */
/** @typedef {import("./db.js").KeptPhoto} KeptPhoto */
/** @typedef {import("./db.js").Writing} Writing */

/**
 * @typedef {object} Wanted
 * @property {string} subject "kind:id"
 * @property {string} action
 * @property {number | null} [base_version] the version that the person saw
 * @property {Record<string, unknown>} [body]
 * @property {string[]} [photos] hashes of photos kept before
 * @property {string | null} [by_phone_for]
 * @property {string} [occurred_at] by default now
 */

/**
 * `unsent` counts operations, `photos` photos, both of everybody who uses this device; `others`
 * says how many of them wait for somebody who is not signed in. `parked` need a person.
 * @typedef {object} Counts
 * @property {number} unsent
 * @property {number} parked
 * @property {number} photos
 * @property {{person_id: number, person_name: string, unsent: number, photos: number}[]} others
 */

/** Nobody has signed in on this device: there is no one to have done it. */
export class NobodySignedIn extends Error {
  constructor() {
    super(say("Nobody has signed in on this device, so nothing was recorded. Sign in first; what you entered is still on the page."));
    this.name = "NobodySignedIn";
  }
}

const ANSWERS_KEPT = 200;
const RESERVE_BYTES = 2 * 1024 ** 2;

/** @typedef {"more" | "changed"} News - "more": there is something new to send */

const channel = new BroadcastChannel("fieldops-outbox");
/** @type {Set<(news: News) => void>} */
const listeners = new Set();
channel.addEventListener("message", (event) => wake(event.data));

/** @param {News} news */
function wake(news) {
  for (const listen of [...listeners]) listen(news);
}

/**
 * Tell every tab that something in the outbox is different now.
 * @param {News} [news]
 */
export function tellChange(news = "changed") {
  channel.postMessage(news);
  wake(news);
}

/**
 * Follow changes, of whichever tab.
 * @param {(counts: Counts) => void} fn - called at once, and after every change
 * @returns {() => void} stop
 */
export function watchOutbox(fn) {
  let isOver = false;
  const look = () => void counts().then((found) => isOver || fn(found), (error) => console.warn("the outbox cannot be counted", error));
  listeners.add(look);
  look();
  return () => {
    isOver = true;
    listeners.delete(look);
  };
}

/**
 * Follow changes without counting.
 * @param {(news: News) => void} fn
 * @returns {() => void} stop
 */
export function onOutboxChange(fn) {
  listeners.add(fn);
  return () => void listeners.delete(fn);
}

/** A UUIDv7: the time in milliseconds, then chance. @param {number} [millis] */
export function makeId(millis = Date.now()) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  for (let place = 5, rest = millis; place >= 0; place -= 1, rest = Math.floor(rest / 256)) bytes[place] = rest % 256;
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/**
 * Record an operation; resolves when it is on the disk.
 * @param {Wanted} wanted
 * @returns {Promise<Op>}
 * @throws {StorageFull} when there is no room: the form must keep what the person entered
 * @throws {NobodySignedIn}
 */
export async function enqueue(wanted) {
  const own = await session();
  if (!own) throw new NobodySignedIn();
  // What cannot be sent as JSON would be lost on the way, so it is made JSON here.
  const body = JSON.parse(JSON.stringify(wanted.body ?? {}));
  const op = await withRoom(() =>
    durably(["ops", "kv"], async (writing) => {
      const sequence = await countOn(writing);
      /** @type {Op} */
      const made = {
        op_id: makeId(),
        seq: sequence,
        device: own.device.id,
        sequence,
        subject: wanted.subject,
        action: wanted.action,
        base_version: wanted.base_version ?? null,
        body,
        occurred_at: wanted.occurred_at ?? new Date().toISOString(),
        by_phone_for: wanted.by_phone_for ?? null,
        photos: wanted.photos ?? [],
        person_id: own.person.id,
        person_name: own.person.name,
        state: "here",
        is_sent: false,
      };
      await writing.objectStore("ops").add(made);
      return made;
    }),
  );
  void persist();
  tellChange("more");
  return op;
}

/**
 * Give the device's next number.
 * @param {Writing} writing
 * @returns {Promise<number>}
 */
export async function countOn(writing) {
  const numbers = writing.objectStore("kv");
  const next = ((await numbers.get("sequence")) ?? 0) + 1;
  await numbers.put(next, "sequence");
  return next;
}

/**
 * Write; where there is no room, give up the room kept back for that, and write again.
 * @template Result
 * @param {() => Promise<Result>} write
 * @returns {Promise<Result>}
 */
export async function withRoom(write) {
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof StorageFull)) throw error;
    const was = await durably(["kv"], async (writing) => {
      const kept = writing.objectStore("kv");
      const reserve = await kept.get("reserve");
      await kept.delete("reserve");
      return reserve !== undefined;
    });
    if (!was) throw error;
    return againUntilFree(write);
  }
}

/**
 * The browser frees the room a moment after it was given up.
 * @template Result
 * @param {() => Promise<Result>} write
 * @returns {Promise<Result>}
 */
async function againUntilFree(write) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof StorageFull) || tries >= 5) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** Keep some room back, so that records can be written when photos and maps have filled the device. */
export async function keepReserve() {
  const db = await open();
  if ((await db.getKey("kv", "reserve")) !== undefined) return;
  // A file of its own, whose room is free as soon as it goes; of chance, for zeros may be pressed into nothing.
  const bytes = new Uint8Array(RESERVE_BYTES);
  for (let at = 0; at < RESERVE_BYTES; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  const reserve = new Blob([bytes]);
  await durably(["kv"], async (writing) => void (await writing.objectStore("kv").put(reserve, "reserve"))).catch(
    () => undefined, // No room for a reserve: the page warns of that by what is left.
  );
}

/**
 * List what is on the device, in its order: waiting, under way, refused, and of late confirmed.
 * @param {string} [subject] only of this subject
 * @returns {Promise<Op[]>}
 */
export async function listOps(subject) {
  const reading = (await open()).transaction(["ops", "parked", "answers"]);
  const found = await Promise.all([
    reading.objectStore("answers").getAll(),
    reading.objectStore("parked").getAll(),
    reading.objectStore("ops").getAll(),
  ]);
  await reading.done;
  return found
    .flat()
    .filter((op) => subject === undefined || op.subject === subject)
    .sort((a, b) => a.seq - b.seq || a.sequence - b.sequence);
}

/** @returns {Promise<Counts>} */
export async function counts() {
  const own = await session();
  const reading = (await open()).transaction(["ops", "parked", "photos"]);
  const [ops, parked, photos] = await Promise.all([
    reading.objectStore("ops").getAll(),
    reading.objectStore("parked").count(),
    reading.objectStore("photos").getAll(),
  ]);
  await reading.done;
  const unsent = photos.filter((photo) => photo.state === "here" || photo.state === "sending");
  const bad = photos.filter((photo) => photo.state === "needs_you").length;
  /** @type {Map<number, Counts["others"][number]>} */
  const others = new Map();
  for (const [name, list] of /** @type {const} */ ([["unsent", ops], ["photos", unsent]])) {
    for (const { person_id, person_name } of list) {
      if (person_id === own?.person.id) continue;
      const known = others.get(person_id) ?? { person_id, person_name, unsent: 0, photos: 0 };
      others.set(person_id, { ...known, [name]: known[name] + 1 });
    }
  }
  return { unsent: ops.length, parked: parked + bad, photos: unsent.length, others: [...others.values()] };
}

/**
 * Keep the server's answers and, in the same breath, take their operations out of the queue; the
 * refused go to those that need a person.
 * @param {Answer[]} answers
 * @returns {Promise<Op[]>} those that were still in the queue
 */
export async function settle(answers) {
  try {
    return await keepAnswers(answers);
  } catch (error) {
    const done = answers.filter((answer) => answer.status === "applied");
    if (!(error instanceof StorageFull) || !done.length) throw error;
    // No room even for an answer: what the server has done goes without, which makes room.
    const settled = await durably(["ops"], async (writing) => {
      const ops = writing.objectStore("ops");
      const found = await Promise.all(done.map(({ op_id }) => ops.get(op_id)));
      await Promise.all(done.map(({ op_id }) => ops.delete(op_id)));
      return /** @type {Op[]} */ (found.filter(Boolean));
    });
    return done.length < answers.length ? [...settled, ...(await settle(answers.filter((answer) => !done.includes(answer))))] : settled;
  }
}

/**
 * @param {Answer[]} answers
 * @returns {Promise<Op[]>}
 */
function keepAnswers(answers) {
  const answered_at = new Date().toISOString();
  return withRoom(() =>
    durably(["ops", "parked", "answers", "kv"], async (writing) => {
      const ops = writing.objectStore("ops");
      const settled = [];
      for (const answer of answers) {
        const op = await ops.get(answer.op_id);
        if (!op) continue;
        const isDone = answer.status === "applied";
        /** @type {Op} */
        const answered = { ...op, answer, answered_at, is_sent: true, state: isDone ? "confirmed" : "needs_you" };
        await writing.objectStore(isDone ? "answers" : "parked").put(answered);
        await ops.delete(answer.op_id);
        settled.push(answered);
      }
      await forgetOld(writing);
      return settled;
    }),
  );
}

/** @param {Writing} writing */
export async function forgetOld(writing) {
  const answers = writing.objectStore("answers");
  let surplus = (await answers.count()) - ANSWERS_KEPT;
  let cursor = surplus > 0 ? await answers.index("by_answered_at").openCursor() : null;
  for (; cursor && surplus > 0; surplus -= 1) {
    await cursor.delete();
    cursor = await cursor.continue();
  }
}
