// Writes facts into a pack, and prints the arrays: {pack (base64), heard: [[facts, …], …], is_whole} comes in.
import { readFileSync } from "node:fs";
import { mergeFacts, valveRow, writeFacts } from "../../../fieldops/static/js/tablet/pack_facts.js";
import { parsePack } from "../../../fieldops/static/js/tablet/pack_format.js";

const asked = JSON.parse(readFileSync(0, "utf8"));
const bytes = Buffer.from(asked.pack, "base64");
const pack = parsePack(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
let valves = {};
for (const told of asked.heard) valves = mergeFacts(valves, told);
writeFacts(pack, { is_whole: asked.is_whole, valves });
const { device_position, device_reachable } = pack.columns;
console.log(JSON.stringify({ position: [...device_position], reachable: [...device_reachable], row: valveRow(pack, "X") }));
