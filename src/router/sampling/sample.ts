/**
 * What is known of a request that was sampled, beside the request itself.
 *
 * @module
 */

import { latin1 } from "../../resp/latin1.ts";

/** Bytes of a key that are copied, and by which it is told from others. */
export const KEY_BYTES_MAX = 512;

/** A key among the bytes of a request. */
export interface NamedKey {
  /** Its name is bytes[start, end); borrowed, as the object is. */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** How many bytes it has: more than are here, if it was cut. */
  readonly keyBytes: number;
  readonly database: number;
  readonly slotId: number;
  /** Whether its command may change it. */
  readonly isWrite: boolean;
}

/** A copy of such a key. */
export interface SampledKey {
  /** One character for each byte; cut. */
  readonly key: string;
  /** How many bytes it has. */
  readonly keyBytes: number;
  readonly database: number;
  readonly slotId: number;
  /** Whether its command may change it. */
  readonly isWrite: boolean;
}

/** Copies a key. */
export function copyKey({ bytes, start, end, keyBytes, ...more }: NamedKey): SampledKey {
  const { database, slotId, isWrite } = more;
  const key = latin1(bytes, start, Math.min(end, start + KEY_BYTES_MAX));
  return { key, keyBytes, database, slotId, isWrite };
}

/** One sampled request; see `sampling.ts`. */
export interface RequestSample {
  /** Its keys; of many, a few that stand for all. None, if only those see it who count keys. */
  keys: readonly SampledKey[];
  /** For how many keys each of them stands. */
  keyWeight: number;
  /** For how many requests it stands, by observer; 0, or none: that one does not see it. */
  readonly weights: readonly number[];
  /** Whether it is here for its size, too. */
  isNoticed: boolean;
  /** Whether nobody sees it but who has counted its keys. */
  isOnlyCounted: boolean;
}
