/** The field for a place: suggestions by address, road, pipe and customer, walked by the arrows. */
import { ask, Problem } from "../map/api.js";
import { find, make } from "../map/elements.js";
import { say } from "../map/words.js";

/** @typedef {{kind: string, id: string, label: string, lon: number, lat: number}} Found */

const PAUSE_MS = 150;
const PLACES = new Set(["customer", "road", "pipe", "valve", "hydrant", "node"]);

/**
 * @param {HTMLFormElement} form
 * @param {string} id - of the field; its parts are named after it
 * @param {() => void} changed - called whenever another place is meant
 */
export function makePlaceField(form, id, changed) {
  const input = /** @type {HTMLInputElement} */ (find(id));
  const list = find(`${id}-results`);
  const state = find(`${id}-state`);
  const chosen = find(`${id}-chosen`);
  /** @type {Found[]} */
  let results = [];
  let current = -1;
  let timer = 0;
  /** @type {AbortController | undefined} */
  let running;

  /** @param {string} name @param {string} value */
  function set(name, value) {
    /** @type {HTMLInputElement} */ (form.elements.namedItem(name)).value = value;
  }

  function forget() {
    for (const name of ["lon", "lat", "pipe", "customer"]) set(name, "");
    chosen.hidden = true;
  }

  /** @param {Found} found */
  function choose(found) {
    forget();
    if (found.kind === "customer") set("customer", found.id);
    else if (found.kind === "pipe") set("pipe", found.id);
    else {
      set("lon", String(found.lon));
      set("lat", String(found.lat));
    }
    if (found.label) input.value = found.label;
    chosen.textContent = `${say(`kind.${found.kind}`)} ${found.id}`;
    chosen.hidden = false;
    hide();
    changed();
  }

  function hide() {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  /** @param {number} index */
  function select(index) {
    current = index;
    [...list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === index)));
    list.children[index]?.scrollIntoView({ block: "nearest" });
    if (index >= 0) input.setAttribute("aria-activedescendant", `${id}-${index}`);
    else input.removeAttribute("aria-activedescendant");
  }

  /** @param {string} text */
  function show(text) {
    list.replaceChildren(...results.map((found, index) => make("li", {
      id: `${id}-${index}`, role: "option", "aria-selected": "false",
      mousedown: (event) => { event.preventDefault(); choose(found); },
    }, make("span", { class: "tag" }, say(`kind.${found.kind}`)), ` ${found.label || found.id} `, make("span", { class: "help" }, found.label ? found.id : ""))));
    list.hidden = results.length === 0;
    input.setAttribute("aria-expanded", String(results.length > 0));
    state.textContent = text;
    select(-1);
  }

  async function look() {
    const text = input.value.trim();
    running?.abort();
    results = [];
    if (!text) return show("");
    running = new AbortController();
    try {
      const answer = await ask(`/api/v1/search?q=${encodeURIComponent(text)}`, { signal: running.signal });
      results = answer.results.filter((/** @type {Found} */ found) => PLACES.has(found.kind)).slice(0, 8);
      show(!answer.is_indexed ? say("not-indexed") : results.length ? "" : say("nothing-found", { text }));
    } catch (error) {
      if (error instanceof Problem) show(error.message);
      else if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
    }
  }

  input.addEventListener("input", (event) => {
    forget();
    if (/** @type {InputEvent} */ (event).isComposing) return;
    clearTimeout(timer);
    timer = setTimeout(look, PAUSE_MS);
  });
  input.addEventListener("compositionend", look);
  input.addEventListener("blur", () => { hide(); if (input.value.trim()) changed(); });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step && results.length) {
      event.preventDefault();
      list.hidden = false;
      select((current + step + results.length) % results.length);
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      const found = results[Math.max(current, 0)];
      if (found && !list.hidden) choose(found);
    } else if (event.key === "Escape") hide();
  });
}
