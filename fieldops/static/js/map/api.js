/** Asking the server. Every failure becomes a Problem that can be shown. */
import { say } from "./words.js";

/** What went wrong, in the person's language; status 0: the server could not be reached. */
export class Problem extends Error {
  /**
   * @param {string} message
   * @param {number} status
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const PATIENCE_MS = 30_000;

/**
 * @param {string} url
 * @param {RequestInit} [options]
 * @returns {Promise<any>}
 */
export async function ask(url, options = {}) {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const signal = options.signal ? AbortSignal.any([options.signal, patience]) : patience;
  let response;
  try {
    response = await fetch(url, { ...options, signal, headers: { Accept: "application/json", ...options.headers } });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Problem(say(navigator.onLine ? "no-answer" : "offline"), 0);
  }
  const body = await response.json().catch(() => null);
  if (response.ok && body !== null) return body;
  if (response.status === 401) throw new Problem(say("signed-out"), 401);
  throw new Problem(body?.detail ?? say("failed", { status: response.status }), response.status);
}

/**
 * @param {string} url
 * @param {object} body
 */
export function send(url, body) {
  const token = document.querySelector('meta[name="csrf-token"]')?.getAttribute("content") ?? "";
  return ask(url, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", "X-CSRFToken": token },
  });
}
