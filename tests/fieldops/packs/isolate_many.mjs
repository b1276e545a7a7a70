// One question a line in, one answer a line out: {pack, broken, supposed} as JSON, the pack's bytes in base64.
import { createInterface } from "node:readline";
import { factsOf, isolate } from "../../../fieldops/static/js/tablet/isolate.js";
import { parsePack } from "../../../fieldops/static/js/tablet/pack_format.js";

const read = (base64) => {
  const bytes = Buffer.from(base64, "base64");
  return parsePack(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
};

/** The longest of several tries is the first, before anything is compiled or sorted. */
function timed(pack, question, tries) {
  const took = [];
  for (let n = 0; n < tries; n += 1) {
    const since = performance.now();
    isolate(pack, factsOf(pack), question.broken, question.supposed);
    took.push(performance.now() - since);
  }
  return took;
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  const pack = read(asked.pack);
  let answer;
  try {
    answer = asked.tries ? { ms: timed(pack, asked, asked.tries) } : isolate(pack, factsOf(pack), asked.broken, asked.supposed);
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
