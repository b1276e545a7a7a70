/** A valve by itself: what is recorded of it, and what can be recorded. */
import { make } from "./elements.js";
import { page } from "./page_data.js";
import { recordActions } from "./valve_actions.js";
import { count, knows, say } from "./words.js";

/** @typedef {import("./places.js").Place} Place */
/** @typedef {import("./valve_actions.js").ValveHands} ValveHands */

/**
 * @param {Place} place
 * @param {ValveHands} hands
 * @param {(pipe: string, at_m: number | null) => void} askPipe
 * @returns {Node[]}
 */
export function viewValve(place, hands, askPipe) {
  const { facts, id } = place;
  const rows = [
    ["position", say(`position.${facts.position}`) + (facts.is_position_assumed ? ` (${say("assumed")})` : "")],
    ["operability", say(`operability.${facts.operability}`)],
    ["reachable", say(facts.reachable ? "yes" : "no")],
    ["turns", facts.turns ? count("turns", facts.turns) : say("unknown")],
    ["closes", say(`closes.${facts.closes ?? "unknown"}`)],
    ["exercised", facts.last_exercised_on ?? say("never-recorded")],
    ["type", facts.valve_type ? (knows(`type.${facts.valve_type}`) ? say(`type.${facts.valve_type}`) : facts.valve_type) : say("unknown")],
    ["boundary", facts.boundary ? say("yes") : null],
    ["on-pipe", facts.pipe],
    ["absent", facts.is_absent ? say("marked-absent") : null],
  ];
  return [
    make("dl", { class: "facts" }, rows.flatMap(([name, value]) => value ? [
      make("dt", {}, say(`fact.${name}`)), make("dd", { "data-fact": String(name) }, String(value))] : [])),
    ...(facts.pipe ? [make("button", { type: "button", "data-focus": "ask", click: () => askPipe(facts.pipe, facts.at_m ?? null) },
      say("if-pipe-breaks-here", { id: facts.pipe }))] : []),
    ...(page.may_record ? [recordActions(id, hands)] : []),
  ];
}
