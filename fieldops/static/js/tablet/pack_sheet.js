/** The map on this device: how old it is, what there is to fetch, and fetching it. */
import { button, card, facts, make, moment, notice, showProblem, toast } from "./elements.js";
import { say, size } from "./words.js";

/** @typedef {typeof import("./pack.js")} PackPart */
/** @typedef {typeof import("./session.js")} SessionPart */

/**
 * @param {PackPart | null} pack - null when that part of the page is not there
 * @param {SessionPart | null} session
 * @returns {{element: HTMLElement, stop: () => void}}
 */
export function packSheet(pack, session) {
  const element = card([], { class: "pack" });
  if (!pack || !session) {
    element.replaceChildren(make("h2", {}, say("Map on this device")), notice("wrong", say("The part of the page that keeps the map could not be loaded.")));
    return { element, stop: () => {} };
  }
  const have = make("div", {});
  const want = make("p", { class: "help", role: "status" });
  const progress = make("p", { role: "status", class: "progress" });
  const bar = make("progress", { max: 1, value: 0, hidden: true, "aria-label": say("Map on this device") });
  const fetchIt = async () => {
    bar.hidden = false;
    try {
      await pack.downloadPack((done, whole) => {
        bar.max = whole || 1;
        bar.value = done;
        progress.textContent = say("%(done)s of %(whole)s", { done: size(done), whole: size(whole) });
      });
      toast(say("The map is on this device."));
    } catch (error) {
      if (error instanceof session.Offline) toast(say("The signal is gone; what was fetched stays, and it goes on from there."), "warn");
      else showProblem(error);
    }
    bar.hidden = true;
    progress.textContent = "";
    await draw();
  };
  const act = button("", fetchIt);
  element.replaceChildren(make("h2", {}, say("Map on this device")), have, want, progress, bar, make("div", { class: "actions" }, act));

  const draw = async () => {
    const state = await pack.packState();
    have.replaceChildren(state?.is_elsewhere ? notice("warn", elsewhereText(state.name)) : "", state
      ? facts([
        [say("District"), state.name || say("the whole network")],
        [say("Drawn"), moment(state.baked_at)],
        [say("Valves' state as of"), moment(state.facts_at)],
        [say("Size"), size(state.bytes)],
      ])
      : notice("warn", say("There is no map on this device yet: fetch it while there is a signal.")));
    act.textContent = state ? say("Bring the map up to date") : say("Fetch the map");
    want.textContent = await offerText(pack, session);
  };
  const again = () => void draw().catch(showProblem);
  again();
  return { element, stop: pack.watchPack(again) };
}

/** That the map is none of this tablet's district. @param {string} name */
export const elsewhereText = (name) =>
  say("The map on this device is of another district (%(name)s). That of your district is fetched as soon as there is a signal; this one stays until then.", { name: name || say("the whole network") });

/**
 * What fetching would cost, said before it is begun.
 * @param {PackPart} pack
 * @param {SessionPart} session
 */
async function offerText(pack, session) {
  if (!session.session()) return say("Sign in to fetch the map.");
  try {
    const { offer, bytes, kept_bytes, is_here } = await pack.packOffer();
    if (!offer) return say("The server is still making the map; it can be fetched in a minute.");
    if (is_here) return say("There is no newer map than this one.");
    if (kept_bytes) return say("To fetch: %(size)s, of which %(here)s are here already.", { size: size(bytes), here: size(kept_bytes) });
    return say("To fetch: %(size)s.", { size: size(bytes) });
  } catch (error) {
    if (error instanceof session.Offline) return say("Whether there is a newer map is not known with no signal.");
    return say("Whether there is a newer map is not known: %(why)s", { why: error instanceof Error ? error.message : String(error) });
  }
}
