/**
 * Rules as words: what stands between spaces, and selectors that are spread over several words.
 *
 * @module
 */

import { splitInline } from "../resp/inline.ts";
import { latin1, latin1Bytes } from "../resp/latin1.ts";

/** Words between blanks, with quotes as in Redis's configuration; null when quotes are unbalanced. */
export function wordsOf(text: string): string[] | null {
  const bytes = latin1Bytes(text);
  const split = splitInline(bytes, 0, bytes.length);
  if (split === null) return null;
  return Array.from(
    { length: split.count },
    (_, i) => latin1(split.bytes, split.spans[2 * i]!, split.spans[2 * i + 1]!),
  );
}

/** Rules, each selector in one piece; or the word with the parenthesis that nothing closes. */
export type MergedRules =
  | { readonly rules: readonly string[] }
  | { readonly unmatched: string };

/** Joins selectors that are spread over several words, as Redis does. */
export function mergeSelectors(words: readonly string[]): MergedRules {
  const rules: string[] = [];
  let opened = "";
  let selector = "";
  for (const word of words) {
    if (word.startsWith("(") && !word.endsWith(")")) {
      [opened, selector] = [word, word];
    } else if (opened !== "") {
      selector += ` ${word}`;
      if (!word.endsWith(")")) continue;
      rules.push(selector);
      opened = "";
    } else {
      rules.push(word);
    }
  }
  return opened === "" ? { rules } : { unmatched: opened };
}
