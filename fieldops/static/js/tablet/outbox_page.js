/** What is on this device and not with the server: what waits, what needs a person, and the way out. */
import { kv, persist, room } from "./db.js";
import { badge, button, card, facts, link, make, moment, notice, primary, whereMark } from "./elements.js";
import { counts, listOps, onOutboxChange } from "./outbox.js";
import { photosLeft } from "./photos.js";
import { resolvedWord } from "./refused.js";
import { refusedCard, refusedPhotoCard, saveRescue, titleOf } from "./refused_view.js";
import { sendNow, watchSender } from "./sender.js";
import { clock, say, size } from "./words.js";

/** @typedef {import("./db.js").Op} Op */
/** @typedef {import("./sender.js").SenderState} SenderState */

const LITTLE_BYTES = 200 * 1024 ** 2;
const SHOWN_CONFIRMED = 20;
const SHOWN_WAITING = 50;
const RESTS_MS = 200;

/** @param {HTMLElement} element */
export function show(element) {
  let isOver = false;
  /** @type {SenderState | null} */
  let sender = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const head = make("div");
  const needs = make("section", { id: "needs-you", "aria-label": say("Needs you") });
  const waiting = make("section", { id: "waiting" });
  const confirmed = make("section", { id: "confirmed" });
  /** What is shown of those that need a person: an element stays while it is about the same. @type {Map<string, HTMLElement>} */
  const cards = new Map();

  const draw = async () => {
    const [ops, count, photos, place, rescued] = await Promise.all([listOps(), counts(), photosLeft(), room(), kv.get("rescued_at")]);
    if (isOver) return;
    head.replaceChildren(...summary(ops, count, sender, rescued), ...roomNotices(place));
    drawNeeds(needs, cards, ops, photos);
    drawWaiting(waiting, ops, photos);
    drawConfirmed(confirmed, ops);
    element.dataset.unsent = String(count.unsent + count.photos);
    element.dataset.parked = String(count.parked);
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => void draw(), RESTS_MS);
  };
  const stops = [
    onOutboxChange(soon),
    watchSender((state) => {
      sender = state;
      soon();
    }),
  ];
  element.replaceChildren(make("h1", {}, say("Outbox")), head, needs, waiting, confirmed);
  void persist().then(soon);
  const minute = setInterval(soon, 60_000);
  return draw().then(() => () => {
    isOver = true;
    clearTimeout(timer);
    clearInterval(minute);
    for (const stop of stops) stop();
  });
}

/**
 * @param {Op[]} ops
 * @param {import("./outbox.js").Counts} count
 * @param {SenderState | null} sender
 * @param {string | undefined} rescued
 */
function summary(ops, count, sender, rescued) {
  const unsent = count.unsent + count.photos;
  const oldest = ops.find((op) => op.state === "here" || op.state === "sending");
  const lines = [
    unsent === 0
      ? count.parked
        ? notice("warn", say("Nothing waits to be sent, but %(n)s need you: the server has not taken them over.", { n: count.parked }))
        : notice("good", say("Everything recorded on this device is with the server."))
      : notice("warn", [
          make("p", {}, make("strong", {}, say("%(n)s unsent", { n: unsent })), " ",
            say("%(ops)s records and %(photos)s photos are on this device only.", { ops: count.unsent, photos: count.photos })),
          oldest ? make("p", {}, say("The oldest is of %(at)s.", { at: clock(oldest.occurred_at) })) : null,
        ]),
    waitingFor(sender, unsent),
    ...count.others.map((other) => notice("info", say("%(n)s records of %(name)s are sent when %(name)s signs in again.", { n: other.unsent + other.photos, name: other.person_name }))),
  ];
  const actions = make("div", { class: "actions" });
  if (unsent) actions.append(primary(say("Send now"), () => sendNow(), { id: "send-now" }));
  if (unsent || count.parked) actions.append(button(say("Save all unsent to a file"), () => saveRescue(), { id: "rescue" }));
  if (sender?.waiting === "sign_in" && unsent) actions.append(link(say("Sign in"), "#/sign-in"));
  const saved = rescued && (unsent || count.parked) ? make("p", {}, say("Last saved to a file: "), moment(rescued)) : null;
  return [...lines, actions, saved].filter((one) => one !== null);
}

/**
 * @param {SenderState | null} sender
 * @param {number} unsent
 */
