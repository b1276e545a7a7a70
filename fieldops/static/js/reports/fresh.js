/** Keeps parts of a page as fresh as the log: whatever happens, they are asked for again. */
import { follow } from "../console/live.js";
import { find } from "../map/elements.js";
import { page } from "../map/page_data.js";
import { say } from "../map/words.js";

const PAUSE_MS = 250;
const STALE_MS = 10_000;
const SUBJECTS = new Set(["incident", "report", "work_order", "outage"]);

/** @param {Element} part */
function isInUse(part) {
  if (part.contains(document.activeElement) && document.activeElement !== part) return true;
  return [...part.querySelectorAll("input, textarea")].some((field) => (
    field instanceof HTMLInputElement && field.type === "checkbox" ? field.checked !== field.defaultChecked
      : /** @type {HTMLInputElement} */ (field).value !== /** @type {HTMLInputElement} */ (field).defaultValue));
}

/** Replace the parts that carry data-fresh, but for those that somebody is filling in. */
async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer?.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-fresh]")) {
    const other = fresh.getElementById(part.id);
    if (other && !isInUse(part) && other.outerHTML !== part.outerHTML) part.replaceWith(document.adoptNode(other));
  }
}

export function keepFresh() {
  const state = find("fresh-state");
  let timer = 0;
  let stale = 0;
  const later = () => { clearTimeout(timer); timer = setTimeout(refresh, PAUSE_MS); };
  const alive = () => {
    clearTimeout(stale);
    stale = setTimeout(() => { state.textContent = say("offline"); state.hidden = false; }, STALE_MS);
    state.hidden = true;
  };
  alive();
  follow(/** @type {any} */ (page).position, {
    happened: ({ kind }) => { if (SUBJECTS.has(kind.split(".")[0] ?? "")) later(); },
    opened: () => { document.documentElement.dataset.fresh = "listening"; },
    alive,
    lost: () => {},
    restarted: later,
  });
}
