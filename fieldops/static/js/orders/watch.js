/**
 * A page of orders that is out of date says so at once, and reloads by itself while nobody is
 * filling anything in. Without this script the pages work as well.
 */
import { follow } from "../console/live.js";

const sheet = /** @type {HTMLElement | null} */ (document.querySelector("[data-live]"));
const banner = /** @type {HTMLElement | null} */ (document.querySelector("[data-live-banner]"));
let isTouched = false;

/** Nobody's words are thrown away by a reload. */
function mayReload() {
  return !isTouched && !document.querySelector("details[open]") && document.getSelection()?.isCollapsed !== false;
}

/** @param {import("../console/live.js").Happening} happening */
function concerns({ subject, body }) {
  if (!sheet || !subject.startsWith("work_order:")) return false;
  return sheet.dataset.live === "*" || sheet.dataset.live === body.id;
}

if (sheet && banner) {
  addEventListener("input", () => { isTouched = true; });
  follow(Number(sheet.dataset.position), {
    happened: (happening) => {
      if (!concerns(happening)) return;
      if (mayReload()) location.reload();
      else banner.hidden = false;
    },
    opened: () => { sheet.dataset.isLive = "yes"; },
    alive: () => {},
    lost: () => { delete sheet.dataset.isLive; },
    restarted: () => { banner.hidden = false; },
  });
}
