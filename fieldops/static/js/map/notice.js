/** The one line that says when something is not as it should be. */
import { find, make } from "./elements.js";
import { say } from "./words.js";

/** @typedef {"offline" | "stale" | "failed" | "empty" | "tiles"} Matter */

/** The first of these that holds is shown. @type {readonly Matter[]} */
const ORDER = ["offline", "failed", "tiles", "stale", "empty"];

/** @type {Map<Matter, {text: string, action: string, act: () => void} | {text: string}>} */
const open = new Map();

/**
 * @param {Matter} matter
 * @param {string} text
 * @param {{action: string, act: () => void}} [way] - what the person can do about it
 */
export function raise(matter, text, way) {
  const known = open.get(matter);
  if (known?.text === text) return;
  open.set(matter, { text, ...way });
  show();
}

/** @param {Matter} matter */
export function settle(matter) {
  if (open.delete(matter)) show();
}

function show() {
  const element = find("notice");
  const matter = ORDER.find((one) => open.has(one));
  const notice = matter && open.get(matter);
  element.dataset.matter = matter ?? "";
  element.hidden = !notice;
  if (!notice) return;
  const button = "action" in notice && make("button", { type: "button", click: notice.act }, notice.action);
  element.replaceChildren(make("p", {}, notice.text), ...(button ? [button] : []));
}

/** Follow whether the browser has a network at all. */
export function followConnection() {
  const look = () => (navigator.onLine ? settle("offline") : raise("offline", say("offline")));
  addEventListener("online", look);
  addEventListener("offline", look);
  look();
}
