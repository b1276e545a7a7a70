/** What is always seen: the signal, what is unsent, who is needed, how old everything else is. */
import { isOnline, lastOnline, watchConnection } from "./connection.js";
import { confirm, drawing, make } from "./elements.js";
import { load } from "./parts.js";
import { readyVersion, useReady, watchRelease } from "./sw_register.js";
import { setTheme, theme, watchTheme } from "./theme.js";
import { LANGUAGES, age, clock, language, say, setLanguage, watchLanguage } from "./words.js";

/**
 * @typedef {object} Known
 * @property {{unsent: number, parked: number, photos: number} | null} counts - null: not known
 * @property {{baked_at: string | null, is_complete: boolean, facts_at?: string | null, is_old?: boolean, is_elsewhere?: boolean} | null | undefined} pack - undefined: not known
 * @property {Date | null} asked - when the day was last heard
 * @property {boolean} is_signed_in
 * @property {boolean} must_sign_in
 */

/** @typedef {"good" | "plain" | "warn" | "wrong"} Tone */
/** @typedef {{key: string, sign: string, text: string, tone: Tone, route?: string, act?: () => unknown}} Chip */

const STALE_MS = 3 * 60_000;
const LOOK_MS = 15_000;
const SUN = "M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10zM11 1h2v3h-2zM11 20h2v3h-2zM1 11h3v2H1zM20 11h3v2h-3zM4 5.4 5.4 4l2.1 2.1-1.4 1.4zM16.5 17.9l1.4-1.4L20 18.6 18.6 20zM4 18.6l2.1-2.1 1.4 1.4L5.4 20zM16.5 6.1 18.6 4 20 5.4l-2.1 2.1z";
const MOON = "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z";

/** @type {Known} */
const known = { counts: null, pack: undefined, asked: null, is_signed_in: false, must_sign_in: false };
/** @type {Map<string, HTMLElement>} */
const shown = new Map();

/**
 * How many things have not been answered for by the server yet; null when the device cannot tell.
 * @returns {number | null}
 */
export const unsentCount = () => (known.counts ? known.counts.unsent + known.counts.photos + known.counts.parked : null);

/** @returns {Chip} */
function signalChip() {
  if (isOnline()) return { key: "signal", sign: "●", text: say("Online"), tone: "good" };
  if (isOnline() === null) return { key: "signal", sign: "◌", text: say("Looking for a signal"), tone: "plain" };
  const last = lastOnline();
  const text = last ? say("No signal since %(time)s", { time: clock(last) }) : say("No signal");
  return { key: "signal", sign: "○", text, tone: "warn" };
}

/** @returns {Chip} */
function unsentChip() {
  const route = "#/outbox";
  if (!known.counts) return { key: "unsent", sign: "?", text: say("Unsent: not known"), tone: "wrong", route };
  const waiting = known.counts.unsent + known.counts.photos;
  if (waiting === 0) return { key: "unsent", sign: "✓", text: say("Nothing unsent"), tone: "good", route };
  return { key: "unsent", sign: "▣", text: say("%(n)s unsent", { n: waiting }), tone: "warn", route };
}

/** @returns {Chip} */
function packChip() {
  const route = "#/settings";
  const { pack } = known;
  if (pack === undefined) return { key: "pack", sign: "?", text: say("Map on this device: not known"), tone: "plain", route };
  if (!pack || !pack.is_complete || !pack.baked_at) return { key: "pack", sign: "✕", text: say("No map on this device"), tone: "warn", route };
  if (pack.is_elsewhere) return { key: "pack", sign: "!", text: say("Map of another district"), tone: "warn", route };
  // Facts of valves that have just been heard make no old drawing new.
  if (pack.is_old) return { key: "pack", sign: "!", text: say("Old map: drawn %(age)s", { age: age(pack.baked_at) }), tone: "warn", route };
  return { key: "pack", sign: "▦", text: say("Map: %(age)s", { age: age(pack.facts_at ?? pack.baked_at) }), tone: "plain", route };
}

/** @returns {Chip | null} */
function othersChip() {
  if (!known.is_signed_in) return null;
  const { asked } = known;
  if (!asked) return { key: "others", sign: "?", text: say("Today's jobs not heard yet"), tone: "warn" };
  if (isOnline() && Date.now() - asked.getTime() < STALE_MS) return { key: "others", sign: "✓", text: say("Jobs as of %(time)s", { time: clock(asked) }), tone: "good" };
  return { key: "others", sign: "?", text: say("Other jobs unknown since %(time)s", { time: clock(asked) }), tone: "warn" };
}

/** @returns {Chip | null} */
function signInChip() {
  if (!known.is_signed_in || !known.must_sign_in) return null;
  return { key: "sign-in", sign: "!", text: say("Sign in to send"), tone: "wrong", route: "#/sign-in" };
}

