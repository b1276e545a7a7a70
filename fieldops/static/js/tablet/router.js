/** Which page is shown: the address after "#", each page a module that is loaded when it is wanted. */
import { button, link, make, notice } from "./elements.js";
import { forgetTyped, keepTyped, tellTyped } from "./typed.js";
import { say } from "./words.js";

/** @typedef {() => void} Cleanup */
/** @typedef {{show: (element: HTMLElement, params: Record<string, string>) => Cleanup | void | Promise<Cleanup | void>}} View */
/** @typedef {{name: string, params: Record<string, string>}} Route */

/** @type {Record<string, string>} */
const MODULES = {
  jobs: "./jobs.js",
  job: "./job.js",
  map: "./map_page.js",
  register: "./register.js",
  propose: "./propose.js",
  outbox: "./outbox_page.js",
  settings: "./settings.js",
  "sign-in": "./sign_in.js",
};
export const HOME = "#/jobs";

/** @type {Cleanup | null} */
let leave = null;
let turn = 0;
/** The address of the page that is open. */
let shown = "";
/** @type {(route: Route) => Promise<string | null> | string | null} */
let guard = () => null;
/** @type {(route: Route) => void} */
let told = () => {};

/**
 * Read an address: "#/job/17?valve=V3" is the page "job" with {id: "17", valve: "V3"}.
 * @param {string} hash
 * @returns {Route}
 */
export function readRoute(hash) {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [name = "", ...rest] = path.split("/");
  const params = Object.fromEntries(new URLSearchParams(query));
  if (rest.length) params.id = decodeURIComponent(rest.join("/"));
  return { name: name || readRoute(HOME).name, params };
}

/**
 * Go to another page: `go("#/job/17")`.
 * @param {string} route
 */
export function go(route) {
  if (location.hash === route) void refresh();
  else location.hash = route;
}

/** Show the present page anew, as after another language was chosen. */
export function refresh() {
  return open(readRoute(location.hash));
}

/**
 * Begin to follow the address.
 * @param {{isAllowed: typeof guard, onShown: typeof told}} hands - `isAllowed` tells where to go instead
 */
export function start({ isAllowed, onShown }) {
  guard = isAllowed;
  told = onShown;
  addEventListener("hashchange", () => { void refresh(); });
  return refresh();
}

/** @param {Route} route */
async function open(route) {
  const mine = ++turn;
  const instead = await guard(route);
  if (mine !== turn) return;
  if (instead !== null) return go(instead);
  const before = document.getElementById("page");
  const isSame = shown === location.hash;
  const scrolled = before?.scrollTop ?? 0;
  if (before && isSame) keepTyped(before);
  else forgetTyped();
  shown = location.hash;
  leave?.();
  leave = null;
  for (const sheet of document.querySelectorAll("dialog[open]")) /** @type {HTMLDialogElement} */ (sheet).close();
  // A page that is left may still be at work: it gets an element of its own, and never writes into the next.
  const element = make("main", { id: "page", tabindex: "-1", "data-page": route.name, "data-state": "opening" });
  before?.replaceWith(element);
  told(route);
  try {
    const view = await load(route.name);
    const cleanup = (await view.show(element, route.params)) ?? null;
    if (mine !== turn) return cleanup?.();
    leave = cleanup;
    tellTyped();
    if (isSame) element.scrollTop = scrolled;
    element.dataset.state = "shown";
    // Whoever has the page read out hears the new one; what the page itself put forward stays so.
    if (mine > 1 && !element.contains(document.activeElement)) element.focus({ preventScroll: true });
  } catch (error) {
    if (mine !== turn) return;
    console.warn(error);
    showFailure(element, error);
  }
}

/**
 * @param {string} name
 * @returns {Promise<View>}
 */
async function load(name) {
  const path = MODULES[name];
  if (!path) throw new Error(say("There is no page “%(name)s”.", { name }));
  try {
    return await import(path);
  } catch (error) {
    console.warn(error);
    const isMissing = error instanceof TypeError && /import/i.test(error.message);
    throw new Error(isMissing ? say("The page “%(name)s” is not on this device yet. Open it once with a signal.", { name }) : String(error));
  }
}

/**
 * A page that fails says so, and takes nothing else with it.
 * @param {HTMLElement} element
 * @param {unknown} error
 */
function showFailure(element, error) {
  element.dataset.state = "failed";
  const home = readRoute(HOME).name;
  element.replaceChildren(
    make("h1", {}, say("This page could not be opened")),
    notice("wrong", [
      make("p", {}, say("What you recorded is safe on this device.")),
      make("p", { class: "detail" }, error instanceof Error ? error.message : String(error)),
    ]),
    make("div", { class: "actions" }, button(say("Try again"), () => { location.reload(); }),
      element.dataset.page === home ? null : link(say("To the jobs"), HOME),
      link(say("Outbox"), "#/outbox")),
  );
}
