/** What is asked: a pipe, a place on it, and valves taken to be otherwise than recorded. */

/** @typedef {"inoperable" | "unreachable" | "closed" | "opened"} Supposition */

/**
 * @typedef {object} Question
 * @property {string} pipe
 * @property {number | null} at_m
 * @property {{lon: number, lat: number} | null} click - the place, while only the map knows it
 * @property {ReadonlyMap<string, Supposition>} supposed - by valve id
 */

/** @type {readonly Supposition[]} */
export const SUPPOSITIONS = ["inoperable", "unreachable", "closed", "opened"];

/**
 * @param {Question} question
 * @returns {URLSearchParams}
 */
function place(question) {
  const query = new URLSearchParams();
  if (question.at_m !== null) query.set("at_m", question.at_m.toFixed(1));
  else if (question.click) {
    query.set("lon", question.click.lon.toFixed(7));
    query.set("lat", question.click.lat.toFixed(7));
  }
  return query;
}

/**
 * @param {Question} question
 * @param {URLSearchParams} query
 */
function addSupposed(question, query) {
  for (const [valve, supposition] of question.supposed) query.append(supposition, valve);
}

/**
 * Where the API answers it.
 * @param {Question} question
 */
export function outageUrl(question) {
  const query = place(question);
  addSupposed(question, query);
  query.set("keys", "1");
  return `/api/v1/pipes/${encodeURIComponent(question.pipe)}/outage?${query}`;
}

/**
 * A paper or file about the same question.
 * @param {string} path
 * @param {Question} question
 */
export function documentUrl(path, question) {
  const query = place(question);
  query.set("pipe", question.pipe);
  addSupposed(question, query);
  return `${path}?${query}`;
}

/**
 * The question that the address of the page asks, if any.
 * @param {string} search
 * @returns {Question | null}
 */
export function readAddress(search) {
  const query = new URLSearchParams(search);
  const pipe = query.get("pipe");
  if (!pipe) return null;
  const at_m = query.get("at_m") ? Number(query.get("at_m")) : NaN;
  /** @type {Map<string, Supposition>} */
  const supposed = new Map();
  for (const supposition of SUPPOSITIONS) {
    for (const valve of query.getAll(supposition)) supposed.set(valve, supposition);
  }
  return { pipe, at_m: Number.isFinite(at_m) ? at_m : null, click: null, supposed };
}

/**
 * Put the question into the address, so that it can be passed on.
 * @param {Question | null} question
 */
export function writeAddress(question) {
  const path = question ? documentUrl(location.pathname, question) : location.pathname;
  history.replaceState(null, "", path);
}

/**
 * The same question with one valve supposed otherwise, or with nothing supposed of it.
 * @param {Question} question
 * @param {string} valve
 * @param {Supposition | null} supposition
 * @returns {Question}
 */
export function suppose(question, valve, supposition) {
  const supposed = new Map(question.supposed);
  if (supposition) supposed.set(valve, supposition);
  else supposed.delete(valve);
  return { ...question, supposed };
}
