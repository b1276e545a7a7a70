/** The tablet's own database. What must not be lost is written durably, or the writer is told. */
import { openDB } from "../../vendor/idb.js";
import { say } from "./words.js";

/**
 * Where a record is: on this device, under way, taken by the server, or waiting for a person.
 * @typedef {"here" | "sending" | "confirmed" | "needs_you"} OpState
 */

/**
 * What the server said of an operation.
 * @typedef {object} Answer
 * @property {string} op_id
 * @property {"applied" | "applied_with_conflict" | "conflict" | "missing" | "illegal" | "forbidden" | "failed"} status
 * @property {number | null} [version] the subject's version after it, or as it stands
 * @property {string | null} [state]
 * @property {string} [message] in the language of whoever was signed in as it was sent
 * @property {string[]} [missing]
 * @property {Record<string, Conflict>} [conflicts]
 * @property {boolean} [is_kept_as_fact]
 * @property {string} [received_at]
 */

/** @typedef {{mine: unknown, theirs: unknown, by?: string | null, at?: string | null}} Conflict */

/**
 * One operation, as it was made. But for its state nothing of it ever changes.
 * @typedef {object} Op
 * @property {string} op_id a UUIDv7
 * @property {number} seq its place in the queue
 * @property {string} device
 * @property {number} sequence the device's count
 * @property {string} subject "kind:id", as "work_order:W-12"
 * @property {string} action
 * @property {number | null} base_version
 * @property {Record<string, unknown>} body
 * @property {string} occurred_at
 * @property {string | null} by_phone_for
 * @property {string[]} photos hashes of the photos it speaks of
 * @property {number} person_id
 * @property {string} person_name
 * @property {OpState} state
 * @property {boolean} is_sent whether it ever left the device; then the server may know it
 * @property {string} [replaces] the op_id of the refused one that it says again
 * @property {Answer} [answer]
 * @property {string} [answered_at] by the device's clock
 * @property {"mine" | "theirs" | "dropped"} [resolved] what a person made of a refusal
 */

/**
 * A photo on the device. `taken_at`, `lon` and `lat` are what the camera claims.
 * @typedef {object} KeptPhoto
 * @property {string} sha256 of what is sent
 * @property {string} original_sha256 of the file as the camera wrote it
 * @property {Blob | null} blob null once the server has it
 * @property {number} bytes
 * @property {string | null} taken_at
 * @property {number | null} lon
 * @property {number | null} lat
 * @property {string} kept_at
 * @property {number} person_id
 * @property {string} person_name
 * @property {"here" | "sending" | "confirmed" | "needs_you"} state
 * @property {string} [problem] what the server said against it
 */

/**
 * @typedef {object} Tables
 * @property {{key: string, value: Op, indexes: {by_seq: number}}} ops
 * @property {{key: string, value: Op, indexes: {by_seq: number}}} parked
 * @property {{key: string, value: Op, indexes: {by_answered_at: string}}} answers
 * @property {{key: string, value: KeptPhoto}} photos
 * @property {{key: string, value: any}} kv
 * @property {{key: string, value: any}} chunks
 * @property {{key: number, value: any}} positions
 */

/** @typedef {import("../../vendor/idb.js").DBSchema & Tables} Schema */
/** @typedef {import("../../vendor/idb.js").IDBPDatabase<Schema>} Database */
/** @typedef {keyof Tables} StoreName */
/** @typedef {import("../../vendor/idb.js").IDBPTransaction<Schema, StoreName[], "readwrite">} Writing */

export const NAME = "fieldops-tablet";
const VERSION = 1;

/** The device has no room left; nothing was written, and what the person made is still in the form. */
export class StorageFull extends Error {
  /** @param {unknown} [cause] */
  constructor(cause) {
    super(say("This device has no room left: this was not recorded. What you entered is still on the page. Delete pictures or other apps' data on the device, or send or export what waits in the outbox; then try again."), { cause });
    this.name = "StorageFull";
  }
}

/** @type {Promise<Database> | null} */
let opened = null;

/** @returns {Promise<Database>} */
export function open() {
  opened ??= begin().catch((error) => {
    opened = null;
    throw error;
  });
  return opened;
}

/** @returns {Promise<Database>} */
function begin() {
  /** @type {Promise<any>} */
  const database = openDB(NAME, VERSION, {
    upgrade(db) {
      for (const name of /** @type {const} */ (["ops", "parked"])) {
        db.createObjectStore(name, { keyPath: "op_id" }).createIndex("by_seq", "seq");
      }
      db.createObjectStore("answers", { keyPath: "op_id" }).createIndex("by_answered_at", "answered_at");
      db.createObjectStore("photos", { keyPath: "sha256" });
      db.createObjectStore("kv");
      db.createObjectStore("chunks");
      db.createObjectStore("positions", { autoIncrement: true });
    },
    // A newer page wants to change the database: let it, and open anew when next asked.
    blocking: (_current, _blocked, event) => {
      opened = null;
      /** @type {IDBDatabase} */ (event.target).close();
    },
    terminated: () => {
      opened = null;
    },
  });
  return database;
}

/**
 * Write, and give the result only when it is on the disk; all of it or nothing.
 * @template Result
 * @param {StoreName[]} stores
 * @param {(writing: Writing) => Promise<Result>} work - awaits nothing but the transaction itself
 * @returns {Promise<Result>}
 * @throws {StorageFull} when there is no room
 */
export async function durably(stores, work) {
  const db = await open();
  const writing = db.transaction(stores, "readwrite", { durability: "strict" });
  try {
    const result = await work(/** @type {Writing} */ (writing));
    await writing.done;
    return result;
  } catch (error) {
    const reason = writing.error ?? error;
    try {
      writing.abort();
    } catch {
      // It is over already.
    }
    await writing.done.catch(() => undefined);
    throw isFull(reason) || isFull(error) ? new StorageFull(reason) : error;
  }
}

/** @param {unknown} error */
export const isFull = (error) =>
  error instanceof StorageFull || (error instanceof DOMException && error.name === "QuotaExceededError");

/** Small values by name. */
export const kv = {
  /**
   * @param {string} key
   * @returns {Promise<any>} undefined when there is none
   */
  get: async (key) => (await open()).get("kv", key),
  /**
   * @param {string} key
   * @param {unknown} value
   * @returns {Promise<void>}
   */
  set: (key, value) => durably(["kv"], async (writing) => void (await writing.objectStore("kv").put(value, key))),
  /**
   * @param {string} key
   * @returns {Promise<void>}
   */
  remove: (key) => durably(["kv"], (writing) => writing.objectStore("kv").delete(key)),
};

/**
 * What the browser says of the room on the device; null where it says nothing.
 * @typedef {{used: number | null, most: number | null, is_persisted: boolean | null}} Room
 */

/** @returns {Promise<Room>} */
export async function room() {
  const estimate = await navigator.storage?.estimate?.().catch(() => null);
  const is_persisted = await navigator.storage?.persisted?.().catch(() => null);
  return { used: estimate?.usage ?? null, most: estimate?.quota ?? null, is_persisted: is_persisted ?? null };
}

/** Ask the browser, once a page, to clear nothing of ours by itself. @type {Promise<boolean> | null} */
let asked = null;

/** @returns {Promise<boolean>} whether it promised so */
export function persist() {
  asked ??= (async () => {
    try {
      return (await navigator.storage.persisted()) || (await navigator.storage.persist());
    } catch {
      return false;
    }
  })();
  return asked;
}
