/** Signing in, for a shift. Nothing that was recorded depends on it: it only lets the tablet send. */
import { button, make, notice, primary, readFields, textField } from "./elements.js";
import { counts } from "./outbox.js";
import { HOME, go } from "./router.js";
import { Offline, Refused, mustSignIn, revocation, session, signIn, thisDevice } from "./session.js";
import { say } from "./words.js";

/** @typedef {{login: string, name: string, roles: string[]}} DemoPerson */

/** @param {HTMLElement} element */
export async function show(element) {
  const [device, revoked, waiting] = await Promise.all([thisDevice(), revocation(), counts()]);
  const login = textField({ name: "login", label: say("Sign-in name"), is_required: true, autocomplete: "username" });
  const password = textField({ name: "password", label: say("Password"), is_required: true, type: "password", autocomplete: "current-password" });
  const tablet = textField({ name: "name", label: say("Name of this tablet"), is_required: true, help: say("As it is written on its back, so that it is found in the list of tablets.") });
  const fields = device ? [login, password] : [login, password, tablet];
  const notes = make("div", { role: "status" });
  const enter = async () => {
    const values = readFields(fields, notes);
    if (values) await attempt({ login: values.login, password: values.password, ...(device ? {} : { name: values.name }) }, notes);
  };
  const demo = make("div", {});
  element.replaceChildren(
    make("h1", {}, say("Sign in")),
    ...situation(revoked, waiting),
    make("div", { class: "card", keydown: (/** @type {KeyboardEvent} */ event) => {
      // An input method's own Enter chooses a word.
      if (event.key === "Enter" && !event.isComposing && event.target instanceof HTMLInputElement) void enter();
    } }, fields.map((field) => field.element), notes, make("div", { class: "actions" }, primary(say("Sign in"), enter, { id: "sign-in" }))),
    demo,
  );
  void offerDemo(demo, notes, () => (device ? undefined : tablet.value() ?? say("Tablet")));
}

/**
 * What whoever holds the tablet has to know first.
 * @param {{wipe: string} | null} revoked
 * @param {import("./outbox.js").Counts} waiting
 */
function situation(revoked, waiting) {
  const own = session();
  const unsent = waiting.unsent + waiting.photos + waiting.parked;
  return [
    revoked && notice("warn", revoked.wipe === "all"
      ? say("This tablet was revoked and has cleared everything. Whoever signs in uses it as a new one.")
      : say("This tablet was revoked and has cleared all but what was unsent. Whoever signs in uses it as a new one.")),
    own && mustSignIn() && notice("warn", say("The sign-in of %(person)s is over. You can go on reading and recording; nothing is sent until %(person)s signs in again.", { person: own.person.name })),
    unsent > 0 && notice("info", say("%(n)s on this device are not sent yet. They stay, and are sent when the one who recorded them signs in.", { n: unsent })),
  ].filter((part) => part instanceof Node);
}

/**
 * @param {Parameters<typeof signIn>[0]} who
 * @param {HTMLElement} notes
 */
async function attempt(who, notes) {
  notes.replaceChildren();
  try {
    await signIn(who);
    go(HOME);
  } catch (error) {
    notes.replaceChildren(notice("wrong", wordsOf(error)));
  }
}

/** @param {unknown} error */
function wordsOf(error) {
  if (error instanceof Offline) return say("No signal. Signing in needs one; what is recorded here stays.");
  if (error instanceof Refused && error.status === 401) return say("The name or the password is not right.");
  return error instanceof Error && error.message ? error.message : String(error);
}

/** @param {string} role */
function roleName(role) {
  const names = { crew: say("Crew"), dispatcher: say("Dispatcher"), planner: say("Planner"), service_agent: say("Service agent"), manager: say("Manager"), admin: say("Administrator") };
  return names[/** @type {keyof typeof names} */ (role)] ?? role;
}

/**
 * In the demo anybody may be any of its people; elsewhere the server names nobody.
 * @param {HTMLElement} place
 * @param {HTMLElement} notes
 * @param {() => string | undefined} nameOfTablet
 */
async function offerDemo(place, notes, nameOfTablet) {
  const answer = await fetch("/api/v1/devices/sign-in", { credentials: "omit", cache: "no-store" }).catch(() => null);
  /** @type {DemoPerson[]} */
  const people = answer?.ok ? (await answer.json()).demo : [];
  if (!people.length) return;
  // Whoever tries the tablet wants to be the crew.
  people.sort((a, b) => Number(b.roles.includes("crew")) - Number(a.roles.includes("crew")));
  place.className = "card";
  place.replaceChildren(
    make("h2", {}, say("Demo: sign in as")),
    make("div", { class: "actions" }, people.map(({ login, name, roles }) => {
      const choose = button([...roles.map(roleName), name].join(" · "), () => attempt({ demo_login: login, name: nameOfTablet() }, notes));
      choose.dataset.demo = login;
      return choose;
    })),
  );
}
