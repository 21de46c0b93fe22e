/**
 * A key of our own, moved before anybody else's: whether the servers know each other's passwords, reach
 * each other and fit together is found out before a slot depends on it. Proxies hide it from clients.
 *
 * @module
 */

/** The database it is in. */
export const TRIAL_DATABASE = 0;
/** How long it lives at most, in milliseconds, whatever comes of it. */
export const TRIAL_MS = 3_000;

/** How its name begins; the first byte is one that is found fast, because hardly any key has it. */
export const TRIAL_PREFIX = "\0codis-mover:trial:";

const PREFIX = new TextEncoder().encode(TRIAL_PREFIX);

/** A key that nobody has. */
export function trialKey(): Uint8Array {
  return new TextEncoder().encode(`${TRIAL_PREFIX}${crypto.randomUUID()}`);
}

/** Whether `bytes`, keys as a server tells them, may name such a key. */
export function namesTrialKey(bytes: Uint8Array): boolean {
  for (let at = bytes.indexOf(0); at >= 0; at = bytes.indexOf(0, at + 1)) {
    if (PREFIX.every((byte, i) => bytes[at + i] === byte)) return true;
  }
  return false;
}

/** Whether a bulk string, with its header, is such a key. */
export function isTrialKey(bulk: Uint8Array): boolean {
  const start = bulk.indexOf(10) + 1;
  return PREFIX.every((byte, i) => bulk[start + i] === byte);
}
