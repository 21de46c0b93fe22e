/**
 * The dashboard's API tokens in the store, one entry for all of them. A Codis 2.0 dashboard ignores it.
 *
 * @module
 */

import { type ApiToken, decodeApiTokens } from "../model/api_token.ts";
import { type ReadableStore, readIfThere } from "./store.ts";

/**
 * The tokens, by name.
 *
 * @throws {RecordError} When something else is stored there.
 */
export async function loadApiTokens(store: ReadableStore): Promise<readonly ApiToken[]> {
  const json = await readIfThere(store, store.paths.apiTokens);
  return json === undefined ? [] : decodeApiTokens(json);
}
