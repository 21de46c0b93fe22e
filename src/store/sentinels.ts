/**
 * The sentinels of a product in the store.
 *
 * @module
 */

import { decodeSentinels, type SentinelsRecord } from "../model/sentinels.ts";
import { type ReadableStore, readIfThere } from "./store.ts";

/**
 * The sentinels; undefined when none were ever stored.
 *
 * @throws {RecordError} When something else is stored there.
 */
export async function loadSentinels(store: ReadableStore): Promise<SentinelsRecord | undefined> {
  const json = await readIfThere(store, store.paths.sentinels);
  return json === undefined ? undefined : decodeSentinels(json);
}
