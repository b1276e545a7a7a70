/** Giving water back by part: the valves that are opened together, and whom they supply. */
import { facts, make, notice, primary, readFields, textField, toast } from "./elements.js";
import { isShut, valvesOf } from "./job_state.js";
import { recordDeed } from "./local_state.js";
import { askRelease } from "./opening.js";
import { go } from "./router.js";
import { jobRoute } from "./valve_route.js";
import { figure, say } from "./words.js";

/** @typedef {import("./job_state.js").JobNow} JobNow */
/** @typedef {import("./job_state.js").OutageNow} OutageNow */
/** @typedef {import("./steps.js").Part} Part */

/** A part by the valves that give it its water. @param {Part} part */
export const partName = (part) => {
  const valves = part.valves.join(", ");
  return part.id.startsWith("refeed:") ? say("Re-feed by %(valves)s", { valves }) : say("Open %(valves)s", { valves });
};

/**
 * Whether a part has its water back: every valve of it that this job had shut is open again.
 * @param {OutageNow} outage
 * @param {Part} part
 */
export function isBack(outage, part) {
  const valves = outage.valves.filter((one) => valvesOf(outage, { part: part.id }).includes(one.valve));
  if (part.id.startsWith("refeed:")) return outage.valves.some((one) => part.valves.includes(one.valve) && one.state === "opened");
  return valves.length > 0 && valves.every((one) => ["reopened", "handed_over", "opened"].includes(one.state));
}

/**
 * @param {HTMLElement} element
 * @param {JobNow} job
 * @param {OutageNow} outage
 * @param {Part} part
 */
export function showPart(element, job, outage, part) {
  const isFeed = part.id.startsWith("refeed:");
  const valves = outage.valves.filter((one) => (isFeed ? part.valves.includes(one.valve) : valvesOf(outage, { part: part.id }).includes(one.valve) && (isShut(one) || one.state === "passing")));
  element.append(make("h1", {}, partName(part)), facts([
    [say("Properties"), part.properties === null ? null : figure(part.properties)],
    [say("Customers"), part.connections === null ? null : figure(part.connections)],
  ]));
  if (!isFeed && !outage.stages.repaired) {
    return element.append(notice("warn", say("The repair is not recorded as done: opening this valve would fill the trench.")));
  }
  const asked = valves.map((valve) => ({
    valve,
    release: askRelease(outage, valve),
    tag: valve.tag ? textField({ name: `tag_${valve.valve}`, label: say("Number read on the tag of %(valve)s", { valve: valve.valve }), is_required: true }) : null,
  }));
  const form = make("div", { class: "needs" });
  const fieldsOf = (/** @type {typeof asked[number]} */ one) => [...one.release.fields(), ...(one.tag ? [one.tag] : [])];
  const look = () => form.replaceChildren(...asked.map((one) => make("section", { class: "card" }, make("h2", {}, one.valve.valve), one.release.element, fieldsOf(one).map((field) => field.element))));
  for (const one of asked) one.release.watch(look);
  look();
  const notes = make("div", {});
  const act = primary(say("Opened: record"), async () => {
    /** @type {Record<string, unknown>[]} */
    const opened = [];
    for (const { valve, release, tag } of asked) {
      const values = readFields([...release.fields(), ...(tag ? [tag] : [])], notes);
      if (!values) return;
      const read = tag ? String(tag.value()) : null;
      if (tag && read !== valve.tag) {
        notes.replaceChildren(notice("wrong", say("Tag %(tag)s hangs on %(valve)s, not %(read)s. Is it the right valve?", { tag: valve.tag, valve: valve.valve, read })));
        return;
      }
      const released = await release.check(values.release_code, notes);
      if (!released) return;
      opened.push({ valve: valve.valve, table: valve.table, ...(read ? { tag: read } : {}), ...released });
    }
    const isReleased = opened.some((one) => one.release_code);
    if (isFeed) for (const one of opened) await recordDeed(outage, "refeed", one);
    else if (isReleased) for (const one of opened) await recordDeed(outage, "reopen_valve", { ...one, result: "reopened", repaired: true });
    else await recordDeed(outage, "restore_part", { part: part.id, tags: Object.fromEntries(opened.flatMap((one) => (one.tag ? [[one.valve, one.tag]] : []))), repaired: true });
    toast(say("Kept on this device."));
    go(jobRoute(job.id));
  });
  act.dataset.record = "restore_part";
  element.append(form, notes, make("div", { class: "actions main" }, act));
}
