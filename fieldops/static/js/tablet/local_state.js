/** The day's jobs as they are by now, with what was recorded on this device and is not sent yet. */
import { isOnline } from "./connection.js";
import { day, dayAskedAt, jobOf, watchDay } from "./day.js";
import { withOps } from "./job_state.js";
import { findUnreleased } from "./may_reopen.js";
import { enqueue, listOps, onOutboxChange } from "./outbox.js";
import { session } from "./session.js";
import { say } from "./words.js";

export { withOps };

/** @typedef {import("./job_state.js").JobNow} JobNow */
/** @typedef {import("./job_state.js").OutageNow} OutageNow */

/**
 * One job as it is by now; null if it is not in the day.
 * @param {string} id
 * @returns {Promise<JobNow | null>}
 */
export async function jobNow(id) {
  const job = jobOf(id);
  return job ? withOps(job, await listOps()) : null;
}

/**
 * All jobs of the day as they are by now; null if this device has never heard a day.
 * @returns {Promise<JobNow[] | null>}
 */
export async function jobsNow() {
  const heard = day();
  if (!heard) return null;
  const ops = await listOps();
  return heard.jobs.map((job) => withOps(job, ops));
}

/**
 * Be told when a job may have become another: by the server's day, or by what was recorded here.
 * @param {() => void} fn
 * @returns {() => void} stops it
 */
export function watchJobs(fn) {
  const stops = [watchDay(fn), onOutboxChange(fn)];
  return () => {
    for (const stop of stops) stop();
  };
}

/** The crews of whoever is signed in. */
export const ownCrews = () => (session()?.crews ?? day()?.crews ?? []).map((crew) => crew.id);

/**
 * Record a step of an order, on the version that was seen.
 * @param {JobNow} job
 * @param {string} action
 * @param {Record<string, unknown>} [body]
 * @param {string[]} [photos]
 */
export const recordStep = (job, action, body = {}, photos = []) =>
  enqueue({ subject: `work_order:${job.id}`, action, base_version: job.version, body, photos });

/** An answer of the server as young as this tells that there is a signal. */
const FRESH_MS = 30_000;

/** Whether the server was heard just now; a network alone is no signal. */
const hears = () => navigator.onLine && (isOnline() === true || Date.now() - (dayAskedAt()?.getTime() ?? 0) < FRESH_MS);

/**
 * Record something done to an outage, on the version that was seen. With no signal nothing that
 * opens a valve is recorded, unless the dispatcher has released it.
 * @param {OutageNow} outage
 * @param {string} action
 * @param {Record<string, unknown>} body
 * @param {string[]} [photos]
 */
export async function recordDeed(outage, action, body, photos = []) {
  const valve = findUnreleased(outage, action, body, { is_online: hears() });
  if (valve !== null) throw new Error(say("No signal. Call the dispatcher before you open %(valve)s: without a release code it stays shut.", { valve }));
  return enqueue({ subject: `outage:${outage.id}`, action, base_version: outage.version, body, photos });
}
