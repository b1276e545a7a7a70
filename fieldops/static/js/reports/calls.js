/** The page of calls: a place with suggestions, what is known of it, and keys to send it off. */
import { find } from "../map/elements.js";
import { keepFresh } from "./fresh.js";
import { makeKnown } from "./known.js";
import { makePlaceField } from "./place_field.js";

const form = /** @type {HTMLFormElement} */ (find("intake"));
const refresh = makeKnown(form);

makePlaceField(form, "place", refresh);
const placing = document.getElementById("placing");
if (placing instanceof HTMLFormElement) makePlaceField(placing, "found", () => {});
for (const id of ["kind", "phone"]) find(id).addEventListener("change", refresh);

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  const wanted = event.shiftKey ? "incident" : "";
  const button = form.querySelector(`button[name="then"][value="${wanted}"]`);
  form.requestSubmit(/** @type {HTMLButtonElement | null} */ (button));
});

let isSent = false;
form.addEventListener("submit", (event) => {
  // A second press while the first is on its way would be a second report.
  if (isSent) event.preventDefault();
  isSent = true;
});
window.addEventListener("pageshow", () => { isSent = false; });

if (location.hash === "#told") document.getElementById("told")?.scrollIntoView({ block: "nearest" });
refresh();
if (document.getElementById("fresh-state")) keepFresh();
document.documentElement.dataset.calls = "ready";