function waitingFor(sender, unsent) {
  if (!sender || !unsent) return null;
  if (sender.isSending) return notice("info", say("Being sent…"));
  const said = sender.problem ? make("p", { class: "detail" }, sender.problem) : null;
  switch (sender.waiting) {
    case "network":
      return notice("info", say("No way to the server at the moment. Sending goes on by itself when the signal is back."));
    case "sign_in":
      return notice("warn", [make("p", {}, say("The server wants a sign-in before it takes anything. Nothing is lost meanwhile.")), said]);
    case "forbidden":
      return notice("warn", [make("p", {}, say("The server does not let this account send. Everything stays here; tell dispatch.")), said]);
    case "server":
      return notice("warn", [make("p", {}, say("The server cannot take it at the moment. It is tried again by itself.")), said]);
    default:
      return null;
  }
}

/** @param {import("./db.js").Room} place */
function roomNotices(place) {
  const found = [];
  const left = place.most === null || place.used === null ? null : place.most - place.used;
  if (left !== null && left < LITTLE_BYTES) {
    found.push(notice("warn", say("Only %(left)s are left on this device. Send or save to a file what waits here, and delete pictures or other apps' data.", { left: size(left) })));
  }
  if (place.is_persisted === false) {
    found.push(notice("info", say("The browser has not promised to keep data when the device runs out of room. Install the page on the home screen, and keep some room free.")));
  }
  return found;
}

/**
 * @param {HTMLElement} section
 * @param {Map<string, HTMLElement>} cards
 * @param {Op[]} ops
 * @param {import("./db.js").KeptPhoto[]} photos
 */
function drawNeeds(section, cards, ops, photos) {
  const refused = ops.filter((op) => op.state === "needs_you" && !op.resolved);
  const bad = photos.filter((photo) => photo.state === "needs_you");
  const wanted = new Map([
    ...refused.map((op) => /** @type {const} */ ([op.op_id, () => refusedCard(op)])),
    ...bad.map((photo) => /** @type {const} */ ([photo.sha256, () => refusedPhotoCard(photo)])),
  ]);
  for (const [id, known] of cards) {
    if (wanted.has(id)) continue;
    known.remove();
    cards.delete(id);
  }
  section.hidden = wanted.size === 0;
  section.querySelector("h2")?.remove();
  section.prepend(make("h2", {}, say("Needs you: %(n)s", { n: wanted.size })));
  for (const [id, make_it] of wanted) {
    if (cards.has(id)) continue;
    const made = make_it();
    cards.set(id, made);
    section.append(made);
  }
}

/**
 * @param {HTMLElement} section
 * @param {Op[]} ops
 * @param {import("./db.js").KeptPhoto[]} photos
 */
function drawWaiting(section, ops, photos) {
  const unsent = ops.filter((op) => op.state === "here" || op.state === "sending");
  const pictures = photos.filter((photo) => photo.state !== "needs_you");
  const more = Math.max(0, unsent.length - SHOWN_WAITING) + Math.max(0, pictures.length - SHOWN_WAITING);
  section.hidden = unsent.length + pictures.length === 0;
  section.replaceChildren(
    make("h2", {}, say("Waiting, in this order")),
    make("div", { class: "cards" }, unsent.slice(0, SHOWN_WAITING).map((op) => row(op)),
      pictures.slice(0, SHOWN_WAITING).map((photo) =>
        card([make("div", { class: "row" }, make("strong", {}, say("Photo")), whereMark(photo.state)),
          facts([[say("Kept"), moment(photo.kept_at)], [say("Size"), size(photo.bytes)], [say("By"), photo.person_name]])], { class: "op" }))),
    ...(more > 0 ? [make("p", {}, say("and %(n)s more", { n: more }))] : []),
  );
}

/** @param {Op} op */
function row(op) {
  return card([
    make("div", { class: "row" }, make("strong", {}, titleOf(op)), whereMark(op.state)),
    facts([[say("Recorded"), moment(op.occurred_at)], [say("By"), op.person_name]]),
  ], { class: "op" });
}

/**
 * @param {HTMLElement} section
 * @param {Op[]} ops
 */
function drawConfirmed(section, ops) {
  const done = ops.filter((op) => op.answered_at && (op.state === "confirmed" || op.resolved));
  const last = done.sort((a, b) => (b.answered_at ?? "").localeCompare(a.answered_at ?? "")).slice(0, SHOWN_CONFIRMED);
  section.hidden = last.length === 0;
  section.replaceChildren(
    make("h2", {}, say("Lately answered")),
    make("ul", { class: "answered" }, last.map((op) =>
      make("li", { class: "row" }, make("span", {}, titleOf(op)), op.resolved ? badge(resolvedWord(op)) : whereMark("confirmed", op.answered_at)))),
  );
}

