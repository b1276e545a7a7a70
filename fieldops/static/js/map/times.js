/** Moments as people read them here: local time, 24 hours, the day only when it is another. */
import { page } from "./page_data.js";
import { say } from "./words.js";

const language = page.language.replace("_", "-");
/** @type {Intl.DateTimeFormatOptions} */
const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const DAY_MS = 24 * 3600 * 1000;
const clock = new Intl.DateTimeFormat(language, CLOCK);
const day = new Intl.DateTimeFormat(language, { month: "short", day: "numeric" });
const near = new Intl.RelativeTimeFormat(language, { numeric: "auto" });

/**
 * @param {string} moment
 * @param {Date} [now]
 */
export function tell(moment, now = new Date()) {
  const date = new Date(moment);
  const days = Math.round((new Date(date).setHours(0, 0, 0, 0) - new Date(now).setHours(0, 0, 0, 0)) / DAY_MS);
  if (days === 0) return clock.format(date);
  return `${Math.abs(days) === 1 ? near.format(days, "day") : day.format(date)} ${clock.format(date)}`;
}

/**
 * Hours and minutes from now or between two moments.
 * @param {number} minutes
 */
export function span(minutes) {
  const whole = Math.round(Math.abs(minutes));
  if (whole < 60) return say("minutes", { n: whole });
  return say("hours", { h: Math.floor(whole / 60), m: String(whole % 60).padStart(2, "0") });
}

/**
 * @param {string} from
 * @param {string} until
 */
export function minutesBetween(from, until) {
  return (Date.parse(until) - Date.parse(from)) / 60_000;
}
