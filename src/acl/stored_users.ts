/**
 * Users as the store keeps them: name and rules as texts, passwords hashed.
 *
 * @module
 */

import { readAclFile } from "./acl_file.ts";
import { mergeSelectors } from "./rule_words.ts";
import { hashAclPassword, User, type UserRecord } from "./user.ts";
import { bytesOfText, textOfBytes } from "./users.ts";

/** A user in texts. */
export interface UserText {
  readonly name: string;
  /** What follows the name in ACL LIST. */
  readonly rules: string;
}

/**
 * Reads users.
 *
 * @throws {SyntaxError} Naming what cannot be read: a newer version may have written it.
 */
export function recordsOfTexts(users: readonly UserText[]): readonly UserRecord[] {
  const lines = users.map(({ name, rules }) => `user ${name} ${rules}`).join("\n");
  const { users: records, errors } = readAclFile(bytesOfText(lines), "redis_users");
  if (errors.length > 0) throw new SyntaxError(errors.join("").trim());
  return records;
}

/**
 * Writes a user.
 *
 * @throws {SyntaxError} When it has bytes that are no UTF-8: the store keeps texts.
 */
export function textOfRecord(record: UserRecord): UserText {
  const user = new User(record.name);
  user.become(record);
  const [name, rules] = [textOfBytes(record.name), textOfBytes(user.describe())];
  if (bytesOfText(name) !== record.name || bytesOfText(rules) !== user.describe()) {
    throw new SyntaxError("names and rules of users in the store must be UTF-8");
  }
  return { name, rules };
}

/** Rules with their passwords hashed, so that nobody sees them on the way. Works on texts of bytes. */
export function hashedRules(words: readonly string[]): string[] {
  const merged = mergeSelectors(words);
  if ("unmatched" in merged) return [...words];
  return merged.rules.map((rule) => {
    if (rule.startsWith(">")) return `#${hashAclPassword(rule.slice(1))}`;
    return rule.startsWith("<") ? `!${hashAclPassword(rule.slice(1))}` : rule;
  });
}

/** A user for people: all but its passwords. */
export interface UserDescription {
  readonly on: boolean;
  readonly nopass: boolean;
  /** How many passwords it has. */
  readonly passwords: number;
  /** What it may do. */
  readonly rules: string;
}

/** Describes a user. */
export function describeUser({ rules }: UserText): UserDescription {
  const words = rules.split(" ");
  const isPassword = (word: string) => /^#[0-9a-f]{64}$/.test(word);
  return {
    on: words.includes("on"),
    nopass: words.includes("nopass"),
    passwords: words.filter(isPassword).length,
    rules: words.filter((word) => !isPassword(word) && !FLAGS.includes(word)).join(" "),
  };
}

const FLAGS = ["on", "off", "nopass", "skip-sanitize-payload", "sanitize-payload"];
