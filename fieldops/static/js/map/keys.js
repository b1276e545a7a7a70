/** Keys that work anywhere on the page, but never while somebody writes or an input method composes. */

/** @param {EventTarget | null} target */
function isWriting(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/**
 * @param {Record<string, () => unknown>} actions - by key; one that answers false leaves the key alone
 */
export function listenToKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229 || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    if (isWriting(event.target) && event.key !== "Escape") return;
    const act = actions[event.key];
    if (!act) return;
    if (act() !== false) event.preventDefault();
  });
}
