/** A job on the map of the pack: the place, and the valves as numbered discs that can be pressed. */
import { notice } from "./elements.js";
import { isShut } from "./job_state.js";
import { load } from "./parts.js";
import { go } from "./router.js";
import { valveRoute } from "./valve_route.js";
import { say, valveState } from "./words.js";

/** @typedef {import("./job_state.js").JobNow} JobNow */
/** @typedef {{leave: () => void, update: (job: JobNow) => void}} JobMap */

/**
 * @param {HTMLElement} place
 * @param {JobNow} job
 * @param {{lon: number | null, lat: number | null}} [focus] a valve, say; else the job's place
 * @returns {JobMap}
 */
export function showJobMap(place, job, focus = job) {
  /** @type {any} */
  let view = null;
  let isLeft = false;
  let latest = job;
  const begin = async () => {
    const maps = await load("map_page");
    if (!maps) throw new Error(say("the map is not on this device"));
    const at = focus.lon === null || focus.lat === null ? { lon: job.lon, lat: job.lat } : { lon: focus.lon, lat: focus.lat };
    const made = await maps.showMap(place, { marks: marksFor(latest), focus: at });
    if (isLeft) return made.remove();
    view = made;
    view.setMarks(marksFor(latest));
  };
  begin().catch((error) => {
    console.warn(error);
    place.replaceChildren(notice("warn", say("The map cannot be shown: %(why)s", { why: error instanceof Error ? error.message : String(error) })));
  });
  return {
    leave: () => {
      isLeft = true;
      view?.remove();
    },
    update: (now) => {
      latest = now;
      view?.setMarks(marksFor(now));
    },
  };
}

/** @param {JobNow} job */
function marksFor(job) {
  const valves = (job.outage?.valves ?? []).flatMap((valve) => (valve.lon === null || valve.lat === null ? [] : [{
    kind: "valve", id: valve.valve, number: valve.number, role: valve.role,
    // What passes and was accepted stands as shut.
    state: isShut(valve) ? "closed_tight" : valve.state, lon: valve.lon, lat: valve.lat,
    label: `${valve.valve} · ${valveState(valve)}`, open: () => go(valveRoute(job, valve)),
  }]));
  return [{ kind: "job", id: job.id, lon: job.lon, lat: job.lat, label: job.id }, ...valves];
}
