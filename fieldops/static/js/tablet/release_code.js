/** The digits of a release code, as fieldops/release_codes/service.py works them out. */

/** How long a code stands, and how many stand besides. */
export const WINDOW_S = 600;
export const AROUND = 1;
const DIGITS = 8;

/** @param {Date} at */
export const windowOf = (at) => Math.floor(at.getTime() / 1000 / WINDOW_S);

/**
 * @param {CryptoKey} key the tablet's own, of HMAC with SHA-256
 * @param {string} outage
 * @param {string} valve
 * @param {number} window
 * @returns {Promise<string>}
 */
export async function codeOf(key, outage, valve, window) {
  const message = new TextEncoder().encode(`${outage}|${valve}|${window}`);
  const digest = new DataView(await crypto.subtle.sign("HMAC", key, message));
  return (digest.getBigUint64(0) % 10n ** BigInt(DIGITS)).toString().padStart(DIGITS, "0");
}
