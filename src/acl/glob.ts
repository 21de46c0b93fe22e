/**
 * Redis's glob, byte for byte as `stringmatchlen` matches: `*`, `?`, `[a-z]`, `[^a]`, `\x`.
 *
 * Exactly so: an access rule that matches more, or less, than at a redis-server would be a wrong one. So an
 * empty text matches no `*` here either.
 *
 * @module
 */

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE = 0x5d;
const CARET = 0x5e;
const DASH = 0x2d;

/** Redis gives up below so many stars. */
const NESTING_MAX = 1_000;

/** Whether a longer match of an earlier star is known to be useless. */
let skipsLongerMatches = false;

/** Whether `text[start, end)` matches a pattern. Borrows both; allocates nothing. */
export function matchesGlob(
  pattern: Uint8Array,
  text: Uint8Array,
  start: number,
  end: number,
): boolean {
  skipsLongerMatches = false;
  return matches(pattern, 0, text, start, end, 0);
}

/** A byte of a pattern, 0 behind its end. */
function at(pattern: Uint8Array, i: number): number {
  return i < pattern.length ? pattern[i]! : 0;
}

function matches(
  pattern: Uint8Array,
  p: number,
  text: Uint8Array,
  t: number,
  end: number,
  nesting: number,
): boolean {
  if (nesting > NESTING_MAX) return false;
  while (p < pattern.length && t < end) {
    const byte = pattern[p]!;
    if (byte === STAR) {
      while (at(pattern, p + 1) === STAR) p++;
      return p + 1 === pattern.length || matchesRest(pattern, p + 1, text, t, end, nesting);
    }
    if (byte === OPEN) {
      p = afterSet(pattern, p, text[t]!);
      if (p < 0) return false;
    } else {
      if (byte === BACKSLASH && p + 1 < pattern.length) p++;
      if (byte !== QUESTION && pattern[p] !== text[t]) return false;
      p++;
    }
    t++;
    if (t === end) { while (at(pattern, p) === STAR) p++; }
  }
  return p === pattern.length && t === end;
}

/** Whether what follows a star matches from anywhere in the text on. */
function matchesRest(
  pattern: Uint8Array,
  p: number,
  text: Uint8Array,
  t: number,
  end: number,
  nesting: number,
): boolean {
  for (; t < end; t++) {
    if (matches(pattern, p, text, t, end, nesting + 1)) return true;
    if (skipsLongerMatches) return false;
  }
  skipsLongerMatches = true;
  return false;
}

/** The index behind the set that opens at `p`; negative when the byte is not in it. */
function afterSet(pattern: Uint8Array, p: number, byte: number): number {
  p++;
  const isNegated = at(pattern, p) === CARET;
  if (isNegated) p++;
  let isIn = false;
  for (; p < pattern.length && pattern[p] !== CLOSE; p++) {
    const left = pattern.length - p;
    if (pattern[p] === BACKSLASH && left >= 2) {
      isIn ||= pattern[++p] === byte;
    } else if (left >= 3 && pattern[p + 1] === DASH) {
      const [from, to, value] = [signed(pattern[p]!), signed(pattern[p + 2]!), signed(byte)];
      isIn ||= value >= Math.min(from, to) && value <= Math.max(from, to);
      p += 2;
    } else {
      isIn ||= pattern[p] === byte;
    }
  }
  if (isIn === isNegated) return -1;
  return Math.min(p + 1, pattern.length); // a set that is not closed ends with the pattern
}

/** A byte as C's `char`, by which Redis compares ranges. */
function signed(byte: number): number {
  return byte << 24 >> 24;
}