/** @returns {Chip | null} */
function needsChip() {
  if (!known.counts?.parked) return null;
  const n = known.counts.parked;
  return { key: "needs", sign: "!", text: n === 1 ? say("1 needs you") : say("%(n)s need you", { n }), tone: "wrong", route: "#/outbox" };
}

/** @returns {Chip | null} */
function releaseChip() {
  if (!readyVersion()) return null;
  return { key: "release", sign: "↻", text: say("New version"), tone: "plain", act: offerRelease };
}

/** What is not sent yet lies in the device's database, which a new version opens as it is. */
async function offerRelease() {
  const unsent = unsentCount();
  const is_wanted = await confirm({
    title: say("Use the new version now?"),
    text: [
      make("p", {}, say("The page opens anew; what is typed but not yet recorded is lost.")),
      unsent ? make("p", {}, say("%(n)s not sent yet stay on this device and are sent afterwards.", { n: unsent })) : null,
    ],
    yes: say("Use it now"),
    no: say("Later"),
  });
  if (is_wanted) await useReady();
}

/** @param {Chip} chip */
function makeChip(chip) {
  const body = [make("span", { class: "sign", "aria-hidden": "true" }), make("span", { class: "word" })];
  if (chip.route) return make("a", { class: "chip", "data-chip": chip.key }, body);
  if (chip.act) return make("button", { class: "chip", type: "button", "data-chip": chip.key, click: chip.act }, body);
  return make("span", { class: "chip", "data-chip": chip.key }, body);
}

/**
 * An element stays the one it is, so that a tap is never lost to a figure that changes under it.
 * @param {HTMLElement} element
 * @param {Chip} chip
 */
function fill(element, chip) {
  const [sign, word] = /** @type {HTMLElement[]} */ ([...element.children]);
  if (sign && sign.textContent !== chip.sign) sign.textContent = chip.sign;
  if (word && word.textContent !== chip.text) word.textContent = chip.text;
  if (element.dataset.tone !== chip.tone) element.dataset.tone = chip.tone;
  if (chip.route) element.setAttribute("href", chip.route);
}

/** @param {HTMLElement} row */
function draw(row) {
  const chips = [signalChip(), unsentChip(), needsChip(), signInChip(), othersChip(), packChip(), releaseChip()];
  const wanted = new Set(chips.map((chip) => chip?.key));
  for (const [key, element] of shown) {
    if (wanted.has(key)) continue;
    element.remove();
    shown.delete(key);
  }
  let place = 0;
  for (const chip of chips) {
    if (!chip) continue;
    const element = shown.get(chip.key) ?? makeChip(chip);
    shown.set(chip.key, element);
    fill(element, chip);
    if (row.children[place] !== element) row.insertBefore(element, row.children[place] ?? null);
    place += 1;
  }
}

/** Both switches do it in one tap, and say in what they are, not what they were. */
function switches() {
  const tongue = make("button", { class: "chip", type: "button", id: "switch-language", click: () => setLanguage(language() === "en" ? "zh_CN" : "en") });
  const light = make("button", { class: "chip", type: "button", id: "switch-theme", click: () => setTheme(theme() === "dark" ? "light" : "dark") });
  const write = () => {
    const other = language() === "en" ? "zh_CN" : "en";
    tongue.textContent = LANGUAGES[other];
    tongue.lang = other.replace("_", "-");
    light.replaceChildren(drawing(theme() === "dark" ? SUN : MOON), make("span", {}, theme() === "dark" ? say("Light") : say("Dark")));
  };
  watchLanguage(write);
  watchTheme(write);
  write();
  return make("div", { class: "switches" }, tongue, light);
}

/**
 * Build the bar and keep it true.
 * @param {HTMLElement} element
 */
export async function showStatusBar(element) {
  const row = make("div", { class: "chips" });
  const label = () => element.setAttribute("aria-label", say("State of this device"));
  label();
  element.replaceChildren(row, switches());
  const again = () => draw(row);
  again();
  watchConnection(again);
  watchRelease(again);
  watchLanguage(() => { label(); again(); });

  const [outbox, dayPart, session, pack] = await Promise.all(["outbox", "day", "session", "pack"].map(load));
  const look = async () => {
    known.is_signed_in = Boolean(await session?.session());
    known.must_sign_in = Boolean(await session?.mustSignIn?.());
    known.asked = (await dayPart?.dayAskedAt?.()) ?? null;
    if (pack) known.pack = await pack.packState().catch(() => undefined);
    again();
  };
  outbox?.watchOutbox((/** @type {Known["counts"]} */ counts) => { known.counts = counts; again(); });
  dayPart?.watchDay(look);
  session?.watchSession?.(look);
  pack?.watchPack?.(look);
  setInterval(look, LOOK_MS);
  await look();
}
