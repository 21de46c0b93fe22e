/**
 * The arguments of one request: spans over borrowed bytes.
 *
 * @module
 */

/**
 * The arguments of one request, as the parser found them; argument 0 is the command name.
 *
 * Borrows `bytes` from the connection's read buffer until the next read: copy an argument to keep it
 * longer.
 */
export interface Arguments {
  /** The buffer that all spans index; may hold other requests before and after this one. */
  readonly bytes: Uint8Array;
  /** How many arguments there are, the name included; at least 1. */
  readonly count: number;
  /** Offset of the first byte of argument `i` in `bytes`. */
  start(i: number): number;
  /** Offset one past the last byte of argument `i` in `bytes`. */
  end(i: number): number;
}

/** Whether `a[aStart, aEnd)` and `b[bStart, bEnd)` are the same bytes. */
export function isSameSpan(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false;
  while (aStart < aEnd) if (a[aStart++] !== b[bStart++]) return false;
  return true;
}

/** All arguments, the name first. Copies them. */
export function copyWords(args: Arguments): Uint8Array<ArrayBuffer>[] {
  const words: Uint8Array<ArrayBuffer>[] = [];
  for (let i = 0; i < args.count; i++) words.push(args.bytes.slice(args.start(i), args.end(i)));
  return words;
}
