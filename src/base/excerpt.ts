/**
 * What a message quotes of a value that somebody has given, which may be megabytes.
 *
 * @module
 */

/** Longest piece of a value that a message quotes, in characters. */
const EXCERPT_CHARACTERS_MAX = 128;

/**
 * A text, or its beginning and how long it is.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(excerpt("codis"), "codis");
 * assertEquals(excerpt("x".repeat(2_000)), `${"x".repeat(128)}… (2000 characters)`);
 * ```
 */
export function excerpt(text: string): string {
  if (text.length <= EXCERPT_CHARACTERS_MAX) return text;
  return `${text.slice(0, EXCERPT_CHARACTERS_MAX)}… (${text.length} characters)`;
}
