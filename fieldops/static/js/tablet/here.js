/** Where the tablet is now, asked once for a step; null where it cannot be known. */

/** @typedef {{lon: number, lat: number, accuracy_m: number, at: string}} Here */

const WAIT_MS = 5000;
const OLDEST_MS = 30_000;
const EARTH_M = 6_371_008.8;

/**
 * @param {number} [waitMs]
 * @returns {Promise<Here | null>}
 */
export function findHere(waitMs = WAIT_MS) {
  return new Promise((resolve) => {
    if (!navigator.geolocation) return resolve(null);
    // Some devices never answer at all.
    const timer = setTimeout(() => resolve(null), waitMs + 500);
    const done = (/** @type {Here | null} */ here) => {
      clearTimeout(timer);
      resolve(here);
    };
    navigator.geolocation.getCurrentPosition(
      ({ coords, timestamp }) => done({ lon: coords.longitude, lat: coords.latitude, accuracy_m: coords.accuracy, at: new Date(timestamp).toISOString() }),
      () => done(null),
      { enableHighAccuracy: true, timeout: waitMs, maximumAge: OLDEST_MS },
    );
  });
}

/**
 * Metres between two places on the ground.
 * @param {{lon: number, lat: number}} one
 * @param {{lon: number, lat: number}} other
 */
export function metresBetween(one, other) {
  const radians = (/** @type {number} */ degrees) => (degrees * Math.PI) / 180;
  const north = Math.sin(radians(other.lat - one.lat) / 2) ** 2;
  const east = Math.cos(radians(one.lat)) * Math.cos(radians(other.lat)) * Math.sin(radians(other.lon - one.lon) / 2) ** 2;
  return 2 * EARTH_M * Math.asin(Math.sqrt(north + east));
}
