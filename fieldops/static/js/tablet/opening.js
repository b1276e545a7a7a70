/**
 * Whether a valve may be opened now: with a signal the server is asked as it is recorded; without
 * one the dispatcher releases it by phone, by a code for this valve, this job and these minutes.
 */
import { make, notice, textField } from "./elements.js";
import { refreshDay } from "./day.js";
import { checkRelease, plainCode } from "./release.js";
import { say } from "./words.js";

/** @typedef {import("./fields.js").Field<any>} Field */
/** @typedef {Record<string, unknown>} Released */

const FRESH_MS = 30_000;
const PATIENCE_MS = 8000;

/** Ask the server for the day now. @returns {Promise<boolean>} whether it answered */
async function hears() {
  const slow = new Promise((_, refuse) => { setTimeout(() => refuse(new Error("slow")), PATIENCE_MS); });
  return Promise.race([refreshDay(), slow]).then(() => true, () => false);
}

/**
 * @param {{id: string}} outage
 * @param {{valve: string}} valve
 * @returns {{element: HTMLElement, fields: () => Field[], watch: (fn: () => void) => void, check: (code: string | undefined, notes: HTMLElement) => Promise<Released | null>}}
 */
export function askRelease(outage, valve) {
  const element = make("div", { class: "release", "data-release": "asking" }, notice("info", say("Asking the server whether this valve may be opened…")));
  const code = textField({ name: "release_code", label: say("Release code"), is_required: true, type: "tel", help: say("Eight digits, read out by the dispatcher for %(outage)s and %(valve)s.", { outage: outage.id, valve: valve.valve }) });
  let heardAt = 0;
  /** @type {() => void} */
  let changed = () => {};
  const isFresh = () => Date.now() - heardAt < FRESH_MS;
  const look = async () => {
    heardAt = (await hears()) ? Date.now() : 0;
    element.dataset.release = heardAt ? "online" : "by-phone";
    element.replaceChildren(heardAt
      ? notice("good", say("There is a signal: the server checks this opening at once. If it refuses, close the valve again."))
      : notice("warn", say("No signal. Call the dispatcher before you open %(valve)s: without a release code it stays shut.", { valve: valve.valve })));
    changed();
  };
  void look();
  return {
    element,
    fields: () => (heardAt ? [] : [code]),
    watch: (fn) => { changed = fn; },
    check: async (said, notes) => {
      if (heardAt && !isFresh()) await look();
      if (heardAt) return {};
      if (!said) {
        notes.replaceChildren(notice("wrong", say("There is no signal any more: a release code is needed.")));
        return null;
      }
      const verdict = await checkRelease(outage.id, valve.valve, said);
      if (verdict === "right") return { release_code: plainCode(said) };
      const words = {
        wrong: () => say("This code does not release %(valve)s now. Ask the dispatcher for a new one.", { valve: valve.valve }),
        wait: () => say("Too many wrong codes. Wait ten minutes."),
        no_key: () => say("This tablet has no key to check codes. Sign in once with a signal."),
      };
      notes.replaceChildren(notice("wrong", words[verdict]()));
      return null;
    },
  };
}
