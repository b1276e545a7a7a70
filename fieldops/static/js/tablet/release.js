import { kv } from "./db.js";
import { AROUND, WINDOW_S, codeOf, windowOf } from "./release_code.js";
import { releaseKey, serverNow } from "./session.js";

/** Whoever guesses waits: five wrong ones in ten minutes. */
const TRIES = 5;
const TRIES_KEY = "release_tries";

/** @typedef {"right" | "wrong" | "wait" | "no_key"} Verdict */

/**
 * Check a code that the dispatcher has read out, with no signal.
 *
 * It stands for this tablet, this outage, this valve, and ten minutes with the ten on either side.
 * @param {string} outage
 * @param {string} valve
 * @param {string} code as typed: spaces and full-width digits are fine
 * @returns {Promise<Verdict>}
 */
export async function checkRelease(outage, valve, code) {
  const key = await releaseKey();
  if (!key) return "no_key";
  const now = Date.now();
  /** @type {number[]} */
  const wrong = ((await kv.get(TRIES_KEY)) ?? []).filter((/** @type {number} */ at) => now - at < WINDOW_S * 1000 && at <= now);
  if (wrong.length >= TRIES) return "wait";
  const said = plainCode(code);
  const present = windowOf(serverNow());
  for (let window = present - AROUND; window <= present + AROUND; window += 1) {
    if (said === (await codeOf(key, outage, valve, window))) return "right";
  }
  await kv.set(TRIES_KEY, [...wrong, now]);
  return "wrong";
}

/**
 * The digits of a code as they are sent to the server.
 * @param {string} code
 */
export const plainCode = (code) => code.normalize("NFKC").replace(/\D/g, "");
