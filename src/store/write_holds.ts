/**
 * Masters whose writes are held off, and their settings before: stored before a server gets a command,
 * so that whichever dashboard leads can set it back. A Codis 2.0 dashboard knows nothing of it.
 *
 * @module
 */

import {
  decodeRecord,
  encodeRecord,
  integer,
  RecordError,
  recordOf,
  text,
} from "../model/record.ts";
import { childrenIfThere, readIfThere, type Store } from "./store.ts";

/** What a server's settings were before its writes were held off. */
export interface WriteHold {
  /** Since when, in Unix milliseconds. */
  readonly since: number;
  /** `min-slaves-to-write`, as `CONFIG GET` returned it; `""`: writes wait, and it is not changed. */
  readonly min_slaves_to_write: string;
  /** `min-slaves-max-lag`, as `CONFIG GET` returned it; `""` likewise. */
  readonly min_slaves_max_lag: string;
}

/** Redis's defaults. */
const REDIS_DEFAULTS: WriteHold = { since: 0, min_slaves_to_write: "0", min_slaves_max_lag: "10" };

const SHAPE = recordOf<WriteHold>({
  since: integer,
  min_slaves_to_write: text,
  min_slaves_max_lag: text,
});

/** Writes a hold's JSON. */
export function encodeWriteHold(hold: WriteHold): string {
  return encodeRecord(SHAPE, hold);
}

/** Reads a hold; where it cannot be read, Redis's own defaults are what it was before. */
export function decodeWriteHold(json: string): WriteHold {
  try {
    const hold = decodeRecord(SHAPE, json, "write hold");
    const isWhole = [hold.min_slaves_to_write, hold.min_slaves_max_lag].every((value) =>
      /^\d{0,9}$/.test(value)
    );
    return isWhole ? hold : REDIS_DEFAULTS;
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    return REDIS_DEFAULTS;
  }
}

/** The hold on a server, where there is one. */
export async function loadWriteHold(store: Store, addr: string): Promise<WriteHold | undefined> {
  const json = await readIfThere(store, store.paths.writeHold(addr));
  return json === undefined ? undefined : decodeWriteHold(json);
}

/** The addresses of all servers whose writes are held off. */
export function loadHeldAddrs(store: Store): Promise<string[]> {
  return childrenIfThere(store, store.paths.writeHolds);
}
