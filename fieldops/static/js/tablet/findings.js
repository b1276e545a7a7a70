/** What the crew found, in words and photos, and asking for a second crew: at any time of the job. */
import { make, numberField, photoField, primary, readFields, textField, toast, yesNoField } from "./elements.js";
import { isGiven } from "./job_state.js";
import { recordStep } from "./local_state.js";
import { keepPhoto } from "./photos.js";
import { go } from "./router.js";
import { jobRoute } from "./valve_route.js";
import { say } from "./words.js";

/** @typedef {import("./job_state.js").JobNow} JobNow */

/**
 * @param {HTMLElement} element
 * @param {JobNow} job
 */
export function showFindings(element, job) {
  const text = textField({ name: "text", label: say("What you found"), is_required: true, rows: 4 });
  const photos = photoField({ name: "photos", label: say("Photos"), keep: keepPhoto });
  const digging = yesNoField({ name: "needs_excavation", label: say("Excavation needed"), value: job.needs_excavation || null });
  const minutes = numberField({ name: "expected_work_min", label: say("Minutes of work still to come"), min: 1, max: 100_000, step: 15 });
  // What digging had to be answered for is not talked away.
  const fields = [text, photos, ...(isGiven(job.data.owners_asked) ? [] : [digging]), minutes];
  const notes = make("div", {});
  const act = primary(say("Record"), async () => {
    const values = readFields(fields, notes);
    if (!values) return;
    await recordStep(job, "note", values, values.photos ?? []);
    toast(say("Kept on this device."));
    go(jobRoute(job.id));
  });
  act.dataset.record = "note";
  element.append(make("h1", {}, `${say("Findings")} · ${job.id}`), ...fields.map((field) => field.element), notes, make("div", { class: "actions main" }, act));
}

/**
 * @param {HTMLElement} element
 * @param {JobNow} job
 */
export function showSecondCrew(element, job) {
  const why = textField({ name: "text", label: say("What the second crew is for"), is_required: true, rows: 3 });
  const notes = make("div", {});
  const act = primary(say("Ask for a second crew"), async () => {
    const values = readFields([why], notes);
    if (!values) return;
    await recordStep(job, "note", { text: values.text, crews_needed: 2 });
    toast(say("Asked for; dispatch sees it as soon as this is sent."));
    go(jobRoute(job.id));
  });
  act.dataset.record = "second_crew";
  element.append(make("h1", {}, `${say("Second crew")} · ${job.id}`), why.element, notes, make("div", { class: "actions main" }, act));
}
