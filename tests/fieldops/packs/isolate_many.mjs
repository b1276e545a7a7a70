// One question a line in, one answer a line out: {topology, facts, broken, supposed} as JSON.
import { createInterface } from "node:readline";
import { isolate } from "../../../fieldops/static/js/tablet/isolate.js";

const NUMBERS = new Set(["pipe_length_m", "part_end_m", "part_start_m"]);
const CODES = new Set(["edge_is_dead", "edge_is_one_way", "device_kind", "device_boundary", "pipe_is_open",
  "premises_is_critical", "block_leads_out", "block_fed_from_outside", "position", "operability", "reachable", "is_open"]);

const typed = (arrays) => Object.fromEntries(Object.entries(arrays).map(([name, value]) => [name,
  !Array.isArray(value) ? value : NUMBERS.has(name) ? Float64Array.from(value)
    : CODES.has(name) ? Uint8Array.from(value) : Int32Array.from(value)]));

/** The longest of several tries is the first, before anything is compiled or sorted. */
function timed(question, tries) {
  const took = [];
  for (let n = 0; n < tries; n += 1) {
    const since = performance.now();
    isolate(question.topology, question.facts, question.broken, question.supposed);
    took.push(performance.now() - since);
  }
  return took;
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  const question = { ...asked, topology: typed(asked.topology), facts: typed(asked.facts) };
  let answer;
  try {
    answer = asked.tries ? { ms: timed(question, asked.tries) }
      : isolate(question.topology, question.facts, question.broken, question.supposed);
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
