/** The tablet's page: words, light, the bar, the tabs; then the page that the address names. */
import { startConnection } from "./connection.js";
import { link, make, notice } from "./elements.js";
import { failedParts, load } from "./parts.js";
import { go, HOME, readRoute, refresh, start } from "./router.js";
import { showStatusBar, unsentCount } from "./status_bar.js";
import { readyVersion, startReleases, useReady, version, watchRelease } from "./sw_register.js";
import "./theme.js";
import { isLanguageChosen, loadWords, locale, say, setLanguage, setNames, watchLanguage } from "./words.js";

/** Open to everybody who holds the tablet: unsent work must be seen, and saved, by anyone. */
const OPEN_PAGES = new Set(["sign-in", "settings", "outbox"]);
/** How long after the start a release may still be changed by itself: nothing is typed yet. */
const EARLY_MS = 4000;

const PICTURES = {
  jobs: "M9 2h6v2h4v18H5V4h4zM8 9v2h8V9zM8 13v2h8v-2zM8 17v2h5v-2z",
  map: "M9 3.5 2 6v15l7-2.5 6 2.5 7-2.5v-15L15 6zM8.5 6v11l-1.5.5v-11zM15.5 8l1.500-.5v11l-1.500.5z",
  register: "M12 2c4 5 7 8.500 7 12.500a7 7 0 0 1-14 0C5 10.500 8 7 12 2zM11 11v3H8v2h3v3h2v-3h3v-2h-3v-3z",
  outbox: "M12 3 6 9h4v6h4V9h4zM4 17h16v4H4z",
  settings: "M4 6h10V4h3v2h3v2h-3v2h-3V8H4zM4 16h3v-2h3v2h10v2H10v2H7v-2H4z",
};

/** @param {string} id */
const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {string} current */
function drawTabs(current) {
  /** @type {[keyof PICTURES, string][]} */
  const tabs = [["jobs", say("Jobs")], ["map", say("Map")], ["register", say("Register")], ["outbox", say("Outbox")], ["settings", say("Settings")]];
  const tabs_element = part("tabs");
  tabs_element.setAttribute("aria-label", say("Pages"));
  tabs_element.replaceChildren(...tabs.map(([name, word]) => {
    const tab = link(make("span", {}, word), `#/${name}`, { class: "tab", icon: PICTURES[name], look: "quiet" });
    if (name === current || (name === "jobs" && current === "job")) tab.setAttribute("aria-current", "page");
    return tab;
  }));
}

/** What this device cannot do is said on every page, not found out in the street. */
function drawWarnings() {
  const list = [];
  if (!isSecureContext) {
    list.push(notice("warn", [
      make("strong", {}, say("This page came by plain http.")), " ",
      say("Without https it does not open with no signal, and the browser gives it no camera and no position. Ask for the address with https (./run serve --cert --key)."),
    ]));
  }
  for (const [name, error] of failedParts()) {
    list.push(notice("wrong", say("A part of the page could not be loaded: %(name)s. %(why)s", { name, why: error instanceof Error ? error.message : String(error) })));
  }
  part("warnings").replaceChildren(...list);
}

/** @param {string} current */
function draw(current) {
  document.documentElement.lang = locale();
  document.title = `${say("Crew tablet")} · fieldops`;
  drawTabs(current);
  drawWarnings();
}

/** A new release comes by itself only where nothing is unsent and nobody has begun to work. */
function changeEarly() {
  const begun = performance.now();
  let isTouched = false;
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => { isTouched = true; }, { once: true, capture: true });
  const change = () => {
    if (!readyVersion() || isTouched || unsentCount() !== 0 || performance.now() - begun > EARLY_MS) return;
    void useReady({ only_alone: true });
  };
  watchRelease(change);
  change();
}

await loadWords();
draw(readRoute(location.hash).name);
startConnection();

const bar = showStatusBar(part("status-bar"));
const [session, day] = await Promise.all([load("session"), load("day")]);
setNames(day?.day()?.names ?? {});
day?.watchDay((/** @type {any} */ now) => { if (now?.names) setNames(now.names); });
const heed = async () => {
  const said = (await session?.session())?.person.language;
  if (said && !isLanguageChosen()) setLanguage(said);
};
session?.watchSession?.(heed);

watchLanguage(() => { void refresh(); });
await start({
  isAllowed: async ({ name }) => (OPEN_PAGES.has(name) || !session || (await session.session()) ? null : "#/sign-in"),
  onShown: ({ name }) => draw(name),
});
document.documentElement.dataset.page = "ready";

await bar;
drawWarnings();
for (const [name, begin] of [["day", "startDay"], ["sender", "startSender"], ["positions", "startPositions"], ["pack", "startPack"]]) {
  load(/** @type {string} */ (name)).then((module) => module?.[/** @type {string} */ (begin)]?.()).finally(drawWarnings);
}
load("db").then((db) => { void db?.kv.set("shell_version", version); void db?.persist(); });
void startReleases().then(changeEarly);
session?.onRevoked?.(() => { go(HOME); });
