/**
 * A key of our own, moved before anybody else's: whether the servers know each other's passwords, reach
 * each other and fit together is found out before a slot depends on it.
 *
 * @module
 */

/** The database it is in. */
export const TRIAL_DATABASE = 0;
/** How long it lives at most, in milliseconds, whatever comes of it. */
export const TRIAL_MS = 3_000;

/** How its name begins. */
export const TRIAL_PREFIX = "codis-mover:trial:";

/** A key that nobody has. */
export function trialKey(): Uint8Array {
  return new TextEncoder().encode(`${TRIAL_PREFIX}${crypto.randomUUID()}`);
}
