/** Works out release codes as the tablet does: reads [secret, outage, valve, window] lists, writes codes. */
import { codeOf } from "../../../fieldops/static/js/tablet/release_code.js";

const asked = JSON.parse(process.argv[2]);
const codes = [];
for (const [secret, outage, valve, window] of asked) {
  const key = await crypto.subtle.importKey("raw", Buffer.from(secret, "hex"), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  codes.push(await codeOf(key, outage, valve, window));
}
console.log(JSON.stringify(codes));
