/**
 * What a message quotes of a value that somebody has given, which may be megabytes.
 *
 * @module
 */

/** Longest piece of a value that a message quotes, in characters. */
const EXCERPT_CHARACTERS_MAX = 128;

/** A text, or its first `max` characters and a mark that there were more. */
export function beginning(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max)}…`;
}

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
  const shown = beginning(text, EXCERPT_CHARACTERS_MAX);
  return shown === text ? text : `${shown} (${text.length} characters)`;
}
