// One question a line in, one answer a line out: what ring.js says of a pack (base64) and an outage.
import { createInterface } from "node:readline";
import { findUnreleased, mayReopen } from "../../../fieldops/static/js/tablet/may_reopen.js";
import { nextRing } from "../../../fieldops/static/js/tablet/ring.js";
import { parsePack } from "../../../fieldops/static/js/tablet/pack_format.js";

const read = (base64) => {
  const bytes = Buffer.from(base64, "base64");
  return parsePack(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
};

for await (const line of createInterface({ input: process.stdin })) {
  const { pack, outage, stuck, known, releases, now, action, body } = JSON.parse(line);
  let answer;
  try {
    answer = action ? { valve: findUnreleased(outage, action, body, now) } : releases ? mayReopen(outage, stuck, releases, now) : nextRing(read(pack), outage, stuck, known);
  } catch (error) {
    answer = { error: error.name, what: error.what };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
