/** What an incident's score is made of, and what crews can do, in words. */
import { figure, knows, say } from "../map/words.js";

/** @param {string} skill */
export const skillWord = (skill) => knows(`skill.${skill}`) ? say(`skill.${skill}`) : skill;

/** @param {{code: string, params: Record<string, any>}} part */
export function scoreText({ code, params }) {
  const { value } = params;
  if (value === null || value === undefined) return say("score-unknown", { what: say(`score.${code}`) });
  if (code === "danger" || code === "spreading") return say(value ? `score.${code}` : `score.no-${code}`);
  return `${say(`score.${code}`)} ${figure(value)}${params.road ? ` ${params.road}` : ""}`;
}
