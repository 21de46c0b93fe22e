/**
 * The probe key, which a migration moves before any other key. It shows that the servers reach each other,
 * have the right passwords and compatible versions. Proxies hide it from clients.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import { elementsOf } from "./elements.ts";
import { arrayHeader } from "./encoder.ts";

/** The database of the probe key. */
export const PROBE_DATABASE = 0;
/** Expiry of the probe key, in milliseconds. */
export const PROBE_MS = 3_000;

/**
 * The prefix of its name. Proxies of every version hide it. Hardly any other key has this first byte, so the
 * search is fast.
 */
export const PROBE_PREFIX = "\0codis-mover:trial:";

const PREFIX = new TextEncoder().encode(PROBE_PREFIX);

/** Makes a key that does not exist. */
export function probeKey(): Uint8Array {
  return new TextEncoder().encode(`${PROBE_PREFIX}${crypto.randomUUID()}`);
}

/** Whether `bytes`, a reply with keys, may contain a probe key. */
export function namesProbeKey(bytes: Uint8Array): boolean {
  for (let at = bytes.indexOf(0); at >= 0; at = bytes.indexOf(0, at + 1)) {
    if (PREFIX.every((byte, i) => bytes[at + i] === byte)) return true;
  }
  return false;
}

/** Whether a bulk string, with its header, is a probe key. */
export function isProbeKey(bulk: Uint8Array): boolean {
  const start = bulk.indexOf(10) + 1;
  return PREFIX.every((byte, i) => bulk[start + i] === byte);
}

/** An array of keys without probe keys. Borrows `keys`, and returns it as it is where there are none. */
export function withoutProbeKeys(keys: Uint8Array): Uint8Array {
  const all = namesProbeKey(keys) ? elementsOf(keys) : null;
  if (all === null) return keys;
  const kept = all.filter((key) => !isProbeKey(key));
  return concat([arrayHeader(kept.length), ...kept]);
}
