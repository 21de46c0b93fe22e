/**
 * Users as lines: of an ACL file, of the configuration, or of the store.
 *
 *      user alice on >secret ~users:* +@read
 *
 * @module
 */

import { mergeSelectors } from "./rule_words.ts";
import { hasSpaces, RULE_ERRORS } from "./selector.ts";
import { User, type UserRecord } from "./user.ts";

/** Users that lines make, or everything that is wrong with the lines. */
export type ReadUsers =
  | { readonly users: readonly UserRecord[]; readonly errors: readonly [] }
  | { readonly users: readonly []; readonly errors: readonly string[] };

/**
 * Reads an ACL file, in Redis's way and with its words for what is wrong. Comments are errors: the file is
 * written anew by ACL SAVE, and they would be lost.
 *
 * @param text One character for each byte.
 * @param file Its name, for error texts.
 */
export function readAclFile(text: string, file: string): ReadUsers {
  const users = new Map<string, UserRecord>();
  const errors: string[] = [];
  for (const [i, whole] of text.split("\n").entries()) {
    const line = whole.replace(/^[ \t\r]+|[ \t\r]+$/g, "");
    if (line === "") continue;
    const place = `${file}:${i + 1}`;
    const [keyword, name, ...words] = line.split(" ");
    if (keyword !== "user" || name === undefined) {
      errors.push(`${place} should start with user keyword followed by the username. `);
    } else if (hasSpaces(name)) {
      errors.push(`'${place}: username '${name}' contains invalid characters. `);
    } else if (users.has(name)) {
      errors.push(`WARNING: Duplicate user '${name}' found on line ${i + 1}. `);
    } else {
      const user = new User(name);
      errors.push(...applyAll(user, words, place));
      users.set(name, user.record());
    }
  }
  return errors.length > 0 ? { users: [], errors } : { users: [...users.values()], errors: [] };
}

/** Applies the rules of a line; returns what is wrong with them. A wrong password is not shown. */
function applyAll(user: User, words: readonly string[], place: string): string[] {
  const merged = mergeSelectors(words);
  if ("unmatched" in merged) return [`${place}: Unmatched parenthesis in selector definition.`];
  const errors: string[] = [];
  let hasSyntaxError = false;
  for (const rule of merged.rules.map((each) => each.replace(/^[\t\r]+|[\t\r]+$/g, ""))) {
    const error = user.apply(rule);
    if (error === RULE_ERRORS.unknownCommand) {
      errors.push(`${place}: Error in applying operation '${rule}': ${error}. `);
    } else if (error !== "" && !hasSyntaxError) {
      errors.push(`${place}: ${error}. `);
      hasSyntaxError = true;
    }
  }
  return errors;
}

/** Writes what {@linkcode readAclFile} reads, as ACL SAVE does. */
export function printAclFile(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}
