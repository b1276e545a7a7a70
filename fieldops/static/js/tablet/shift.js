/**
 * Maps of China are drawn shifted: Amap's by GCJ-02, Baidu's by BD-09 on top of that; what we keep
 * is WGS84, as satellites tell it. The shift is the one that has been published for years, true to
 * a few centimetres.
 */

/** @typedef {{lon: number, lat: number}} Place */

const AXIS_M = 6_378_245;
/** Krasovsky's ellipsoid, on which the shift was made. */
const ECCENTRICITY = 0.006693421622965943;
const BAIDU_TURN = (Math.PI * 3000) / 180;

/** Where maps are shifted; elsewhere they are not. @param {Place} place */
const isShifted = ({ lon, lat }) => lon >= 72.004 && lon <= 137.8347 && lat >= 0.8293 && lat <= 55.8271;

/** A sum of sines, each given as height and wave. @param {number} x @param {[number, number][]} waves */
const sines = (x, waves) => waves.reduce((sum, [height, wave]) => sum + height * Math.sin(x * Math.PI * wave), 0) * (2 / 3);

/**
 * WGS84 to GCJ-02, as Amap and Tencent draw.
 * @param {Place} place
 * @returns {Place}
 */
export function toGcj02({ lon, lat }) {
  if (!isShifted({ lon, lat })) return { lon, lat };
  const x = lon - 105;
  const y = lat - 35;
  const root = Math.sqrt(Math.abs(x));
  const shared = sines(x, [[20, 6], [20, 2]]);
  const north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + shared + sines(y, [[20, 1], [40, 1 / 3], [160, 1 / 12], [320, 1 / 30]]);
  const east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + shared + sines(x, [[20, 1], [40, 1 / 3], [150, 1 / 12], [300, 1 / 30]]);
  const phi = (lat * Math.PI) / 180;
  const flat = 1 - ECCENTRICITY * Math.sin(phi) ** 2;
  const meridian = (AXIS_M * (1 - ECCENTRICITY)) / (flat * Math.sqrt(flat));
  const parallel = (AXIS_M / Math.sqrt(flat)) * Math.cos(phi);
  return { lon: lon + (east * 180) / (parallel * Math.PI), lat: lat + (north * 180) / (meridian * Math.PI) };
}

/**
 * GCJ-02 to BD-09, as Baidu draws.
 * @param {Place} place
 * @returns {Place}
 */
export function gcj02ToBd09({ lon, lat }) {
  const far = Math.hypot(lon, lat) + 0.00002 * Math.sin(lat * BAIDU_TURN);
  const angle = Math.atan2(lat, lon) + 0.000003 * Math.cos(lon * BAIDU_TURN);
  return { lon: far * Math.cos(angle) + 0.0065, lat: far * Math.sin(angle) + 0.006 };
}

/**
 * WGS84 to BD-09.
 * @param {Place} place
 * @returns {Place}
 */
export const toBd09 = (place) => (isShifted(place) ? gcj02ToBd09(toGcj02(place)) : { ...place });
