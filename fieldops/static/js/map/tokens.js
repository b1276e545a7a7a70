/** The design tokens of the style sheet, for what is drawn on the map. */

const styles = getComputedStyle(document.documentElement);

/** @param {string} name */
const read = (name) => styles.getPropertyValue(name).trim();

const readAll = () => ({
  shut: read("--colour-shut"),
  cutOff: read("--colour-cut-off"),
  supplied: read("--colour-supplied"),
  water: read("--colour-water"),
  restored: read("--colour-restored"),
  valve: read("--colour-valve"),
  disc: read("--colour-valve-disc"),
  ground: read("--colour-ground"),
  sheet: read("--colour-sheet"),
  sunken: read("--colour-sunken"),
  wrong: read("--colour-wrong"),
  text: read("--colour-text"),
  quiet: read("--colour-quiet"),
  line: read("--colour-line"),
  fonts: read("--font").split(",").map((name) => name.trim().replaceAll('"', "")),
});

export const tokens = readAll();

/** Read them anew where the page has become light or dark. */
export const rereadTokens = () => void Object.assign(tokens, readAll());
