/** Texts in the person's language, as the server translated them. */
import { page, readJson } from "./page_data.js";

/** @type {Record<string, string>} */
const words = readJson("page-words");
const plural = new Intl.PluralRules(page.language);
const figures = new Intl.NumberFormat(page.language);

/**
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function say(key, values = {}) {
  const text = words[key] ?? key;
  return text.replace(/%\((\w+)\)s/g, (_, name) => String(values[name] ?? ""));
}

/** @param {string} key */
export const knows = (key) => key in words;

/** @param {number} number */
export const figure = (number) => figures.format(number);

/**
 * A number with its noun: "1 valve", "2 valves".
 * @param {string} key
 * @param {number} number
 */
export function count(key, number) {
  const form = `${key}.${plural.select(Math.abs(number))}`;
  return say(form in words ? form : `${key}.other`, { n: figure(number) });
}

/**
 * The same with its sign: "+2 valves".
 * @param {string} key
 * @param {number} number
 */
export function change(key, number) {
  return (number > 0 ? "+" : "−") + count(key, Math.abs(number));
}
