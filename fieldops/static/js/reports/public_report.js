/** The public form works without this; with it, a device can send its place along. */
import { find } from "../map/elements.js";
import { say } from "../map/words.js";

const form = /** @type {HTMLFormElement} */ (find("public-report"));
const state = find("locate-state");

/** @param {string} name @param {string} value */
function set(name, value) {
  /** @type {HTMLInputElement} */ (form.elements.namedItem(name)).value = value;
}

if ("geolocation" in navigator) find("locate-row").hidden = false;

find("locate").addEventListener("click", () => {
  state.textContent = say("locating");
  navigator.geolocation.getCurrentPosition(
    ({ coords }) => {
      set("lon", String(coords.longitude));
      set("lat", String(coords.latitude));
      state.textContent = say("located");
    },
    () => { state.textContent = say("not-located"); },
    { enableHighAccuracy: true, timeout: 20_000, maximumAge: 60_000 },
  );
});

let isSent = false;
form.addEventListener("submit", (event) => {
  if (isSent) event.preventDefault();
  isSent = true;
});
window.addEventListener("pageshow", () => { isSent = false; });
