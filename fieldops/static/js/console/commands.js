/** Short commands, by letters or in Chinese: what they mean, and how they can go on. */

/** @typedef {import("./board.js").Board} Board */
/** @typedef {{name: string, args: string[], rest: string}} Command */
/** @typedef {{text: string, label: string, detail: string}} Completion */

/**
 * @typedef {object} Verb
 * @property {string[]} words - the first is the one that help shows in English, the second in Chinese
 * @property {("order" | "crew" | "outage" | "incident" | "any" | "text")[]} takes
 */

/** @type {Record<string, Verb>} */
export const VERBS = {
  assign: { words: ["assign", "派单", "派工", "派"], takes: ["order", "crew", "text"] },
  why: { words: ["why", "为什么"], takes: ["order"] },
  hold: { words: ["hold", "挂起"], takes: ["order", "text"] },
  resume: { words: ["resume", "解挂"], takes: ["order"] },
  open: { words: ["open", "打开"], takes: ["any"] },
  close: { words: ["close", "结束", "办结"], takes: ["outage"] },
  find: { words: ["find", "查找", "查"], takes: ["text"] },
  help: { words: ["help", "帮助"], takes: [] },
};

const PATTERNS = { order: /^W-\d+$/i, crew: /\S/, outage: /^[OI]-\d+$/i, incident: /^I-\d+$/i, any: /^[WIOC]-\S+$/i, text: /\S/ };

/**
 * What was typed as a command; anything that begins with no verb is looked for.
 * @param {string} typed
 * @returns {Command | null} null: nothing typed
 */
export function parse(typed) {
  const text = typed.trim().replace(/\s+/g, " ");
  if (!text) return null;
  const [first, ...others] = text.split(" ");
  const name = nameOf(first);
  if (!name) return PATTERNS.any.test(text) ? { name: "open", args: [text.toUpperCase()], rest: "" } : { name: "find", args: [], rest: text };
  const { takes } = VERBS[name];
  const ids = takes.filter((kind) => kind !== "text").length;
  return { name, args: others.slice(0, ids).map((id) => PATTERNS.any.test(id) ? id.toUpperCase() : id), rest: others.slice(ids).join(" ") };
}

/** @param {string} word */
function nameOf(word) {
  const small = word.toLowerCase();
  return Object.keys(VERBS).find((name) => VERBS[name].words.includes(small)) ?? null;
}

/**
 * What keeps a command from being carried out: the position of the first argument that does not fit.
 * @param {Command} command
 * @returns {{at: number, wants: string} | null}
 */
export function faultOf({ name, args, rest }) {
  const { takes } = VERBS[name];
  for (const [at, wants] of takes.entries()) {
    if (wants === "text") {
      if (name === "find" && !rest) return { at, wants };
    } else if (!PATTERNS[wants].test(args[at] ?? "")) {
      // A crew may be left out: then the suggested one is meant.
      if (!(name === "assign" && wants === "crew" && args[at] === undefined)) return { at, wants };
    }
  }
  return null;
}

/**
 * How a text can go on, best first.
 * @param {string} typed
 * @param {Board | null} board
 * @param {(key: string) => string} explain - what a verb does
 * @returns {Completion[]}
 */
export function complete(typed, board, explain) {
  const words = typed.trimStart().split(/\s+/);
  const last = (words.at(-1) ?? "").toLowerCase();
  const name = words.length > 1 ? nameOf(words[0]) : null;
  if (words.length === 1) {
    return [
      ...Object.entries(VERBS).flatMap(([verb, { words: spellings }]) => {
        const fit = last ? spellings.find((spelling) => spelling.startsWith(last)) : spellings[0];
        return fit ? [{ text: `${fit} `, label: fit, detail: explain(verb) }] : [];
      }),
      ...(last ? things("any", board).filter(({ label }) => label.toLowerCase().startsWith(last))
        .map((thing) => ({ ...thing, text: thing.label })) : []),
    ];
  }
  if (!name) return [];
  const wants = VERBS[name].takes[words.length - 2];
  if (!wants || wants === "text") return [];
  const before = words.slice(0, -1).join(" ");
  return things(wants, board, name, words)
    .filter(({ label, detail }) => label.toLowerCase().startsWith(last) || detail.toLowerCase().includes(last))
    .map((thing) => ({ ...thing, text: `${before} ${thing.label} ` }));
}

/**
 * @param {string} kind
 * @param {Board | null} board
 * @param {string} [verb]
 * @param {string[]} [words]
 * @returns {Completion[]}
 */
function things(kind, board, verb = "", words = []) {
  if (!board) return [];
  const orders = () => board.orders
    .filter((order) => verb === "resume" ? order.is_on_hold : verb !== "hold" || !order.is_on_hold)
    .map(({ id, address, pipe }) => ({ text: id, label: id, detail: address ?? pipe ?? "" }));
  const crews = () => {
    const first = board.suggestions.find(({ order }) => order === words[1]?.toUpperCase())?.crew;
    return [...board.crews].sort((one, other) => Number(other.id === first) - Number(one.id === first))
      .map(({ id, name }) => ({ text: id, label: id, detail: name }));
  };
  const outages = () => board.outages.map(({ id, incident }) => ({ text: id, label: id, detail: incident ?? "" }));
  const incidents = () => board.incidents.map(({ id, address }) => ({ text: id, label: id, detail: address ?? "" }));
  if (kind === "order") return orders();
  if (kind === "crew") return crews();
  if (kind === "outage") return [...outages(), ...incidents()];
  if (kind === "incident") return incidents();
  return [...orders(), ...incidents(), ...outages(), ...crews()];
}
