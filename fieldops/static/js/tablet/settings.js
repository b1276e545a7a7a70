/** The settings: language, light, the map on this device, room, the release, and who is signed in. */
import { askServer, isOnline } from "./connection.js";
import { button, card, choiceField, confirm, facts, link, make, notice, toast } from "./elements.js";
import { packSheet } from "./pack_sheet.js";
import { load } from "./parts.js";
import { go } from "./router.js";
import { unsentCount } from "./status_bar.js";
import { canInstall, install, isKeptOffline, readyVersion, useReady, version, watchRelease } from "./sw_register.js";
import { setTheme, theme } from "./theme.js";
import { LANGUAGES, clock, language, say, setLanguage, size } from "./words.js";

/** @typedef {import("./make.js").Child} Child */

/**
 * @param {HTMLElement} element
 * @returns {Promise<() => void>}
 */
export async function show(element) {
  const [session, db, pack, positions] = await Promise.all(["session", "db", "pack", "positions"].map(load));
  const sheets = make("div", { class: "cards" });
  element.replaceChildren(make("h1", {}, say("Settings")), sheets);
  const maps = packSheet(pack, session);
  const pageSheet = card([], { class: "release" });
  const place = positions?.positionsCard();
  sheets.append(looks(), personSheet(session), maps.element, pageSheet, await roomSheet(db), place?.element ?? "");
  const drawPage = () => fillPage(pageSheet);
  drawPage();
  const stop = watchRelease(drawPage);
  return () => {
    stop();
    maps.stop();
    place?.stop();
  };
}

function looks() {
  const tongue = choiceField({
    name: "language", label: say("Language"), is_required: true, is_fixed: true, value: language(),
    options: Object.entries(LANGUAGES),
    onChange: () => setLanguage(/** @type {any} */ (tongue.value() ?? language())),
  });
  const light = choiceField({
    name: "theme", label: say("Light or dark"), is_required: true, is_fixed: true, value: theme(),
    options: [["light", say("Light")], ["dark", say("Dark")]],
    onChange: () => setTheme(light.value() === "dark" ? "dark" : "light"),
  });
  return card([make("h2", {}, say("How it looks")), tongue.element, light.element]);
}

/** @param {any} session */
function personSheet(session) {
  const now = session?.session();
  if (!now) return card([make("h2", {}, say("Signed in")), make("p", {}, say("Nobody is signed in on this device.")), link(say("Sign in"), "#/sign-in", { look: "primary" })]);
  const leave = async () => {
    const is_out = await session.signOut((/** @type {number} */ unsent) => confirm({
      title: say("%(n)s not sent yet", { n: unsent }),
      text: say("They stay on this device and are sent when %(person)s signs in here again. Sign out all the same?", { person: now.person.name }),
      yes: say("Sign out"), no: say("Stay signed in"), is_danger: true,
    }));
    if (is_out) go("#/sign-in");
  };
  return card([
    make("h2", {}, say("Signed in")),
    facts([
      [say("Person"), now.person.name],
      [say("Crew"), (now.crews ?? []).map((/** @type {{name: string}} */ crew) => crew.name).join(", ") || null],
      [say("Tablet"), now.device?.name ?? null],
      [say("Valid until"), clock(now.expires_at)],
    ]),
    make("div", { class: "actions" }, button(say("Sign out"), leave),
      link(say("Report a mistake on the map"), "#/propose")),
  ]);
}

/** @param {HTMLElement} sheet */
function fillPage(sheet) {
  const kept = isKeptOffline();
  sheet.replaceChildren(
    make("h2", {}, say("This page")),
    kept === null ? notice("info", say("Finding out whether this page opens with no signal…"))
      : kept ? notice("good", say("This page opens with no signal."))
        : notice("warn", say("This page does not open with no signal yet.")),
    facts([[say("Version"), version], [say("Newer version ready"), readyVersion() ?? say("no")]]),
    make("div", { class: "actions" },
      readyVersion() ? button(say("Use the new version"), useNew) : button(say("Look for a new version"), lookForNew),
      canInstall() ? button(say("Install on the home screen"), install) : null),
  );
}

async function useNew() {
  const unsent = unsentCount();
  const is_sure = unsent === 0 || await confirm({
    title: say("Use the new version now?"),
    text: unsent ? say("%(n)s not sent yet stay on this device and are sent afterwards.", { n: unsent }) : say("What is unsent is not known; it stays on this device."),
    yes: say("Use it now"), no: say("Later"),
  });
  if (is_sure) await useReady();
}

async function lookForNew() {
  await askServer();
  await navigator.serviceWorker?.getRegistration("/tablet").then((registration) => registration?.update()).catch(() => {});
  toast(isOnline() ? say("The newest version is fetched when there is one.") : say("There is no signal."), isOnline() ? "info" : "warn");
}

/** @param {any} db */
async function roomSheet(db) {
  /** @type {{used: number | null, most: number | null, is_persisted: boolean | null}} */
  const room = (await db?.room().catch(() => null)) ?? { used: null, most: null, is_persisted: null };
  return card([
    make("h2", {}, say("Room on this device")),
    facts([
      [say("Used"), room.used === null ? null : size(room.used)],
      [say("Allowed"), room.most === null ? null : size(room.most)],
      [say("Kept until it is deleted by hand"), room.is_persisted === null ? null : room.is_persisted ? say("yes") : say("no, the browser may clear it when room is short")],
    ]),
    link(say("Save what is unsent to a file"), "#/outbox"),
  ]);
}
