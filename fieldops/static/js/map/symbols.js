/** The pictures of the map, drawn when the style first asks for one. */
import { tokens } from "./tokens.js";

/** @typedef {import("../../vendor/maplibre-gl.mjs").Map} Map */
/** @typedef {(pen: CanvasRenderingContext2D, text: string) => void} Drawing */

const SCALE = 2;
const SIDE = 28;
const MIDDLE = SIDE / 2;

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {string} fill
 * @param {string} edge
 * @param {number} radius
 * @param {number} width
 */
function disc(pen, fill, edge, radius = 11.5, width = 2.5) {
  pen.beginPath();
  pen.arc(MIDDLE, MIDDLE, radius, 0, 2 * Math.PI);
  pen.fillStyle = fill;
  pen.fill();
  pen.strokeStyle = edge;
  pen.lineWidth = width;
  pen.stroke();
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {string} colour
 * @param {number} width
 * @param {[number, number][]} points
 */
function stroke(pen, colour, width, ...points) {
  pen.beginPath();
  points.forEach(([x, y], index) => (index % 2 ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.stroke();
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {string} text
 * @param {string} colour
 */
function letter(pen, text, colour) {
  pen.fillStyle = colour;
  pen.font = `700 ${text.length > 2 ? 10 : 14}px ${tokens.fonts.join(",")}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(text, MIDDLE, MIDDLE + 1);
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {string} fill
 * @param {[number, number][]} points
 */
function shape(pen, fill, ...points) {
  pen.beginPath();
  for (const [x, y] of points) pen.lineTo(x, y);
  pen.closePath();
  pen.fillStyle = fill;
  pen.fill();
  pen.strokeStyle = tokens.sheet;
  pen.lineWidth = 2;
  pen.lineJoin = "round";
  pen.stroke();
}

/**
 * A crew's van, seen from the side.
 * @param {CanvasRenderingContext2D} pen
 * @param {string} fill
 * @param {string} edge
 */
function van(pen, fill, edge) {
  pen.beginPath();
  for (const [x, y] of [[2, 7], [17, 7], [21, 12], [26, 14], [26, 21], [2, 21]]) pen.lineTo(x, y);
  pen.closePath();
  pen.fillStyle = fill;
  pen.fill();
  pen.strokeStyle = edge;
  pen.lineWidth = 2;
  pen.stroke();
  for (const x of [8, 20]) {
    pen.beginPath();
    pen.arc(x, 21, 3, 0, 2 * Math.PI);
    pen.fillStyle = fill;
    pen.fill();
    pen.stroke();
  }
}

/** @type {Record<string, Drawing>} */
const DRAWINGS = {
  close(pen, text) {
    disc(pen, tokens.disc, tokens.valve);
    letter(pen, text, tokens.valve);
  },
  optional(pen) {
    disc(pen, "rgba(255,255,255,0.6)", tokens.sheet, 8, 5);
    disc(pen, "rgba(255,255,255,0)", tokens.valve, 8, 2);
  },
  half(pen) {
    disc(pen, tokens.disc, tokens.valve, 6, 1.5);
    pen.beginPath();
    pen.arc(MIDDLE, MIDDLE, 6, Math.PI / 2, (3 * Math.PI) / 2);
    pen.fillStyle = tokens.valve;
    pen.fill();
  },
  stuck(pen) {
    stroke(pen, tokens.sheet, 8, [6, 6], [22, 22], [22, 6], [6, 22]);
    stroke(pen, tokens.valve, 4, [6, 6], [22, 22], [22, 6], [6, 22]);
  },
  verify(pen) {
    pen.fillStyle = tokens.sheet;
    pen.fillRect(2, 8, 24, 12);
    pen.fillStyle = tokens.valve;
    pen.fillRect(4, 10, 20, 8);
  },
  pump(pen) {
    disc(pen, tokens.sheet, tokens.supplied, 9, 2);
    pen.beginPath();
    pen.moveTo(10.5, 9);
    pen.lineTo(20, MIDDLE);
    pen.lineTo(10.5, 19);
    pen.closePath();
    pen.fillStyle = tokens.supplied;
    pen.fill();
  },
  stop(pen) {
    disc(pen, tokens.sheet, tokens.shut, 11.5, 3);
    pen.fillStyle = tokens.shut;
    pen.fillRect(9, 9, 10, 10);
  },
  source(pen) {
    pen.fillStyle = tokens.sheet;
    pen.fillRect(3, 3, 22, 22);
    pen.fillStyle = tokens.water;
    pen.fillRect(5, 5, 18, 18);
    pen.beginPath();
    pen.moveTo(MIDDLE, 7.5);
    pen.quadraticCurveTo(21, 16, MIDDLE, 20.5);
    pen.quadraticCurveTo(7, 16, MIDDLE, 7.5);
    pen.fillStyle = tokens.sheet;
    pen.fill();
  },
  "source-shut"(pen) {
    DRAWINGS.source(pen, "");
    stroke(pen, tokens.shut, 4, [3, 25], [25, 3]);
  },
  depot(pen) {
    pen.beginPath();
    pen.moveTo(5, 14);
    pen.lineTo(MIDDLE, 6);
    pen.lineTo(23, 14);
    pen.lineTo(23, 23);
    pen.lineTo(5, 23);
    pen.closePath();
    pen.fillStyle = tokens.quiet;
    pen.fill();
    pen.strokeStyle = tokens.sheet;
    pen.lineWidth = 1.5;
    pen.stroke();
  },
  hydrant(pen) {
    disc(pen, tokens.water, tokens.sheet, 5, 1.5);
    pen.fillStyle = tokens.sheet;
    pen.fillRect(13, 11, 2, 6);
  },
  "hydrant-dry"(pen) {
    disc(pen, tokens.sheet, tokens.shut, 6, 2);
    stroke(pen, tokens.shut, 2, [9.5, 18.5], [18.5, 9.5]);
  },
  critical(pen) {
    pen.translate(MIDDLE, MIDDLE);
    pen.rotate(Math.PI / 4);
    pen.fillStyle = tokens.sheet;
    pen.fillRect(-8, -8, 16, 16);
    pen.strokeStyle = tokens.text;
    pen.lineWidth = 2;
    pen.strokeRect(-7, -7, 14, 14);
    pen.rotate(-Math.PI / 4);
    pen.fillStyle = tokens.text;
    pen.fillRect(-1.2, -5, 2.4, 6);
    pen.fillRect(-1.2, 2.5, 2.4, 2.4);
  },
  place(pen) {
    disc(pen, "rgba(255,255,255,0)", tokens.sheet, 8, 6);
    disc(pen, "rgba(255,255,255,0)", tokens.water, 8, 3);
    disc(pen, tokens.water, tokens.sheet, 2.5, 1);
  },
  error(pen) {
    pen.fillStyle = tokens.sheet;
    pen.fillRect(3, 3, 22, 22);
    pen.fillStyle = tokens.wrong;
    pen.fillRect(5, 5, 18, 18);
    stroke(pen, tokens.sheet, 3, [10, 10], [18, 18], [18, 10], [10, 18]);
  },
  wrong(pen) {
    pen.beginPath();
    pen.moveTo(MIDDLE, 4);
    pen.lineTo(25, 23);
    pen.lineTo(3, 23);
    pen.closePath();
    pen.fillStyle = tokens.cutOff;
    pen.fill();
    pen.strokeStyle = tokens.text;
    pen.lineWidth = 1.5;
    pen.stroke();
    stroke(pen, tokens.text, 2.2, [MIDDLE, 11], [MIDDLE, 16], [MIDDLE, 19.5], [MIDDLE, 19.6]);
  },
  closed(pen, text) {
    disc(pen, tokens.valve, tokens.disc);
    letter(pen, text, tokens.disc);
  },
  passing(pen, text) {
    DRAWINGS.close(pen, text);
    stroke(pen, tokens.shut, 3, [4, 24], [24, 4]);
  },
  crew(pen) {
    van(pen, tokens.water, tokens.sheet);
  },
  "crew-busy"(pen) {
    van(pen, tokens.valve, tokens.sheet);
  },
  "crew-stale"(pen) {
    van(pen, tokens.sheet, tokens.quiet);
  },
  danger(pen) {
    shape(pen, tokens.wrong, [MIDDLE, 2], [26.5, 24.5], [1.5, 24.5]);
    stroke(pen, tokens.sheet, 3, [MIDDLE, 10], [MIDDLE, 16], [MIDDLE, 20.4], [MIDDLE, 20.6]);
  },
  "burst-job"(pen) {
    shape(pen, tokens.shut, [MIDDLE, 2], [26, MIDDLE], [MIDDLE, 26], [2, MIDDLE]);
  },
  "leak-job"(pen) {
    disc(pen, tokens.water, tokens.sheet, 9.5, 2);
  },
  "routine-job"(pen) {
    disc(pen, tokens.sheet, tokens.supplied, 8, 3);
  },
  burst(pen) {
    pen.beginPath();
    for (let ray = 0; ray < 16; ray++) {
      const reach = ray % 2 ? 5.5 : 12.5;
      const angle = (ray / 16) * 2 * Math.PI;
      pen.lineTo(MIDDLE + reach * Math.cos(angle), MIDDLE + reach * Math.sin(angle));
    }
    pen.closePath();
    pen.fillStyle = tokens.water;
    pen.fill();
    pen.strokeStyle = tokens.sheet;
    pen.lineWidth = 2;
    pen.stroke();
  },
};

/**
 * A picture by its name; "close:3" is a disc with a 3.
 * @param {string} name
 */
export function draw(name) {
  const [drawing, text = ""] = name.split(":");
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE * SCALE;
  // It is read back at once: drawn by the graphics card, each would have to wait for it.
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  if (!pen || !(drawing in DRAWINGS)) return null;
  pen.scale(SCALE, SCALE);
  pen.lineCap = "round";
  DRAWINGS[drawing](pen, text);
  return canvas;
}

/** @param {Map} map */
export function supplySymbols(map) {
  map.setMissingStyleImageResolver((id) => {
    const canvas = draw(id);
    const pen = canvas?.getContext("2d");
    if (!canvas || !pen || map.hasImage(id)) return;
    map.addImage(id, pen.getImageData(0, 0, canvas.width, canvas.height), { pixelRatio: SCALE });
  });
}
