/** The list of what was found: what has a place can be clicked, and more is shown on demand. */
import { find, make } from "../map/elements.js";
import { figure, say } from "../map/words.js";

/**
 * @typedef {object} Finding
 * @property {number} number - its place in the report
 * @property {string} code
 * @property {string} severity
 * @property {string} kind
 * @property {string} id
 * @property {string} text
 * @property {number} lon
 * @property {number} lat
 */

const MORE = 50;

/**
 * Make the list that the server wrote answer to clicks.
 * @param {Finding[]} placed - those that have a place on the map
 * @param {(finding: Finding) => void} choose
 * @returns {{show: (finding: Finding) => void}} to open a finding that was clicked on the map
 */
export function makeList(placed, choose) {
  const list = find("findings");
  const byNumber = new Map(placed.map((finding) => [finding.number, finding]));
  const groups = [...list.querySelectorAll("details")].map((element) => makeGroup(element, placed, byNumber, choose));
  return {
    show(finding) {
      const group = groups.find(({ code, severity }) => code === finding.code && severity === finding.severity);
      const button = group?.buttonOf(finding);
      for (const other of list.querySelectorAll("[aria-current=true]")) other.removeAttribute("aria-current");
      if (!button) return;
      group?.element.setAttribute("open", "");
      button.setAttribute("aria-current", "true");
      button.scrollIntoView({ block: "nearest" });
    },
  };
}

/**
 * @param {HTMLDetailsElement} element
 * @param {Finding[]} placed
 * @param {Map<number, Finding>} byNumber
 * @param {(finding: Finding) => void} choose
 */
function makeGroup(element, placed, byNumber, choose) {
  const { code = "", severity = "", count = "0" } = element.dataset;
  const items = /** @type {HTMLUListElement} */ (element.querySelector("ul"));
  const rest = items.querySelector(".more");
  /** @type {Map<number, HTMLButtonElement>} */
  const buttons = new Map();
  /** @param {Finding} finding */
  const makeButton = (finding) => {
    const button = make("button", { type: "button", click: () => choose(finding) }, finding.text);
    buttons.set(finding.number, button);
    return button;
  };
  for (const item of items.querySelectorAll("li")) {
    const finding = byNumber.get(Number(item.dataset.number ?? -1));
    if (finding) item.replaceChildren(makeButton(finding));
  }
  const shown = items.querySelectorAll("[data-number]").length;
  const waiting = rest ? placed.filter((one) => one.code === code && one.severity === severity && !buttons.has(one.number)) : [];
  const uncounted = Number(count) - shown - waiting.length;

  /** @param {Finding} finding */
  const add = (finding) => {
    const item = make("li", { "data-number": String(finding.number) }, makeButton(finding));
    if (rest) rest.before(item);
    else items.append(item);
  };
  const tell = () => {
    if (!rest) return;
    if (waiting.length) {
      rest.replaceChildren(make("button", { type: "button", click: () => { waiting.splice(0, MORE).forEach(add); tell(); } },
        say("more", { n: figure(waiting.length) })));
    } else if (uncounted > 0) rest.textContent = say("not-listed", { n: figure(uncounted) });
    else rest.remove();
  };
  tell();

  return {
    element, code, severity,
    /** @param {Finding} finding */
    buttonOf(finding) {
      const at = waiting.findIndex(({ number }) => number === finding.number);
      if (at >= 0) {
        add(waiting.splice(at, 1)[0]);
        tell();
      }
      return buttons.get(finding.number);
    },
  };
}
