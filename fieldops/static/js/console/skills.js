/** What crews can do, in words. */
import { knows, say } from "../map/words.js";

/** @param {string} skill */
export const skillWord = (skill) => knows(`skill.${skill}`) ? say(`skill.${skill}`) : skill;
