/** Photos: made small on the device, named by their hash, and sent in pieces after all data. */
import { StorageFull, durably, open, persist } from "./db.js";
import { readClaims } from "./exif.js";
import { NobodySignedIn, tellChange } from "./outbox.js";
import { SessionChanged } from "./sender.js";
import { Refused, api, session } from "./session.js";
import { say } from "./words.js";

/** @typedef {import("./db.js").KeptPhoto} KeptPhoto */

const SHOWN_PX = 2048;
const QUALITY = 0.85;
const PIECE_BYTES = 256 * 1024;
const PATIENCE_MS = 120_000;
const MOST_TRIES = 3;
/** Refused for what it is, and not for the moment. */
const HOPELESS = new Set([400, 413, 415, 422]);

/** @param {ArrayBuffer} data */
export async function sha256Of(data) {
  if (!globalThis.crypto?.subtle) throw new Error(say("Photos need https: this page was opened without it."));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Keep a photo on the device; resolves when it is on the disk.
 * @param {Blob} file
 * @returns {Promise<KeptPhoto>}
 * @throws {import("./db.js").StorageFull} when there is no room
 */
export async function keepPhoto(file) {
  const own = session();
  if (!own) throw new NobodySignedIn();
  const original = await file.arrayBuffer();
  const claims = readClaims(original);
  const original_sha256 = await sha256Of(original);
  const blob = await shrink(file);
  const data = await blob.arrayBuffer();
  /** @type {KeptPhoto} */
  const photo = {
    sha256: await sha256Of(data),
    original_sha256,
    blob,
    bytes: data.byteLength,
    ...claims,
    kept_at: new Date().toISOString(),
    person_id: own.person.id,
    person_name: own.person.name,
    state: "here",
  };
  const kept = await durably(["photos"], async (writing) => {
    const photos = writing.objectStore("photos");
    const known = await photos.get(photo.sha256);
    // One that the device can no longer read is taken anew from the file that was chosen.
    // Another's would wait for that person to sign in: now it goes with whoever keeps it, too.
    if (known && known.state !== "needs_you" && (known.state === "confirmed" || known.person_id === own.person.id)) return known;
    await photos.put(photo);
    return photo;
  });
  void persist();
  tellChange("more");
  return kept;
}

/**
 * Draw the pixels anew, upright and small: what the camera wrote beside them stays out.
 * @param {Blob} file
 * @returns {Promise<Blob>} a JPEG
 */
async function shrink(file) {
  const image = await createImageBitmap(file).catch(() => {
    throw new Error(say("This is no picture that can be read here: take JPEG, PNG or WebP."));
  });
  const scale = Math.min(1, SHOWN_PX / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  const drawing = canvas.getContext("2d");
  if (!drawing) throw new Error(say("The picture could not be made smaller on this device."));
  drawing.fillStyle = "white";
  drawing.fillRect(0, 0, canvas.width, canvas.height);
  drawing.imageSmoothingQuality = "high";
  drawing.drawImage(image, 0, 0, canvas.width, canvas.height);
  image.close();
  return new Promise((resolve, reject) => {
    const done = (/** @type {Blob | null} */ blob) =>
      blob ? resolve(blob) : reject(new Error(say("The picture could not be made smaller on this device.")));
    canvas.toBlob(done, "image/jpeg", QUALITY);
  });
}

/** What looks under way while nobody sends was cut off, and waits. */
export async function noPhotoUnderWay() {
  const all = await (await open()).getAll("photos");
  for (const { sha256, state } of all) if (state === "sending") await mark(sha256, "here");
}

/**
 * @param {number} person_id
 * @returns {Promise<KeptPhoto[]>} the oldest first
 */
export async function unsentPhotos(person_id) {
  const all = await (await open()).getAll("photos");
  return all
    .filter((photo) => photo.person_id === person_id && photo.blob && (photo.state === "here" || photo.state === "sending"))
    .sort((a, b) => a.kept_at.localeCompare(b.kept_at));
}

/** @returns {Promise<KeptPhoto[]>} all that are not with the server, of everybody */
export async function photosLeft() {
  const all = await (await open()).getAll("photos");
  return all.filter((photo) => photo.state !== "confirmed").sort((a, b) => a.kept_at.localeCompare(b.kept_at));
}

/**
 * A picture of the device for an <img>; whoever shows it revokes the address.
 * @param {string} sha256
 * @returns {Promise<string | null>}
 */
export async function photoAddress(sha256) {
  const photo = await (await open()).get("photos", sha256);
  return photo?.blob ? URL.createObjectURL(photo.blob) : null;
}

/**
 * Change what is noted of a photo.
 * @param {string} sha256
 * @param {Partial<KeptPhoto>} change
 */
async function note(sha256, change) {
  await durably(["photos"], async (writing) => {
    const photos = writing.objectStore("photos");
    const photo = await photos.get(sha256);
    if (photo) await photos.put({ ...photo, ...change });
  });
  tellChange();
}

/**
 * Note where a photo is. A full device must not keep its photos from leaving: the mark is for
 * reading only.
 * @param {string} sha256
 * @param {"here" | "sending"} state
 */
const mark = (sha256, state) =>
  note(sha256, { state }).catch((error) => {
    if (!(error instanceof StorageFull)) throw error;
  });

/**
 * Let go of a photo that the server has; without any room left, of all that is known of it.
 * @param {string} sha256
 */
async function letGo(sha256) {
  try {
    await note(sha256, { state: "confirmed", blob: null, problem: "" });
  } catch (error) {
    if (!(error instanceof StorageFull)) throw error;
    await durably(["photos"], (writing) => writing.objectStore("photos").delete(sha256));
    tellChange();
  }
}

/**
 * Send a refused photo again, or forget it after a yes.
 * @param {string} sha256
 * @param {"again" | "drop"} choice
 * @param {(photo: KeptPhoto) => boolean | Promise<boolean>} [ask]
 */
export async function resolvePhoto(sha256, choice, ask = () => false) {
  if (choice === "again") {
    await note(sha256, { state: "here", problem: "" });
    tellChange("more");
    return;
  }
  const photo = await (await open()).get("photos", sha256);
  if (!photo || !(await ask(photo))) return;
  await durably(["photos"], (writing) => writing.objectStore("photos").delete(sha256));
  tellChange();
}

/**
 * Send what the server has not got of a photo; data that comes up meanwhile goes first.
 * @param {KeptPhoto} photo
 * @param {string} token the session that it was chosen for
 * @param {() => Promise<boolean>} isDataWaiting
 * @returns {Promise<"sent" | "later" | "failed">}
 */
export async function sendPhoto(photo, token, isDataWaiting) {
  const { sha256, blob } = photo;
  if (!blob) return "failed";
  await mark(sha256, "sending");
  const ask = (/** @type {string} */ rest, /** @type {RequestInit} */ init) => {
    if (session()?.token !== token) throw new SessionChanged();
    return api(`/api/v1/photos/${sha256}${rest}`, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) });
  };
  let isAnew = false;
  try {
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const { is_complete, received_bytes } = await (await ask("/received", {})).json();
      if (is_complete === true) {
        // Only now is it anywhere else than here.
        await letGo(sha256);
        return "sent";
      }
      for (let first = isAnew ? 0 : Number(received_bytes) || 0; first < blob.size; first += PIECE_BYTES) {
        // Read before it is sent: a photo that the device has lost is no fault of the network.
        const piece = await blob.slice(first, first + PIECE_BYTES).arrayBuffer().catch(() => null);
        if (!piece) {
          await note(sha256, { state: "needs_you", problem: say("This photo can no longer be read from the device.") });
          return "failed";
        }
        const last = first + piece.byteLength;
        const range = `bytes ${first}-${last - 1}/${blob.size}`;
        const headers = { "Content-Type": "application/octet-stream", "Content-Range": range, ...claimsOf(photo) };
        try {
          await ask("", { method: "PUT", body: piece, headers });
        } catch (error) {
          // A piece may have been broken on its way: the whole is sent once more, then a person looks.
          if (isAnew || !(error instanceof Refused && error.status === 400)) throw error;
          isAnew = true;
          break;
        }
        if (last < blob.size && !isAnew && (await isDataWaiting())) {
          await mark(sha256, "here");
          return "later";
        }
      }
    }
    await mark(sha256, "here");
    return "failed";
  } catch (error) {
    if (error instanceof Refused && error.status === 409) {
      // Somebody else sends the same photo; the next round asks how far it came.
      await mark(sha256, "here");
      return "failed";
    }
    if (error instanceof Refused && HOPELESS.has(error.status)) {
      await note(sha256, { state: "needs_you", problem: error.message });
      return "failed";
    }
    await mark(sha256, "here");
    throw error;
  }
}

/**
 * What the camera said, which the small picture no longer says by itself.
 * @param {KeptPhoto} photo
 * @returns {Record<string, string>}
 */
const claimsOf = ({ original_sha256, taken_at, lon, lat }) => ({
  "Photo-Original": original_sha256,
  ...(taken_at === null ? {} : { "Photo-Taken-At": taken_at }),
  ...(lon === null || lat === null ? {} : { "Photo-Place": `${lon},${lat}` }),
});
