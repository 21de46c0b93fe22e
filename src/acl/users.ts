/**
 * The users of a proxy, by name.
 *
 * @module
 */

import { latin1Bytes } from "../resp/latin1.ts";
import { mergeSelectors } from "./rule_words.ts";
import { hasSpaces } from "./selector.ts";
import { DEFAULT_USER, User, type UserRecord } from "./user.ts";

/** What a change has made of the users, in plain values. */
export interface UsersUpdate {
  /** Users that are new or have changed. */
  readonly changed: readonly UserRecord[];
  /** Names of users that are no more. */
  readonly deleted: readonly string[];
  /** Whether all were loaded anew, at which Redis disconnects everybody but the default user. */
  readonly isReload: boolean;
  /** The client that asked for it, which gets its answer before it is disconnected; 0 for none. */
  readonly by: number;
}

/** The users of a proxy. There is always one that is named `default`. */
export class Users {
  readonly #byName = new Map<string, User>();
  #passwords: readonly string[];
  /** Whether there are other users than Redis makes, or other rules. */
  areConfigured = false;

  /** @param passwords Text; the default user's, as long as no rules say otherwise; one `""` for none. */
  constructor(passwords: readonly string[]) {
    this.#passwords = passwords.map(bytesOfText);
    this.#byName.set(DEFAULT_USER, User.byDefault(this.#passwords));
  }

  /** The configuration has other passwords for the default user now; there is at least one. */
  setPasswords(passwords: readonly string[]): void {
    const before = this.#passwords;
    this.#passwords = passwords.map(bytesOfText);
    this.default.replacePasswords(before, this.#passwords);
  }

  /** The user whose rights clients have that have not logged in. */
  get default(): User {
    return this.#byName.get(DEFAULT_USER)!;
  }

  /** Finds a user. Names are of one character for each byte. */
  get(name: string): User | undefined {
    return this.#byName.get(name);
  }

  /** All, in the order of their names' bytes, as Redis lists them. */
  all(): User[] {
    return [...this.#byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Lines of an ACL file, `user NAME rules…`. */
  list(): string[] {
    return this.all().map((user) => user.line());
  }

  /** All in plain values. */
  records(): UserRecord[] {
    return this.all().map((user) => user.record());
  }

  /**
   * What ACL SETUSER would make of a user; changes nothing.
   *
   * @returns The user's new record, or what is wrong in Redis's words, without `ERR`.
   */
  planned(name: string, words: readonly string[]): UserRecord | string {
    if (hasSpaces(name)) return "Usernames can't contain spaces or null characters";
    const merged = mergeSelectors(words);
    if ("unmatched" in merged) {
      return `Unmatched parenthesis in acl selector starting at '${merged.unmatched}'.`;
    }
    const user = new User(name);
    const known = this.#byName.get(name);
    if (known !== undefined) user.become(known.record());
    for (const rule of merged.rules) {
      const error = user.apply(rule);
      if (error !== "") return `Error in ACL SETUSER modifier '${rule}': ${error}`;
    }
    return user.record();
  }

  /**
   * Adds rules to a user, made when it is new.
   *
   * @returns What is wrong, in Redis's words; nothing was changed then. Empty otherwise.
   */
  set(name: string, words: readonly string[]): string {
    const record = this.planned(name, words);
    if (typeof record === "string") return record;
    this.update({ changed: [record], deleted: [], isReload: false, by: 0 });
    return "";
  }

  /** Deletes a user; false when there is none such. The default one cannot be deleted. */
  delete(name: string): boolean {
    return name !== DEFAULT_USER && this.#byName.delete(name);
  }

  /**
   * Replaces all users by those of other ones. Where they have no default user, it is as in a new set.
   */
  updateTo(records: readonly UserRecord[]): UsersUpdate {
    const names = new Set(records.map(({ name }) => name));
    const isDefaultLeft = !names.has(DEFAULT_USER);
    const changed = isDefaultLeft
      ? [...records, User.byDefault(this.#passwords).record()]
      : records;
    const deleted = [...this.#byName.keys()].filter((name) =>
      name !== DEFAULT_USER && !names.has(name)
    );
    return { changed, deleted, isReload: true, by: 0 };
  }

  /** Whether a user is already as a record says. */
  isSame(record: UserRecord): boolean {
    const known = this.#byName.get(record.name);
    return known !== undefined && JSON.stringify(known.record()) === JSON.stringify(record);
  }

  /** Takes an update over. Users that stay are the same objects as before. */
  update({ changed, deleted }: UsersUpdate): void {
    this.areConfigured = true;
    for (const name of deleted) this.#byName.delete(name);
    for (const record of changed) {
      const known = this.#byName.get(record.name) ?? new User(record.name);
      known.become(record);
      this.#byName.set(record.name, known);
    }
  }
}

/** A name or rule that stands in a text, as the engine has it: one character for each byte of its UTF-8. */
export function bytesOfText(text: string): string {
  let bytes = "";
  for (const byte of new TextEncoder().encode(text)) bytes += String.fromCharCode(byte);
  return bytes;
}

/** The text whose UTF-8 bytes a name or rule has; what is not UTF-8 is shown as `\ufffd`. */
export function textOfBytes(bytes: string): string {
  // What most names are: a decoder would take longer than all else that is done for one.
  if (isAscii(bytes)) return bytes;
  return new TextDecoder().decode(latin1Bytes(bytes));
}

function isAscii(bytes: string): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes.charCodeAt(i) > 0x7f) return false;
  return true;
}
