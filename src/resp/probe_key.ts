/**
 * A key of our own, moved before anybody else's: whether the servers know each other's passwords, reach
 * each other and fit together is found out before a slot depends on it. Proxies hide it from clients.
 *
 * @module
 */

/** The database it is in. */
export const PROBE_DATABASE = 0;
/** How long it lives at most, in milliseconds, whatever comes of it. */
export const PROBE_MS = 3_000;

/**
 * How its name begins, which proxies of every version hide; the first byte is found fast, because hardly any
 * key has it.
 */
export const PROBE_PREFIX = "\0codis-mover:trial:";

const PREFIX = new TextEncoder().encode(PROBE_PREFIX);

/** A key that nobody has. */
export function probeKey(): Uint8Array {
  return new TextEncoder().encode(`${PROBE_PREFIX}${crypto.randomUUID()}`);
}

/** Whether `bytes`, keys as a server tells them, may name such a key. */
export function namesProbeKey(bytes: Uint8Array): boolean {
  for (let at = bytes.indexOf(0); at >= 0; at = bytes.indexOf(0, at + 1)) {
    if (PREFIX.every((byte, i) => bytes[at + i] === byte)) return true;
  }
  return false;
}

/** Whether a bulk string, with its header, is such a key. */
export function isProbeKey(bulk: Uint8Array): boolean {
  const start = bulk.indexOf(10) + 1;
  return PREFIX.every((byte, i) => bulk[start + i] === byte);
}
