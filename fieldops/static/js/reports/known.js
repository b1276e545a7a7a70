/** What is known of a place while the caller still speaks: promise, incident, what may be the same. */
import { ask, Problem } from "../map/api.js";
import { find, make } from "../map/elements.js";
import { say } from "../map/words.js";

const clock = new Intl.DateTimeFormat("sv-SE", { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", timeZone: "Asia/Shanghai" });

/** A moment as every page writes it: 11-24 01:30. @param {string} moment */
function sayTime(moment) {
  const parts = Object.fromEntries(clock.formatToParts(new Date(moment)).map(({ type, value }) => [type, value]));
  return `${parts.month}-${parts.day} ${parts.hour}:${parts.minute}`;
}

/** @param {{by: string | null, next_news_at: string | null} | null} promise */
function sayPromise(promise) {
  if (promise?.by) return say("by", { time: sayTime(promise.by) });
  if (promise?.next_news_at) return say("news", { time: sayTime(promise.next_news_at) });
  return say("no-promise");
}

/** @param {any} known */
function describePlace(known) {
  if (!known.place) return say("no-place");
  if (!known.place.pipe) return say("no-pipe");
  return say("on-pipe", { pipe: known.place.pipe, distance: Math.round(known.place.pipe_distance_m) });
}

/** @param {HTMLFormElement} form */
export function makeKnown(form) {
  const panel = find("known");
  /** @type {AbortController | undefined} */
  let running;
  let asked = "";

  /** @param {any} known */
  function show(known) {
    const to = known.links_to;
    const parts = [
      known.outage && make("p", { class: "promise" }, make("strong", {}, sayPromise(known.promise)), ` ${say("outage", { outage: known.outage })}`),
      to && make("p", { class: "links-to" }, say("links-to", { incident: to.id, kind: to.kind_name })),
      known.is_reopened && make("p", {}, say("reopened")),
      known.candidates.length > 0 && make("p", {}, say("may-be")),
      known.candidates.length > 0 && make("ol", {}, known.candidates.map((/** @type {any} */ one) => make("li", {}, make("strong", {}, one.id), ` ${one.kind_name} ${one.address ?? ""} `, make("span", { class: "help" }, one.why_text.join(" · "))))),
      known.earlier.length > 0 && make("p", {}, say("earlier"), " ", ...known.earlier.map((/** @type {any} */ one) => make("a", { href: `/calls?report=${encodeURIComponent(one.id)}` }, `${one.id} ${say(`incident.${one.kind}`)} (${say(`status.${one.status}`)}) `))),
      make("p", { class: "help" }, describePlace(known)),
    ];
    panel.replaceChildren(...parts.filter((part) => part instanceof Node));
    panel.dataset.state = known.outage ? "outage" : to ? "linked" : known.candidates.length ? "candidates" : "nothing";
    panel.hidden = false;
  }

  return async function refresh() {
    const fields = new FormData(form);
    const query = new URLSearchParams();
    for (const name of ["kind", "lon", "lat", "pipe", "customer", "address", "phone"]) {
      const value = String(fields.get(name) ?? "").trim();
      if (value) query.set(name, value);
    }
    const text = query.toString();
    const isPlaced = ["lon", "pipe", "customer", "address", "phone"].some((name) => query.has(name));
    if (!isPlaced || text === asked) return;
    asked = text;
    running?.abort();
    running = new AbortController();
    try {
      show(await ask(`/api/v1/reports/at?${text}`, { signal: running.signal }));
    } catch (error) {
      if (!(error instanceof Problem)) { if (error instanceof DOMException) return; throw error; }
      asked = "";
      panel.replaceChildren(make("p", {}, error.message));
      panel.dataset.state = "failed";
      panel.hidden = false;
    }
  };
}
