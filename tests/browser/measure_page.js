/*
 * What a page looks like in numbers: targets too small, too near to one another, and words too pale.
 * A function of no arguments; what it gives is a list of faults in words, empty if all is well.
 */
() => {
  const SMALL = 48;
  const MAIN = 56;
  const APART = 8;
  const CONTRAST = 7;
  const ROUNDING = 0.51;
  const faults = [];

  const shown = (element) => {
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return false;
    if (element.closest(".visually-hidden")) return false;
    const { width, height } = element.getBoundingClientRect();
    return width > 1 && height > 1;
  };
  const told = (element) => {
    const words = (element.getAttribute("aria-label") ?? element.textContent ?? "").trim().replace(/\s+/g, " ").slice(0, 40);
    const marks = [...element.classList].map((each) => `.${each}`).join("");
    return `<${element.localName}${element.id ? `#${element.id}` : ""}${marks}> "${words || element.getAttribute("name") || ""}"`;
  };

  // ---- targets -------------------------------------------------------------------------------
  const open = document.querySelector("dialog[open]");
  const root = open ?? document;
  const targets = [...root.querySelectorAll(
    "a[href], button, input, select, textarea, summary, [role=button], [role=link], [role=switch], [tabindex='0']",
  )].filter((element) => shown(element) && element.type !== "hidden" && !element.matches("canvas"));
  /** Where it can be touched: a small box in a large label is as large as its label. */
  const area = (element) => {
    const own = element.getBoundingClientRect();
    const label = element.matches("input[type=checkbox], input[type=radio]") ? element.closest("label") : null;
    return label ? label.getBoundingClientRect() : own;
  };
  for (const element of targets) {
    const { width, height } = area(element);
    const least = element.matches(".primary, [data-main]") ? MAIN : SMALL;
    if (height < least - ROUNDING || width < SMALL - ROUNDING) {
      faults.push(`${told(element)} is ${Math.round(width)} x ${Math.round(height)} px, not ${least}`);
    }
  }
  const layer = (element) => element.closest("dialog, .toast, #status-bar, #warnings, #tabs, main") ?? document.body;
  for (const [index, one] of targets.entries()) {
    for (const other of targets.slice(index + 1)) {
      if (layer(one) !== layer(other) || one.contains(other) || other.contains(one)) continue;
      const [a, b] = [area(one), area(other)];
      const across = Math.max(b.left - a.right, a.left - b.right);
      const down = Math.max(b.top - a.bottom, a.top - b.bottom);
      if (Math.max(across, down) < APART - ROUNDING) {
        faults.push(`${told(one)} and ${told(other)} are ${Math.round(Math.max(across, down))} px apart`);
      }
    }
  }
  const mains = targets.filter((element) => element.matches("main .primary, dialog .primary"));
  if (mains.length > 1) faults.push(`${mains.length} main buttons: ${mains.map(told).join(", ")}`);

  // ---- words ---------------------------------------------------------------------------------
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const seen = new Map();
  /** Whatever way a colour is written in, as red, green, blue and how much it covers. */
  const read = (text) => {
    if (!seen.has(text)) {
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = text;
      pen.fillRect(0, 0, 1, 1);
      const [red, green, blue, alpha] = pen.getImageData(0, 0, 1, 1).data;
      seen.set(text, [red, green, blue, alpha / 255]);
    }
    return seen.get(text);
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const ground = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      const style = getComputedStyle(each);
      if (style.backgroundImage !== "none") return null;
      const colour = read(style.backgroundColor);
      layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reduceRight((below, colour) => over(colour, below), read(getComputedStyle(document.documentElement).backgroundColor)[3] ? read(getComputedStyle(document.documentElement).backgroundColor) : [255, 255, 255, 1]);
  };
  const light = ([r, g, b]) => {
    const [R, G, B] = [r, g, b].map((each) => (each / 255 <= 0.04045 ? each / 255 / 12.92 : ((each / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * R + 0.7152 * G + 0.0722 * B;
  };
  const contrast = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const faded = (element) => {
    let opacity = 1;
    for (let each = element; each; each = each.parentElement) opacity *= Number(getComputedStyle(each).opacity);
    return opacity;
  };
  const held = new Set();
  const hold = (element, colour, what) => {
    const below = ground(element);
    if (below === null) return faults.push(`${told(element)}: words on a picture`);
    const [r, g, b, a] = read(colour);
    const found = contrast(over([r, g, b, a * faded(element)], below), below);
    const fault = `${told(element)}${what}: contrast ${found.toFixed(2)}`;
    if (found < CONTRAST - 0.005 && !held.has(fault)) {
      held.add(fault);
      faults.push(fault);
    }
  };
  const words = document.createTreeWalker(open ?? document.body, NodeFilter.SHOW_TEXT);
  let count = 0;
  for (let node = words.nextNode(); node; node = words.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element || element.closest("script, style, noscript, svg, .maplibregl-map canvas") || !shown(element)) continue;
    count += 1;
    hold(element, getComputedStyle(element).color, "");
  }
  for (const element of root.querySelectorAll("input, textarea, select")) {
    if (!shown(element)) continue;
    hold(element, getComputedStyle(element).color, " (what is typed)");
    if (element.placeholder) hold(element, getComputedStyle(element, "::placeholder").color, " (placeholder)");
  }
  if (!count) faults.push("there are no words on this page");

  // ---- room ----------------------------------------------------------------------------------
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide > 1) faults.push(`the page is ${wide} px too wide`);
  const main = document.querySelector("main");
  if (main && main.scrollWidth - main.clientWidth > 1) faults.push(`the page's content is ${main.scrollWidth - main.clientWidth} px too wide`);
  return faults;
}
