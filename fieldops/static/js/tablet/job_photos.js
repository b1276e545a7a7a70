/** The photos of a job: from the device, or from the server where there is a signal; else it says so. */
import { make } from "./elements.js";
import { photoAddress } from "./photos.js";
import { api } from "./session.js";
import { say } from "./words.js";

/**
 * @param {string[]} hashes
 * @returns {HTMLElement}
 */
export function viewPhotos(hashes) {
  return make("div", { class: "photos" }, hashes.map((sha256, at) => {
    const frame = make("span", { class: "photo-frame" }, say("Looking for the photo…"));
    void findAddress(sha256).then((address) => {
      if (address === null) {
        frame.textContent = say("This photo is not on the device.");
        return;
      }
      const image = make("img", { src: address, alt: say("Photo %(n)s", { n: at + 1 }) });
      // Once it is drawn, the browser needs the address no longer.
      image.addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
      frame.replaceChildren(image);
    });
    return frame;
  }));
}

/**
 * @param {string} sha256
 * @returns {Promise<string | null>}
 */
async function findAddress(sha256) {
  const own = await photoAddress(sha256);
  if (own !== null || !navigator.onLine) return own;
  const answer = await api(`/api/v1/photos/${sha256}`).catch(() => null);
  return answer ? URL.createObjectURL(await answer.blob()) : null;
}
