/** Light or dark: light unless somebody chose dark on this tablet, whatever the browser would like. */

/** @typedef {"light" | "dark"} Theme */

const KEPT_AS = "fieldops-tablet.theme";
/** @type {Set<() => void>} */
const watchers = new Set();

/** @returns {Theme} */
export const theme = () => (localStorage.getItem(KEPT_AS) === "dark" ? "dark" : "light");

function apply() {
  document.documentElement.dataset.theme = theme();
  for (const tell of watchers) tell();
}

/** @param {Theme} chosen */
export function setTheme(chosen) {
  localStorage.setItem(KEPT_AS, chosen);
  apply();
}

/**
 * @param {() => void} tell
 * @returns {() => void} what stops it
 */
export function watchTheme(tell) {
  watchers.add(tell);
  return () => { watchers.delete(tell); };
}

addEventListener("storage", (event) => { if (event.key === KEPT_AS) apply(); });
apply();
