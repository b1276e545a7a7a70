/** Ages and limits by the server's clock, whatever the clock of this machine says. */
import { span, tell } from "../map/times.js";
import { say } from "../map/words.js";

const SOON_MIN = 10;
let aheadMs = 0;

/** @param {string} moment - what the server's clock shows at this instant */
export function setServerNow(moment) {
  aheadMs = Date.parse(moment) - Date.now();
}

export const serverNow = () => Date.now() + aheadMs;

/** @param {string} moment */
export function ageOf(moment) {
  const minutes = (serverNow() - Date.parse(moment)) / 60_000;
  return minutes < 1 ? say("just-now") : span(Math.floor(minutes));
}

/** @param {number} seconds */
export const secondsText = (seconds) => seconds < 60 ? say("seconds", { n: Math.max(0, Math.round(seconds)) }) : span(seconds / 60);

/**
 * How a limit stands: words, and whether it is met, near or passed.
 * @param {string} due
 * @returns {{text: string, state: "fine" | "soon" | "over"}}
 */
export function standOf(due) {
  const minutes = (Date.parse(due) - serverNow()) / 60_000;
  if (minutes < 0) return { text: say("overdue-by", { span: span(Math.ceil(-minutes)) }), state: "over" };
  return { text: say("left", { span: span(Math.floor(minutes)) }), state: minutes < SOON_MIN ? "soon" : "fine" };
}

/**
 * Bring every age and limit in a part of the page up to now.
 * @param {ParentNode} root
 */
export function refreshMoments(root) {
  for (const element of root.querySelectorAll("[data-age]")) {
    setText(element, ageOf(element.getAttribute("data-age") ?? ""));
  }
  for (const element of root.querySelectorAll("[data-due]")) {
    const { text, state } = standOf(element.getAttribute("data-due") ?? "");
    setText(element, text);
    element.setAttribute("data-stand", state);
  }
}

/**
 * @param {Element} element
 * @param {string} text
 */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A moment as read here, by the server's day. @param {string} moment */
export const clockOf = (moment) => tell(moment, new Date(serverNow()));
