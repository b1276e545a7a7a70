/** A track from a GPX file: read on the device, and queued in parts that fit into operations. */
import { button, make, notice, showProblem } from "./elements.js";
import { makeId, enqueue } from "./outbox.js";
import { load } from "./parts.js";
import { say } from "./words.js";

/** @typedef {[lon: number, lat: number, second: number | null] | null} Point - null where the track begins anew */

export const POINTS_A_PART = 600;
const PARTS_MOST = 500;
const LARGEST_BYTES = 20 * 1024 ** 2;

/** @param {number} degrees */
const seven = (degrees) => Math.round(degrees * 1e7) / 1e7;

/**
 * Read the tracks of a file as one, with a gap wherever a stretch ends.
 * @param {string} text
 * @param {string} fileName
 * @returns {{name: string, points: Point[]}}
 */
export function readGpx(text, fileName) {
  const file = new DOMParser().parseFromString(text, "application/xml");
  if (file.querySelector("parsererror") || file.documentElement?.localName !== "gpx") {
    throw new Error(say("This is no GPX file that can be read."));
  }
  /** @type {Point[]} */
  const points = [];
  for (const stretch of file.getElementsByTagNameNS("*", "trkseg")) {
    if (points.length && points.at(-1) !== null) points.push(null);
    for (const point of stretch.getElementsByTagNameNS("*", "trkpt")) points.push(readPoint(point));
  }
  if (points.filter(Boolean).length < 2) throw new Error(say("The file holds no track."));
  if (points.length > POINTS_A_PART * PARTS_MOST) throw new Error(say("A track may have at most %(most)s points.", { most: POINTS_A_PART * PARTS_MOST }));
  const named = file.querySelector("gpx > trk > name, gpx > metadata > name")?.textContent?.trim();
  return { name: (named || fileName || "GPX").slice(0, 200), points };
}

/**
 * @param {Element} point
 * @returns {Point}
 */
function readPoint(point) {
  const lon = Number.parseFloat(point.getAttribute("lon") ?? "");
  const lat = Number.parseFloat(point.getAttribute("lat") ?? "");
  if (!(Math.abs(lon) <= 180 && Math.abs(lat) <= 90)) throw new Error(say("This is no GPX file that can be read."));
  const said = point.getElementsByTagNameNS("*", "time")[0]?.textContent?.trim() ?? "";
  // A time without a zone is UTC in GPX, and not this device's.
  const at = said ? Date.parse(/(Z|[+-]\d\d:?\d\d)$/i.test(said) ? said : `${said}Z`) : Number.NaN;
  return [seven(lon), seven(lat), Number.isNaN(at) ? null : at / 1000];
}

/**
 * Queue a track; resolves when all of it is on the disk.
 * @param {{name: string, points: Point[]}} track
 * @returns {Promise<string>} the subject
 */
export async function enqueueTrack({ name, points }) {
  const subject = `track:${makeId()}`;
  const parts = Math.ceil(points.length / POINTS_A_PART);
  for (let part = 0; part < parts; part += 1) {
    const piece = points.slice(part * POINTS_A_PART, (part + 1) * POINTS_A_PART);
    await enqueue({ subject, action: "import", body: { name, part, parts, points: piece } });
  }
  return subject;
}

/**
 * The field that takes a file in, and draws what was in it.
 * @returns {{element: HTMLElement, stop: () => void}}
 */
export function gpxField() {
  const said = make("div", { role: "status" });
  const map = make("div", { class: "place-map", hidden: true });
  let stop = () => {};
  const drawWay = async (/** @type {Point[]} */ points) => {
    const maps = await load("map_page");
    if (!maps) return;
    stop();
    const way = points.flatMap((point) => (point ? [{ lon: point[0], lat: point[1] }] : []));
    map.hidden = false;
    const view = await maps.showMap(map, { track: way, focus: way[0] });
    view.fit(way);
    stop = view.remove;
  };
  const chooser = make("input", {
    type: "file", accept: ".gpx,application/gpx+xml", class: "visually-hidden", tabindex: "-1", "aria-hidden": "true",
    change: async () => {
      const file = chooser.files?.[0];
      chooser.value = "";
      if (!file) return;
      try {
        if (file.size > LARGEST_BYTES) throw new Error(say("A GPX file may have at most %(most)s MB.", { most: LARGEST_BYTES / 1024 ** 2 }));
        const track = readGpx(await file.text(), file.name);
        await enqueueTrack(track);
        void drawWay(track.points).catch(showProblem);
        said.replaceChildren(notice("good", say("“%(name)s” with %(n)s points is on this device and will be sent.", { name: track.name, n: track.points.filter(Boolean).length })));
      } catch (error) {
        said.replaceChildren(notice("wrong", error instanceof Error ? error.message : String(error)));
      }
    },
  });
  const element = make("div", { class: "gpx" }, make("div", { class: "actions" }, button(say("Choose a GPX file"), () => chooser.click())), chooser, said, map);
  return { element, stop: () => stop() };
}
