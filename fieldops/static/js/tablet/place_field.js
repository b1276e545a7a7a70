/** Where something is: where the device is, a point on the map, or a number or words for lack of both. */
import { button, make, moment, notice } from "./elements.js";
import { findHere } from "./here.js";
import { load } from "./parts.js";
import { beginWith, watchTyped } from "./typed.js";
import { distance, say } from "./words.js";

/** @typedef {{lon: number, lat: number, accuracy_m: number | null, at: string | null}} Spot */

const PATIENCE_MS = 15_000;

/**
 * A field as those of fields.js are: its value is a spot, or null.
 * @param {{name: string, label: string, is_required?: boolean, value?: Spot | null, help?: string, onChange?: () => void}} asked
 * @returns {import("./fields.js").Field<Spot>}
 */
export function placeField(asked) {
  /** @type {Spot | null} */
  let spot = beginWith(asked, asked.value ?? null);
  const said = make("div", { class: "place-said", role: "status" });
  const map = make("div", { class: "place-map", hidden: true });
  /** @type {(() => void) | null} */
  let leave = null;

  const draw = () => {
    const rough = spot?.accuracy_m ?? null;
    said.replaceChildren(spot
      ? notice(rough !== null && rough > 30 ? "warn" : "good", [
        make("strong", { "data-lon": spot.lon, "data-lat": spot.lat }, `${spot.lat.toFixed(6)}, ${spot.lon.toFixed(6)}`), " ",
        rough === null ? say("pointed at on the map") : say("from this device, within %(metres)s", { metres: distance(rough) }),
        spot.at ? make("span", {}, " · ", moment(spot.at)) : "",
      ])
      : notice("info", say("No place yet.")));
  };
  /** @param {Spot | null} now */
  const set = (now) => {
    spot = now;
    draw();
    asked.onChange?.();
  };
  const ask = async () => {
    said.replaceChildren(notice("info", say("Asking the device where it is …")));
    const here = await findHere(PATIENCE_MS);
    if (here) return set(here);
    draw();
    said.append(notice("warn", say("The device does not know where it is: point at the place on the map.")));
    return undefined;
  };
  const point = async () => {
    if (leave) return close();
    const page = await load("map_page");
    if (!page?.pickOnMap) throw new Error(say("The map could not be opened: use where the device is."));
    map.hidden = false;
    leave = await page.pickOnMap(map, {
      start: spot,
      onPick: (/** @type {{lon: number, lat: number}} */ at) => set({ lon: at.lon, lat: at.lat, accuracy_m: null, at: null }),
    });
    return undefined;
  };
  const close = () => {
    leave?.();
    leave = null;
    map.replaceChildren();
    map.hidden = true;
  };
  const id = `place-${asked.name}`;
  const element = make("div", { class: "field place-field", role: "group", "aria-labelledby": id, "data-name": asked.name },
    make("p", { class: "label", id }, asked.is_required ? asked.label : say("%(field)s (optional)", { field: asked.label })),
    make("div", { class: "actions" }, button(say("Where I am"), ask), button(say("Point on the map"), point)),
    said, map, asked.help ? make("p", { class: "help" }, asked.help) : null);
  watchTyped(asked, element, () => spot, asked.value ?? null);
  draw();
  return {
    name: asked.name,
    element,
    value: () => spot,
    problem: () => (asked.is_required && !spot ? say("“%(field)s” is needed for this step.", { field: asked.label }) : null),
    focus: () => element.querySelector("button")?.focus(),
  };
}
