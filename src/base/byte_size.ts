/**
 * Sizes as users write them: `128mb`, `1GB`, `65536`; units are powers of 1024.
 *
 * @module
 */

import { excerpt } from "./excerpt.ts";

/** Multiplier of every unit letter, smallest first. */
const UNIT_BYTES: Readonly<Record<string, number>> = {
  "": 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
  p: 1024 ** 5,
};

const BYTE_UNITS = ["B", "KB", "MB", "GB", "TB", "PB"];

/**
 * Reads a size in bytes: a whole number and an optional K, M, G, T or P, an optional B after it, in
 * any letter case (Codis 2.0's rule for `--log-filesize`).
 *
 * @throws {SyntaxError} When the text is not such a size, or is 2^53 bytes or more.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(parseByteSize("64mb"), 64 * 1024 * 1024);
 * ```
 */
export function parseByteSize(text: string): number {
  const parts = /^(\d+)([kmgtp]?)b?$/i.exec(text);
  const bytes = parts === null ? NaN : Number(parts[1]) * UNIT_BYTES[parts[2]!.toLowerCase()]!;
  if (!Number.isSafeInteger(bytes)) {
    throw new SyntaxError(`size "${excerpt(text)}" is not a whole number with K, M, G, T or P`);
  }
  return bytes;
}

/** Writes a size with the largest unit that keeps it whole: `134217728` becomes `128mb`. */
export function formatByteSize(bytes: number): string {
  let text = `${bytes}`;
  for (const [letter, unitBytes] of Object.entries(UNIT_BYTES)) {
    if (letter !== "" && bytes > 0 && bytes % unitBytes === 0) {
      text = `${bytes / unitBytes}${letter}b`;
    }
  }
  return text;
}

/** `1.5 GB`; units are powers of 1024. */
export function formatBytes(bytes: number): string {
  const power = Math.min(
    BYTE_UNITS.length - 1,
    bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10),
  );
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${
    BYTE_UNITS[power]
  }`;
}
