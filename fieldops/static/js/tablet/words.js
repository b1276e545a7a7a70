/** What the tablet says, in the language chosen on it; both languages are on the device. */

/** @typedef {"zh_CN" | "en"} Language */
/** @typedef {Record<string, Record<string, Record<Language, string>>>} Names - kind -> code -> words */

export const LANGUAGES = /** @type {const} */ ({ zh_CN: "中文", en: "English" });
const KEPT_AS = "fieldops-tablet.language";
const ZONE = "Asia/Shanghai";
/** So far clocks differ without anybody minding. */
const AHEAD_MIN = 5;

/** @type {Record<Language, Record<string, string>>} */
const catalogues = { zh_CN: {}, en: {} };
/** @type {Names} */
let names = {};
let chosen = firstLanguage();
/** @type {Set<() => void>} */
const watchers = new Set();

/** Chosen by hand on this tablet, or by ?lang=, else what the browser asks for, as on every page. */
function firstLanguage() {
  const asked = new URLSearchParams(location.search).get("lang");
  if (isLanguage(asked)) return keep(asked);
  const kept = localStorage.getItem(KEPT_AS);
  if (isLanguage(kept)) return kept;
  return navigator.language.toLowerCase().startsWith("en") ? "en" : "zh_CN";
}

/**
 * @param {unknown} code
 * @returns {code is Language}
 */
function isLanguage(code) {
  return code === "zh_CN" || code === "en";
}

/** @param {Language} code */
function keep(code) {
  localStorage.setItem(KEPT_AS, code);
  return code;
}

/** Whether a person chose a language on this tablet, so that sign-in does not change it. */
export const isLanguageChosen = () => isLanguage(localStorage.getItem(KEPT_AS));

/** @returns {Language} */
export const language = () => chosen;

/** @param {Language} code */
export function setLanguage(code) {
  chosen = keep(code);
  for (const tell of watchers) tell();
}

/**
 * @param {() => void} tell
 * @returns {() => void} what stops it
 */
export function watchLanguage(tell) {
  watchers.add(tell);
  return () => { watchers.delete(tell); };
}

/** Read both catalogues; what cannot be read is said in English, which is every message's own text. */
export async function loadWords() {
  await Promise.all(Object.keys(LANGUAGES).map(async (code) => {
    const answer = await fetch(`/tablet/words/${code}.json`).catch(() => null);
    const words = answer?.ok ? await answer.json().catch(() => null) : null;
    if (words) catalogues[/** @type {Language} */ (code)] = words;
  }));
}

/**
 * Say something: the English text is the key, "%(n)s" is replaced by values.n.
 * @param {string} text
 * @param {Record<string, string | number | null | undefined>} [values]
 * @returns {string}
 */
export function say(text, values = {}) {
  const said = catalogues[chosen][text] || text;
  return said.replace(/%\((\w+)\)[sdr]/g, (_, key) => {
    const value = values[key];
    return typeof value === "number" ? figure(value) : String(value ?? "");
  });
}

/**
 * A text that the server answered, in the language chosen here where the catalogue has it whole.
 * @param {string} text
 */
export const translated = (text) => catalogues[chosen][text] || text;

/**
 * Keep the words of the codes that the server uses (of the day's answer).
 * @param {Names} given
 */
export function setNames(given) {
  names = given;
}

/**
 * Name a code of the server: `name("states", "on_site")`; an unknown one is shown as it is.
 * @param {string} kind
 * @param {string | null | undefined} code
 * @returns {string}
 */
export function name(kind, code) {
  if (code === null || code === undefined) return "";
  return names[kind]?.[code]?.[chosen] ?? code;
}

/** What of a valve that nobody has worked yet is no order to close it. @type {Record<string, () => string>} */
const UNWORKED = { optional: () => say("may stay open"), verify_shut: () => say("to be checked"), pump: () => say("to be stopped"), source: () => say("to be stopped") };

/**
 * Say how a valve of a plan stands.
 * @param {{role: string, state: string}} valve
 */
export const valveState = ({ role, state }) => (state === "to_close" ? UNWORKED[role]?.() : undefined) ?? name("valve_state", state);

/** How the browser writes the language that is chosen. */
export const locale = () => chosen.replace("_", "-");

/** @param {number} number */
export const figure = (number) => new Intl.NumberFormat(locale(), { maximumFractionDigits: 2, useGrouping: Math.abs(number) >= 10_000 }).format(number);

/** @typedef {string | number | Date} Moment */

/**
 * The time of the day, "14:05"; with its day when that is not today.
 * @param {Moment} moment
 * @returns {string}
 */
export function clock(moment) {
  const at = new Date(moment);
  const day = (/** @type {Date} */ one) => one.toLocaleDateString("en-CA", { timeZone: ZONE });
  const time = at.toLocaleTimeString("en-GB", { timeZone: ZONE, hour: "2-digit", minute: "2-digit" });
  return day(at) === day(new Date()) ? time : `${day(at).slice(5)} ${time}`;
}

/**
 * A moment with its day, for whoever reads it later: "2026-11-24 03:05".
 * @param {Moment} moment
 */
export const dated = (moment) => new Date(moment).toLocaleString("sv-SE", { timeZone: ZONE }).slice(0, 16);

/**
 * How long ago something was, in the largest unit that says enough.
 * @param {Moment} moment
 * @returns {string}
 */
export function age(moment) {
  const minutes = Math.floor((Date.now() - new Date(moment).getTime()) / 60_000);
  // This clock was put back, or the other one is ahead: how old it is, nobody can tell.
  if (minutes < -AHEAD_MIN) return clock(moment);
  if (minutes < 1) return say("just now");
  if (minutes < 60) return say("%(n)s min ago", { n: minutes });
  if (minutes < 48 * 60) return say("%(n)s h ago", { n: Math.floor(minutes / 60) });
  return say("%(n)s days ago", { n: Math.floor(minutes / (24 * 60)) });
}

/**
 * A distance as people say it: "80 m", "1.2 km".
 * @param {number} metres
 * @returns {string}
 */
export function distance(metres) {
  if (metres < 1000) return say("%(n)s m", { n: Math.round(metres) });
  return say("%(n)s km", { n: Math.round(metres / 100) / 10 });
}

/** @param {number} bytes */
export function size(bytes) {
  if (bytes < 1_000_000) return say("%(n)s kB", { n: Math.ceil(bytes / 1000) });
  if (bytes >= 1_000_000_000) return say("%(n)s GB", { n: Math.round(bytes / 100_000_000) / 10 });
  return say("%(n)s MB", { n: Math.round(bytes / 100_000) / 10 });
}
