/** What was typed into a page, kept while the same page is drawn anew, as in another language. */

/** @typedef {{name: string, element: HTMLElement, raw: () => unknown, first: unknown}} Live */
/** @typedef {{name: string, onChange?: () => void}} Asked */

/** How often a field that came back may bring others. */
const MOST_ROUNDS = 10;

/** Those of the page that is open. @type {Set<Live>} */
let live = new Set();
/** What the fields of the same names begin with; of one name in their order. @type {Map<string, unknown[]>} */
let kept = new Map();
/** Those that began with something kept, whose page has to be told. @type {Asked[]} */
let taken = [];

/**
 * Give what a field begins with: what was typed before its page was drawn anew, else `first`.
 * @template Value
 * @param {Asked} asked
 * @param {Value} first
 * @returns {Value}
 */
export function beginWith(asked, first) {
  const values = kept.get(asked.name);
  if (!values?.length) return first;
  taken.push(asked);
  return /** @type {Value} */ (values.shift());
}

/** Whether something is kept that no field has taken yet. @param {string} name */
export const isKept = (name) => (kept.get(name)?.length ?? 0) > 0;

/**
 * Keep an eye on a field.
 * @param {Asked} asked
 * @param {HTMLElement} element
 * @param {() => unknown} raw what stands in it
 * @param {unknown} first what it would begin with by itself
 */
export const watchTyped = (asked, element, raw, first) => void live.add({ name: asked.name, element, raw, first });

/**
 * Keep what was typed into a page that is about to be drawn anew.
 * @param {Element} page
 */
export function keepTyped(page) {
  /** @type {typeof kept} */
  const now = new Map();
  for (const { name, element, raw, first } of live) {
    const value = raw();
    if (page.contains(element) && !isSame(value, first)) now.set(name, [...(now.get(name) ?? []), value]);
  }
  // What a page that was not drawn to its end has not taken is still wanted.
  for (const [name, values] of kept) if (values.length && !now.has(name)) now.set(name, values);
  kept = now;
  live = new Set();
  taken = [];
}

/** Another page: what was typed into this one was recorded, or given up. */
export function forgetTyped() {
  kept = new Map();
  live = new Set();
  taken = [];
}

/** Tell a page that is drawn what came back into its fields; which may ask for more of them. */
export function tellTyped() {
  for (let round = 0; taken.length && round < MOST_ROUNDS; round += 1) {
    for (const asked of taken.splice(0)) asked.onChange?.();
  }
}

/**
 * @param {unknown} one
 * @param {unknown} other
 */
const isSame = (one, other) => one === other || JSON.stringify(one) === JSON.stringify(other);
