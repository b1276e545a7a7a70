import { durably } from "./db.js";

/** What stays of the small values, so that a record yet to be made gets the next number. */
const STAYING = new Set(["sequence", "reserve"]);

/**
 * Clear what a revoked tablet has: all of it, or all but what the server has not got yet.
 * @param {"keep-unsent" | "all"} kind
 */
export const wipeStores = (kind) =>
  durably(["ops", "parked", "answers", "photos", "kv", "chunks", "positions"], async (writing) => {
    await Promise.all([
      writing.objectStore("answers").clear(),
      writing.objectStore("chunks").clear(),
      writing.objectStore("positions").clear(),
    ]);
    const small = writing.objectStore("kv");
    for (const key of await small.getAllKeys()) {
      if (!STAYING.has(key)) await small.delete(key);
    }
    const photos = writing.objectStore("photos");
    if (kind === "all") {
      await Promise.all([writing.objectStore("ops").clear(), writing.objectStore("parked").clear(), photos.clear()]);
      return;
    }
    for (const photo of await photos.getAll()) {
      if (photo.state === "confirmed" || photo.blob === null) await photos.delete(photo.sha256);
    }
  });
