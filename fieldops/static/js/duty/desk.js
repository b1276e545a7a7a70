/** The desk's page: it renews itself when something happens, unless somebody is writing on it. */
import { follow } from "../console/live.js";
import { find } from "../map/elements.js";

const KINDS = /^(incident|emergency|duty|outage)\./;
const SOONEST_MS = 3_000;

const page = find("desk");
const openedAt = performance.now();
let isWritten = false;
let isRenewing = false;

page.addEventListener("input", () => { isWritten = true; });

function renew() {
  const isBusy = isWritten || page.contains(document.activeElement);
  find("news").hidden = !isBusy;
  if (isBusy || isRenewing) return;
  isRenewing = true;
  // A burst brings many events at once: one renewal is enough for all of them.
  setTimeout(() => {
    isRenewing = false;
    if (isWritten || page.contains(document.activeElement)) find("news").hidden = false;
    else location.reload();
  }, Math.max(300, SOONEST_MS - (performance.now() - openedAt)));
}

follow(Number(page.dataset.position), {
  happened(happening) { if (KINDS.test(happening.kind)) renew(); },
  opened() {},
  alive() { find("silence").hidden = true; },
  lost() { find("silence").hidden = false; },
  restarted: renew,
});
document.documentElement.dataset.desk = "ready";
