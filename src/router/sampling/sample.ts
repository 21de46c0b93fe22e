/**
 * What is known of a request that was sampled, beside the request itself.
 *
 * @module
 */

/** A key that a sampled request names. */
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

/** One sampled request; see `sampling.ts`. */
export interface RequestSample {
  /** Its keys; of many, a few that stand for all. */
  keys: readonly SampledKey[];
  /** For how many keys each of them stands. */
  keyWeight: number;
  /** For how many requests it stands, by observer; 0: that one does not see it. */
  readonly weights: readonly number[];
}
