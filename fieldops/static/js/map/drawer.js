/** The sheet at the side that answers; Escape closes it and gives the focus back. */
import { find } from "./elements.js";

/** @type {Element | null} */
let cameFrom = null;

/** @param {"loading" | "shown" | "failed"} state */
export function setDrawerState(state) {
  find("drawer").dataset.answerState = state;
  find("drawer").setAttribute("aria-busy", String(state === "loading"));
}

export const isDrawerOpen = () => !find("drawer").hidden;

/**
 * @param {string} title
 * @param {(Node | string)[]} content
 */
export function showDrawer(title, content) {
  const drawer = find("drawer");
  if (drawer.hidden) cameFrom = document.activeElement;
  drawer.hidden = false;
  document.body.classList.add("with-drawer");
  find("drawer-title").textContent = title;
  const body = find("drawer-body");
  const kept = document.activeElement instanceof HTMLElement && body.contains(document.activeElement)
    ? document.activeElement.dataset.focus : undefined;
  body.replaceChildren(...content);
  if (kept) refocus(body, kept);
}

/**
 * The content was made anew: put the focus on the same thing, or on its heading.
 * @param {HTMLElement} body
 * @param {string} name
 */
function refocus(body, name) {
  const same = [...body.querySelectorAll("[data-focus]")].find(
    (element) => element instanceof HTMLElement && element.dataset.focus === name);
  (same instanceof HTMLElement ? same : find("drawer-title")).focus();
}

export function closeDrawer() {
  const drawer = find("drawer");
  if (drawer.hidden) return false;
  const hadFocus = drawer.contains(document.activeElement);
  drawer.hidden = true;
  document.body.classList.remove("with-drawer");
  setDrawerState("shown");
  drawer.dataset.answerState = "none";
  if (hadFocus && cameFrom instanceof HTMLElement && cameFrom.isConnected) cameFrom.focus();
  return true;
}

/** Say something to those who hear the page. @param {string} text */
export function announce(text) {
  find("announcement").textContent = text;
}
