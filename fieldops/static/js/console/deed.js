/**
 * What was just done, and ten seconds in which it can be undone.
 * It is sent at once and undone by the opposite operation: the crew and every other screen see it
 * without delay, and a closed tab loses nothing. Waiting ten seconds would cost the customers those.
 */
import { Problem } from "../map/api.js";
import { announce } from "../map/drawer.js";
import { find, make } from "../map/elements.js";
import { say } from "../map/words.js";

const UNDO_S = 10;

/** @type {{until: number, undo: () => Promise<unknown>} | null} */
let open = null;
let timer = 0;

/** @param {"none" | "doing" | "done" | "failed"} state @param {(Node | false)[]} parts */
function show(state, parts) {
  const bar = find("deed");
  bar.dataset.deed = state;
  bar.setAttribute("role", state === "failed" ? "alert" : "status");
  bar.replaceChildren(...parts.filter((part) => part instanceof Node));
  bar.hidden = state === "none";
}

export function clearDeed() {
  clearInterval(timer);
  open = null;
  show("none", []);
}

/**
 * Do something and say so.
 * @template T
 * @param {{doing: string, done: (result: T) => string, act: () => Promise<T>, undo?: (result: T) => Promise<unknown>, lost?: string}} deed
 * @returns {Promise<T | null>} null when it was refused
 */
export async function perform({ doing, done, act, undo, lost }) {
  clearDeed();
  show("doing", [make("p", {}, doing)]);
  try {
    const result = await act();
    succeed(done(result), undo && (() => undo(result)));
    return result;
  } catch (error) {
    tellFailure(error, lost);
    return null;
  }
}

/**
 * @param {unknown} error
 * @param {string} [lost] - said before the reason when somebody else was first
 */
export function tellFailure(error, lost) {
  if (!(error instanceof Problem)) throw error;
  const text = error.status === 409 && lost ? `${lost} ${error.message}` : error.message;
  show("failed", [make("p", {}, make("strong", {}, say("not-done")), " ", text),
    make("button", { type: "button", click: clearDeed }, say("understood"))]);
}

/**
 * @param {string} text
 * @param {(() => Promise<unknown>) | undefined} undo
 */
function succeed(text, undo) {
  announce(text);
  const button = undo && make("button", { type: "button", class: "undo", click: undoNow });
  show("done", [make("p", {}, text), button ?? false]);
  const until = performance.now() + UNDO_S * 1000;
  if (undo) open = { until, undo };
  const tick = () => {
    const left = Math.ceil((until - performance.now()) / 1000);
    if (left <= 0) return clearDeed();
    if (button) button.textContent = say("undo", { n: left });
  };
  tick();
  timer = setInterval(tick, 250);
}

/** Take the last deed back, while its ten seconds last. @returns {boolean} */
export function undoNow() {
  if (!open || performance.now() > open.until) return false;
  const { undo } = open;
  clearDeed();
  show("doing", [make("p", {}, say("undoing"))]);
  undo().then(() => succeed(say("undone"), undefined), (error) => tellFailure(error));
  return true;
}

/** Say something that was not done, and why. @param {string} text */
export function refuse(text) {
  clearDeed();
  show("failed", [make("p", {}, text), make("button", { type: "button", click: clearDeed }, say("understood"))]);
}
