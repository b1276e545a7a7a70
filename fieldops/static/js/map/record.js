/** Recording a fact of a valve for everybody, in two steps: what it does is said before it is done. */
import { Problem, send } from "./api.js";
import { compare } from "./difference.js";
import { find, make } from "./elements.js";
import { askOutage } from "./outage.js";
import { suppose } from "./question.js";
import { change, count, say } from "./words.js";

/** @typedef {import("./question.js").Question} Question */
/** @typedef {import("./question.js").Supposition} Supposition */
/** @typedef {import("./outage.js").Answer} Answer */

/** @type {Record<string, object>} */
const BODIES = {
  inoperable: { operability: "inoperable" },
  unreachable: { reachable: false },
  closed: { position: "closed" },
  opened: { position: "open" },
};

/**
 * What the fact does to the question: the number of customers belongs into the confirmation.
 * @param {Question} question
 * @param {string} valve
 * @param {Supposition} fact
 */
async function tellEffect(question, valve, fact) {
  const before = await askOutage(suppose(question, valve, null));
  const after = await askOutage(suppose(question, valve, fact));
  const changed = compare(before, after);
  const sentence = changed.properties
    ? say("effect-changes", { pipe: question.pipe, change: change("properties", changed.properties), total: count("properties", after.customers.properties) })
    : say("effect-same", { pipe: question.pipe, total: count("properties", after.customers.properties) });
  const lines = [sentence, after.isolated ? "" : say("not-isolated")];
  return { revision: before.network_revision, lines: lines.filter(Boolean) };
}

/**
 * Ask whether to record, and record. Resolves to true when it was done.
 * @param {{question: Question | null, revision: number, valve: string, fact: Supposition}} wish
 * @returns {Promise<boolean>}
 */
export function confirmAndRecord({ question, revision, valve, fact }) {
  const dialog = /** @type {HTMLDialogElement} */ (find("confirmation"));
  const text = make("div", {}, make("p", { role: "status" }, say("working-out")));
  const confirm = make("button", { type: "button", class: "primary", disabled: true, id: "confirm" }, say("record-for-all"));
  const cancel = make("button", { type: "button", id: "cancel" }, say("cancel"));
  dialog.replaceChildren(make("h2", { id: "confirmation-title" }, say(`confirm.${fact}`, { id: valve })), text,
    make("div", { class: "buttons" }, confirm, cancel));
  dialog.showModal();
  cancel.focus();
  let base = revision;
  const fail = (/** @type {unknown} */ error) => {
    if (!(error instanceof Problem)) throw error;
    text.replaceChildren(make("p", { class: "loud-line", role: "alert" },
      error.status === 409 ? say("changed-meanwhile", { detail: error.message }) : error.message));
  };
  const effect = question ? tellEffect(question, valve, fact) : Promise.resolve({ revision, lines: [say("effect-unknown")] });
  effect.then(({ revision: seen, lines }) => {
    base = seen;
    text.replaceChildren(...lines.map((line) => make("p", {}, line)));
    confirm.disabled = false;
  }).catch(fail);
  return new Promise((resolve) => {
    let isDone = false;
    dialog.addEventListener("close", () => resolve(isDone), { once: true });
    cancel.addEventListener("click", () => dialog.close());
    confirm.addEventListener("click", async () => {
      confirm.disabled = true;
      try {
        await send(`/api/v1/valves/${encodeURIComponent(valve)}/facts`, { ...BODIES[fact], base_revision: base });
        isDone = true;
        dialog.close();
      } catch (error) {
        fail(error);
      }
    });
  });
}
