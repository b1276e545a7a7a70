/** The day's jobs and valves as signs on the map: their pictures, apart from each other. */

/**
 * Something to be seen on the map. `open` is called when it is touched.
 * @typedef {object} Mark
 * @property {string} kind - "job", "valve", "report", "here"
 * @property {string} id
 * @property {number} lon
 * @property {number} lat
 * @property {number | null} [number] - a valve's number in the order of closing
 * @property {string} [role] - a valve's role in the plan
 * @property {string} [state] - a valve's state
 * @property {string} [label] - said when it is touched
 * @property {() => void} [open]
 */

/** @typedef {{lon: number, lat: number, accuracy_m?: number | null, at?: string | null}} Here */

const CROWDED_M = 9;
const APART_PX = 17;
const METRES_A_DEGREE = 111_320;
/** A place older than this says where the tablet was. */
const OLD_MS = 2 * 60_000;

/**
 * The picture of a mark, by the names of map/symbols.js.
 * @param {Mark} mark
 */
export function imageOf({ kind, role, state, number }) {
  if (kind === "job") return "burst-job";
  if (kind !== "valve") return kind === "report" ? "wrong" : "place";
  if (role === "stuck" || state === "will_not_close" || state === "not_found" || state === "will_not_reopen") return "stuck";
  if (role === "pump") return "stop";
  if (role === "source") return "source-shut";
  const text = number ?? "";
  if (state === "passing") return `passing:${text}`;
  if (state === "closed_tight") return `closed:${text}`;
  if (role === "verify_shut") return "verify";
  // Those to be opened, or not needed any more, are in no order of closing.
  if (role && role !== "close") return "optional";
  return `close:${text}`;
}

/**
 * Signs at one crossing would cover each other: push each away from their middle, its own way.
 * @param {Mark[]} marks
 * @returns {[number, number][]} pixels to the right and down
 */
export function spread(marks) {
  const flat = Math.cos(((marks[0]?.lat ?? 0) * Math.PI) / 180);
  const at = marks.map(({ lon, lat }) => [lon * METRES_A_DEGREE * flat, -lat * METRES_A_DEGREE]);
  return at.map(([x, y], index) => {
    const near = at.filter(([nearX, nearY]) => Math.hypot(nearX - x, nearY - y) < CROWDED_M);
    if (near.length < 2) return [0, 0];
    const dx = x - near.reduce((sum, [nearX]) => sum + nearX, 0) / near.length;
    const dy = y - near.reduce((sum, [, nearY]) => sum + nearY, 0) / near.length;
    const angle = Math.hypot(dx, dy) > 0.01 ? Math.atan2(dy, dx) : index * 2.4;
    return [Math.round(APART_PX * Math.cos(angle)), Math.round(APART_PX * Math.sin(angle))];
  });
}

/**
 * @param {Mark[]} marks
 * @returns {GeoJSON.FeatureCollection}
 */
export function drawMarks(marks) {
  const offsets = spread(marks);
  return collection(marks.map((mark, index) => point(mark, {
    index, image: imageOf(mark), offset: offsets[index], order: mark.kind === "job" ? 0 : 1000 - (mark.number ?? 500),
  })));
}

/**
 * Where the tablet is, and how exactly that is known.
 * @param {Here | null} here
 * @param {number} now
 * @param {{lon: number, lat: number}[]} [track]
 * @returns {GeoJSON.FeatureCollection}
 */
export function drawHere(here, now, track = []) {
  /** @type {GeoJSON.Feature[]} */
  const drawn = [];
  if (track.length > 1) {
    drawn.push({ type: "Feature", properties: {}, geometry: { type: "LineString", coordinates: track.map(({ lon, lat }) => [lon, lat]) } });
  }
  if (here) {
    if (here.accuracy_m) drawn.push(circle(here, here.accuracy_m));
    drawn.push(point(here, { is_old: isOld(here, now) }));
  }
  return collection(drawn);
}

/**
 * @param {Here} here
 * @param {number} now
 */
export const isOld = (here, now) => !here.at || now - Date.parse(here.at) > OLD_MS;

/**
 * @param {{lon: number, lat: number}} middle
 * @param {number} radius - in metres
 * @returns {GeoJSON.Feature}
 */
function circle({ lon, lat }, radius) {
  const high = radius / METRES_A_DEGREE;
  const wide = high / Math.cos((lat * Math.PI) / 180);
  const ring = Array.from({ length: 49 }, (_, step) => {
    const angle = ((step % 48) / 48) * 2 * Math.PI;
    return [lon + wide * Math.cos(angle), lat + high * Math.sin(angle)];
  });
  return { type: "Feature", properties: {}, geometry: { type: "Polygon", coordinates: [ring] } };
}

/**
 * @param {{lon: number, lat: number}} place
 * @param {Record<string, unknown>} properties
 * @returns {GeoJSON.Feature}
 */
export const point = ({ lon, lat }, properties) => ({ type: "Feature", properties, geometry: { type: "Point", coordinates: [lon, lat] } });

/**
 * @param {GeoJSON.Feature[]} features
 * @returns {GeoJSON.FeatureCollection}
 */
export const collection = (features) => ({ type: "FeatureCollection", features });
