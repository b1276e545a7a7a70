/** Where a job and each of its valves stand in the page. */

/** @typedef {import("./job_state.js").JobNow} JobNow */
/** @typedef {import("./job_state.js").ValveNow} ValveNow */

/** @param {string} id */
export const jobRoute = (id) => `#/job/${encodeURIComponent(id)}`;

/**
 * A valve's page; its table parts it from a pump of the same id.
 * @param {JobNow} job
 * @param {ValveNow} valve
 * @param {string} [more]
 */
export const valveRoute = (job, valve, more = "") =>
  `${jobRoute(job.id)}?valve=${encodeURIComponent(valve.valve)}${valve.table === "valve" ? "" : `&table=${valve.table}`}${more}`;
