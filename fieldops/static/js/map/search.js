/** The one search field: ids, addresses, roads. Arrows or j and k walk the results. */
import { ask, Problem } from "./api.js";
import { find, make } from "./elements.js";
import { say } from "./words.js";

/** @typedef {{kind: string, id: string, label: string, lon: number, lat: number}} Found */

const PAUSE_MS = 150;

/**
 * @param {(found: Found) => void} choose
 * @returns {{focus: () => void, clear: () => boolean, move: (step: number) => boolean}}
 */
export function makeSearch(choose) {
  const input = /** @type {HTMLInputElement} */ (find("search"));
  const list = find("results");
  /** @type {Found[]} */
  let results = [];
  let current = -1;
  /** @type {AbortController | undefined} */
  let running;
  let timer = 0;

  /** @param {number} index */
  function select(index) {
    current = index;
    [...list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === current)));
    list.children[current]?.scrollIntoView({ block: "nearest" });
    for (const element of [input, list]) {
      if (current >= 0) element.setAttribute("aria-activedescendant", `result-${current}`);
      else element.removeAttribute("aria-activedescendant");
    }
  }

  /** @param {string} state @param {string} [text] */
  function show(state, text) {
    list.dataset.state = state;
    list.replaceChildren(...results.map(({ kind, id, label }, index) => make("li", {
      id: `result-${index}`, role: "option", "aria-selected": "false", "data-kind": kind, "data-id": id,
      click: () => take(index),
    }, make("span", { class: "kind" }, say(`kind.${kind}`)), make("span", { class: "id" }, id), make("span", { class: "quiet" }, label))));
    find("search-state").textContent = text ?? "";
    list.hidden = results.length === 0;
    input.setAttribute("aria-expanded", String(results.length > 0));
    select(results.length ? 0 : -1);
  }

  /** @param {number} index */
  function take(index) {
    const found = results[index];
    if (!found) return;
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    choose(found);
  }

  async function look() {
    const text = input.value.trim();
    running?.abort();
    results = [];
    if (!text) return show("empty");
    running = new AbortController();
    try {
      const answer = await ask(`/api/v1/search?q=${encodeURIComponent(text)}`, { signal: running.signal });
      results = answer.results;
      show("shown", !answer.is_indexed ? say("not-indexed") : results.length ? "" : say("nothing-found", { text }));
    } catch (error) {
      if (error instanceof Problem) show("failed", error.message);
      else if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
    }
  }

  input.addEventListener("input", (event) => {
    if (/** @type {InputEvent} */ (event).isComposing) return;
    clearTimeout(timer);
    timer = setTimeout(look, PAUSE_MS);
  });
  input.addEventListener("compositionend", look);
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (!list.hidden) take(current);
    }
  });
  list.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); take(current); } });
  input.addEventListener("focus", () => { if (results.length) { list.hidden = false; input.setAttribute("aria-expanded", "true"); } });

  /** @param {number} step */
  function move(step) {
    if (!results.length) return false;
    list.hidden = false;
    select((current + step + results.length) % results.length);
    return true;
  }

  return {
    focus: () => { input.focus(); input.select(); },
    clear: () => {
      if (list.hidden && !input.value) return false;
      input.value = "";
      results = [];
      show("empty");
      return true;
    },
    move: (step) => { const moved = move(step); if (moved) list.focus(); return moved; },
  };
}
