/**
 * LZF, the compression of strings in an RDB.
 *
 * @module
 */

/**
 * Uncompresses `bytes[start, end)`.
 *
 * @param length How many bytes it becomes.
 * @throws {RangeError} When it does not become that many.
 */
export function uncompress(
  bytes: Uint8Array,
  start: number,
  end: number,
  length: number,
): Uint8Array {
  const out = new Uint8Array(length);
  let at = 0;
  for (let i = start; i < end;) {
    const control = bytes[i++]!;
    if (control < 32) {
      out.set(bytes.subarray(i, i + control + 1), at);
      i += control + 1;
      at += control + 1;
      continue;
    }
    let count = control >> 5;
    if (count === 7) count += bytes[i++]!;
    let from = at - ((control & 31) << 8) - bytes[i++]! - 1;
    if (from < 0) throw new RangeError("bad LZF string");
    for (count += 2; count > 0; count--) out[at++] = out[from++]!;
  }
  if (at !== length) throw new RangeError("bad LZF string");
  return out;
}
