/** One refused record: what was said, what stands there instead, and what a person may do about it. */
import { button, card, confirm, facts, link, make, moment, notice, toast } from "./elements.js";
import { actionName, fieldName, orderOf, resolve, valueName } from "./refused.js";
import { photoAddress, resolvePhoto } from "./photos.js";
import { download, makeRescue } from "./rescue.js";
import { clock, name, say, translated } from "./words.js";

/** @typedef {import("./db.js").Op} Op */
/** @typedef {import("./db.js").KeptPhoto} KeptPhoto */

/**
 * "Arrive · W-12", "valve confirmed · V3 · closed tight · O-5": a number made on the device tells nobody anything.
 * @param {Op} op
 */
export function titleOf(op) {
  const [kind, id = ""] = op.subject.split(/:(.*)/s);
  const { valve, stuck, result, name: track, feature } = op.body;
  const subject = id.startsWith("new-") ? say("new report") : kind === "track" ? track : kind === "map_proposal" ? feature : id;
  const found = kind === "outage" && result ? name("valve_state", String(result)) : null;
  return [actionName(op.action), valve ?? stuck, found, subject].filter(Boolean).join(" · ");
}

/**
 * Everything unsent, or one record, to files.
 * @param {string} [op_id]
 */
export async function saveRescue(op_id) {
  const files = await makeRescue(op_id);
  for (const file of files) download(file);
  const total = (/** @type {"ops" | "photos" | "unreadable"} */ what) => files.reduce((sum, file) => sum + file[what], 0);
  const said = say("Saved to %(files)s files: %(ops)s records, %(photos)s photos. A dispatcher reads them in at /rescue; they also stay here.", { files: files.length, ops: total("ops"), photos: total("photos") });
  toast(said);
  if (total("unreadable")) toast(say("%(n)s photos could not be read from this device and are not in the file.", { n: total("unreadable") }), "wrong");
}

/** @param {Op} op */
export function refusedCard(op) {
  const conflicts = Object.entries(op.answer?.conflicts ?? {});
  const isDone = op.answer?.status === "applied_with_conflict";
  const again = () => resolve(op.op_id, "mine");
  const order = orderOf(op);
  return card([
    make("h3", {}, titleOf(op)),
    facts([[say("Recorded"), moment(op.occurred_at)], [say("By"), op.person_name]]),
    notice("wrong", [
      make("p", {}, make("strong", {}, reasonOf(op))),
      op.answer?.message && op.answer.message !== `${reasonOf(op)}.` ? make("p", {}, translated(op.answer.message)) : null,
      op.answer?.is_kept_as_fact ? make("p", {}, say("What you recorded is kept with the order as a fact; dispatch sees it.")) : null,
      op.answer?.missing?.length ? make("p", {}, say("Missing: %(what)s", { what: op.answer.missing.map((field) => fieldName(field)).join(", ") })) : null,
    ]),
    conflicts.length ? values(op) : entered(op),
    make("div", { class: "actions" },
      button(conflicts.length ? say("Keep mine") : say("Send again"), again),
      order ? button(conflicts.length ? say("Take theirs") : say("Leave it, as a note"), () => resolve(op.op_id, "theirs")) : null,
      order ? link(say("Open the job"), `#/job/${order.slice("work_order:".length)}`) : null,
      button(say("Save to a file"), () => saveRescue(op.op_id)),
      button(say("Forget it"), () => resolve(op.op_id, "drop", askToDrop))),
    conflicts.length
      ? make("p", { class: "help" }, isDone
        ? say("“Keep mine” writes your values over theirs; “Take theirs” leaves theirs and keeps yours as a note. The step itself is done.")
        : say("“Keep mine” sends your record again, knowing theirs; “Take theirs” leaves theirs and keeps yours as a note."))
      : null,
  ], { class: "refused", label: titleOf(op) });
}

/** @param {Op} op */
function reasonOf(op) {
  switch (op.answer?.status) {
    case "applied_with_conflict":
      return say("Done, but some values stand otherwise meanwhile");
    case "conflict":
      return say("Somebody else changed the same meanwhile");
    case "missing":
      return say("Something is missing");
    case "forbidden":
      return say("Not allowed for your account");
    default:
      return say("Not possible as things stand now");
  }
}

/** @param {Op} op */
function askToDrop(op) {
  return confirm({
    title: say("Forget this record?"),
    text: say("1 record of %(name)s, of %(at)s, would be lost: “%(what)s”. It is on this device only.", { name: op.person_name, at: clock(op.occurred_at), what: titleOf(op) }),
    yes: say("Forget it"),
    no: say("Keep it"),
    is_danger: true,
  });
}

/**
 * Both values, side by side.
 * @param {Op} op
 */
function values(op) {
  const rows = Object.entries(op.answer?.conflicts ?? {}).map(([field, { mine, theirs, by, at }]) => {
    const who = by && at ? say("%(name)s, %(at)s", { name: by, at: clock(at) }) : by ?? say("by whom is not known");
    return make("tr", {},
      make("th", { scope: "row" }, fieldName(field)),
      make("td", { class: "mine" }, valueName(field, mine)),
      make("td", { class: "theirs" }, make("span", {}, valueName(field, theirs)), " ", make("small", {}, who)));
  });
  return make("table", { class: "both" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, say("Field")), make("th", { scope: "col" }, say("Yours")), make("th", { scope: "col" }, say("Theirs")))),
    make("tbody", {}, rows));
}

/** @param {Op} op */
function entered(op) {
  const given = Object.entries(op.body);
  return given.length ? facts(given.map(([field, value]) => [fieldName(field), valueName(field, value)])) : null;
}

/** @param {KeptPhoto} photo */
export function refusedPhotoCard(photo) {
  const picture = make("img", { alt: say("Photo of %(at)s", { at: clock(photo.kept_at) }), class: "thumb" });
  void photoAddress(photo.sha256).then((address) => {
    if (!address) return;
    picture.addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
    picture.src = address;
  });
  const ask = () => confirm({
    title: say("Forget this photo?"),
    text: say("1 photo of %(name)s, of %(at)s, would be lost. It is on this device only.", { name: photo.person_name, at: clock(photo.kept_at) }),
    yes: say("Forget it"),
    no: say("Keep it"),
    is_danger: true,
  });
  return card([
    make("h3", {}, say("Photo")),
    picture,
    facts([[say("Kept"), moment(photo.kept_at)], [say("By"), photo.person_name]]),
    notice("wrong", [make("p", {}, say("The server could not take this photo.")), photo.problem ? make("p", {}, photo.problem) : null]),
    make("div", { class: "actions" },
      button(say("Send again"), () => resolvePhoto(photo.sha256, "again")),
      button(say("Forget it"), () => resolvePhoto(photo.sha256, "drop", ask))),
  ], { class: "refused", label: say("Photo") });
}
