/** How up to date the console is: the age of the last event, and a loud line when nothing is heard. */
import { raise, settle } from "../map/notice.js";
import { find } from "../map/elements.js";
import { figure, say } from "../map/words.js";
import { secondsText, serverNow } from "./moments.js";

/** @typedef {import("./board.js").Board} Board */

const STALE_MS = 10_000;

export function makeStatus() {
  /** @type {number | null} */
  let heardAt = null;
  /** @type {string | null} */
  let lastEventAt = null;
  /** @type {"connecting" | "live" | "lost" | "full" | "signed-out"} */
  let state = "connecting";

  function show() {
    const silentMs = heardAt === null ? 0 : performance.now() - heardAt;
    const isStale = (heardAt !== null && silentMs > STALE_MS) || state === "signed-out";
    const age = lastEventAt ? secondsText((serverNow() - Date.parse(lastEventAt)) / 1000) : null;
    const line = find("live");
    line.dataset.live = isStale ? "stale" : state;
    const text = state === "connecting" ? say("connecting")
      : state !== "live" && !isStale ? say("live-lost")
      : isStale ? say("live-stale", { age: secondsText(silentMs / 1000) })
        : age ? say("live-age", { age }) : say("live-none");
    if (line.textContent !== text) line.textContent = text;
    document.body.classList.toggle("is-stale", isStale);
    if (isStale) {
      // The same sentence every second would be read out every second: tens of seconds are enough.
      const shown = Math.floor(silentMs / 10_000) * 10;
      raise("stale", say(state === "full" ? "stale-full" : state === "signed-out" ? "signed-out" : "stale-banner", { age: secondsText(shown) }));
    } else settle("stale");
  }

  setInterval(show, 500);
  return {
    alive() { heardAt = performance.now(); state = "live"; show(); },
    /** @param {number} status */
    lost(status) {
      state = status === 503 ? "full" : status === 401 || status === 403 ? "signed-out" : "lost";
      heardAt ??= performance.now();
      show();
    },
    /** @param {string} at */
    happened(at) {
      if (lastEventAt && Date.parse(lastEventAt) >= Date.parse(at)) return;
      lastEventAt = at;
      show();
    },
  };
}

/**
 * What the board counts, in one line.
 * @param {Board} board
 */
export function showCounts(board) {
  const known = board.incidents.filter(({ properties_out }) => properties_out !== null);
  const out = known.reduce((sum, { properties_out }) => sum + (properties_out ?? 0), 0);
  const unknown = board.incidents.length - known.length;
  const waiting = board.orders.filter(({ crew, is_on_hold }) => !crew && !is_on_hold).length;
  find("board-counts").textContent = [
    say("n-incidents", { n: figure(board.incidents.length) }),
    say("n-orders", { n: figure(board.orders.length), waiting: figure(waiting) }),
    say("n-out", { n: figure(out) }) + (unknown ? say("n-out-unknown", { n: figure(unknown) }) : ""),
  ].join(" · ");
}
