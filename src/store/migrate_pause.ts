/**
 * The pause of all migrations in the store, for the dashboard that leads. A Codis 2.0 dashboard ignores it.
 *
 * @module
 */

import { decodeRecord, encodeRecord, integer, RecordError, recordOf } from "../model/record.ts";
import { readIfThere, type Store } from "./store.ts";

/** A pause of all migrations. */
export interface MigratePause {
  /** Unix milliseconds; 0: not known. */
  readonly since: number;
}

const SHAPE = recordOf<MigratePause>({ since: integer });

/** Writes a pause's JSON. */
export function encodeMigratePause(pause: MigratePause): string {
  return encodeRecord(SHAPE, pause);
}

/** Reads a pause. Any content is one: an operator who wrote it by hand wanted nothing to move. */
export function decodeMigratePause(json: string): MigratePause {
  try {
    return decodeRecord(SHAPE, json, "migrate pause");
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    return { since: 0 };
  }
}

/** The pause, while there is one. */
export async function loadMigratePause(store: Store): Promise<MigratePause | undefined> {
  const json = await readIfThere(store, store.paths.migratePause);
  return json === undefined ? undefined : decodeMigratePause(json);
}
