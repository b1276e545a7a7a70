/** What speaks for a crew or against it, and what an incident's score is made of, in words. */
import { figure, knows, say } from "../map/words.js";
import { clockOf } from "./moments.js";

/** @typedef {import("./board.js").Reason} Reason */

/** @param {string} skill */
export const skillWord = (skill) => knows(`skill.${skill}`) ? say(`skill.${skill}`) : skill;

/** @param {Reason} reason */
export function reasonText({ code, params }) {
  if (!knows(`reason.${code}`)) return code;
  const values = { ...params };
  if (Array.isArray(params.skills)) values.skills = params.skills.map(skillWord).join(say("comma"));
  if (params.at) values.at = clockOf(params.at);
  if (params.place) values.place = say(`at.${params.place}`);
  for (const [name, value] of Object.entries(values)) if (typeof value === "number") values[name] = figure(value);
  return say(`reason.${code}`, values);
}

/** @param {{code: string, params: Record<string, any>}} part */
export function scoreText({ code, params }) {
  const { value } = params;
  if (value === null || value === undefined) return say("score-unknown", { what: say(`score.${code}`) });
  if (code === "danger" || code === "spreading") return say(value ? `score.${code}` : `score.no-${code}`);
  return `${say(`score.${code}`)} ${figure(value)}${params.road ? ` ${params.road}` : ""}`;
}
