/** The field that takes commands and looks things up, with what can come next below it. */
import { ask, Problem } from "../map/api.js";
import { find, make } from "../map/elements.js";
import { say } from "../map/words.js";
import { complete, faultOf, parse, VERBS } from "./commands.js";

/** @typedef {import("./board.js").Board} Board */
/** @typedef {import("./commands.js").Command} Command */
/** @typedef {import("./commands.js").Completion} Completion */
/** @typedef {{kind: string, id: string, label: string, lon: number, lat: number}} Found */

const PAUSE_MS = 150;
const MOST_SHOWN = 12;

/**
 * @param {{board: () => Board | null, run: (command: Command) => void, found: (place: Found) => void}} hands
 */
export function makeCommandBar({ board, run, found }) {
  const input = /** @type {HTMLInputElement} */ (find("command"));
  const list = find("completions");
  /** @type {{choose: () => void, cells: [string, string, string]}[]} */
  let offers = [];
  let current = -1;
  let timer = 0;
  /** @type {AbortController | undefined} */
  let running;

  /** @param {string} state @param {string} [text] */
  function show(state, text = "") {
    list.dataset.state = state;
    list.replaceChildren(...offers.map(({ cells: [kind, id, detail] }, index) => make("li", {
      id: `completion-${index}`, role: "option", "aria-selected": "false", "data-id": id,
      mousedown: (event) => { event.preventDefault(); take(index); },
    }, make("span", { class: "kind" }, kind), make("span", { class: "id" }, id), make("span", { class: "quiet" }, detail))));
    find("command-state").textContent = text;
    list.hidden = offers.length === 0;
    input.setAttribute("aria-expanded", String(offers.length > 0));
    mark(-1);
  }

  /** @param {number} index */
  function mark(index) {
    current = index;
    [...list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === current)));
    list.children[current]?.scrollIntoView({ block: "nearest" });
    if (current >= 0) input.setAttribute("aria-activedescendant", `completion-${current}`);
    else input.removeAttribute("aria-activedescendant");
  }

  /** @param {number} index */
  function take(index) {
    offers[index]?.choose();
  }

  function look() {
    clearTimeout(timer);
    running?.abort();
    offers = complete(input.value, board(), (verb) => say(`command.${verb}`)).slice(0, MOST_SHOWN).map(toOffer);
    show(input.value.trim() ? "shown" : "empty");
    const command = parse(input.value);
    if (command?.name === "find" && command.rest) timer = setTimeout(() => search(command.rest), PAUSE_MS);
  }

  /** @param {Completion} completion */
  function toOffer(completion) {
    return {
      cells: /** @type {[string, string, string]} */ (["", completion.label, completion.detail]),
      choose: () => { input.value = completion.text; input.focus(); look(); },
    };
  }

  /** @param {string} text */
  async function search(text) {
    const mine = (running = new AbortController());
    try {
      const answer = await ask(`/api/v1/search?q=${encodeURIComponent(text)}`, { signal: mine.signal });
      const places = /** @type {Found[]} */ (answer.results).slice(0, MOST_SHOWN);
      offers = [...offers, ...places.map((place) => ({
        cells: /** @type {[string, string, string]} */ ([say(`kind.${place.kind}`), place.id, place.label]),
        choose: () => { leave(); found(place); },
      }))].slice(0, MOST_SHOWN);
      show("found", places.length ? "" : say("nothing-found", { text }));
    } catch (error) {
      if (mine.signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      show("failed", error.message);
    }
  }

  function enter() {
    const command = parse(input.value);
    if (current >= 0) return take(current);
    if (!command) return;
    if (command.name === "find") {
      const first = offers.findIndex(({ cells }) => cells[0]);
      if (first >= 0) return take(first);
      search(command.rest);
      return;
    }
    const fault = faultOf(command);
    if (fault) {
      find("command-state").textContent = say("command-wants", { what: say(`wants.${fault.wants}`), usage: usageOf(command.name) });
      return;
    }
    leave();
    run(command);
  }

  function leave() {
    clearTimeout(timer);
    running?.abort();
    input.value = "";
    offers = [];
    show("empty");
    input.blur();
  }

  input.addEventListener("input", (event) => { if (!(/** @type {InputEvent} */ (event).isComposing)) look(); });
  input.addEventListener("compositionend", look);
  input.addEventListener("focus", look);
  input.addEventListener("blur", () => { list.hidden = true; input.setAttribute("aria-expanded", "false"); });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229) return;
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step && offers.length) mark((current + step + offers.length) % offers.length);
    else if (event.key === "Tab" && !event.shiftKey && offers.length && input.value) take(Math.max(current, 0));
    else if (event.key === "Enter") enter();
    else return;
    event.preventDefault();
  });
  find("command-form").addEventListener("submit", (event) => event.preventDefault());

  return {
    focus: () => { input.focus(); input.select(); },
    /** @returns {boolean} whether there was something to leave */
    leave: () => {
      if (document.activeElement !== input && !input.value) return false;
      leave();
      return true;
    },
  };
}

/** How a command is written. @param {string} name */
export const usageOf = (name) => [VERBS[name].words.slice(0, 2).join(" / "), ...VERBS[name].takes.map((kind) => say(`wants.${kind}`))].join(" ");

/** Put every command into the help. */
export function fillHelp() {
  find("help-commands").replaceChildren(...Object.keys(VERBS).flatMap((name) => [
    make("dt", {}, make("kbd", {}, usageOf(name))), make("dd", {}, say(`command.${name}`))]));
}
