/**
 * Records that cannot be read: what is asked of many goes on without them, and tells where they are.
 *
 * @module
 */

import { RecordError } from "../model/record.ts";

/** A record that cannot be read. */
export interface UnreadableRecord {
  readonly path: string;
  /** Why, without a full stop: `slot is not JSON: garbage`. */
  readonly reason: string;
}

/** Takes a record that is left out because it cannot be read. */
export type OnUnreadable = (record: UnreadableRecord) => void;

/** For those who need not tell of it: the dashboard that leads does. */
export const LEAVE_OUT: OnUnreadable = () => {};

/**
 * Decodes a record.
 *
 * @param onBad Left out: a record that cannot be read is an error.
 * @returns Undefined when it cannot be read.
 * @throws {RecordError} With its path, when it cannot be read and `onBad` is left out.
 */
export function decodeAt<T>(
  path: string,
  decode: () => T,
  onBad: OnUnreadable | undefined,
): T | undefined {
  try {
    return decode();
  } catch (cause) {
    if (!(cause instanceof RecordError)) throw cause;
    if (onBad === undefined) throw new RecordError(`${path}: ${cause.message}`, { cause });
    onBad({ path, reason: cause.message });
    return undefined;
  }
}
