/**
 * The hash tag of a key: the bytes between its first `{` and the first `}` after that.
 *
 * Codis counts an EMPTY tag as a tag (`{}x` is placed by the empty string), where Redis Cluster
 * hashes the whole key. A `{` that is never closed is an ordinary byte.
 *
 * @module
 */

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Finds where the tag of `bytes[start..end)` would begin. Borrows `bytes` until it returns.
 *
 * @returns The offset after the first `{`, or -1 when there is none.
 */
export function tagStart(bytes: Uint8Array, start: number, end: number): number {
  for (let i = start; i < end; i++) if (bytes[i] === OPEN_BRACE) return i + 1;
  return -1;
}

/**
 * Finds where the tag ends. Borrows `bytes` until it returns.
 *
 * @param start The offset that {@linkcode tagStart} returned.
 * @param end The end of the key.
 * @returns The offset of the closing `}`, or -1 when the tag is not closed and so is none.
 */
export function tagEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let i = start; i < end; i++) if (bytes[i] === CLOSE_BRACE) return i;
  return -1;
}
