/**
 * Which keys are imported, and what they are called afterwards.
 *
 * @module
 */

import { matchesGlob } from "../acl/glob.ts";
import { utf8 } from "../resp/encoder.ts";

/** What the user has chosen; patterns are Redis's globs. */
export interface ChoiceRules {
  /** Only keys that match one of them; none: all. */
  readonly match: readonly string[];
  /** No key that matches one of them. */
  readonly except: readonly string[];
  /** Only this database; undefined: all. */
  readonly database: number | undefined;
  /** What names begin with at the source, and no longer afterwards: keys without it are left out. */
  readonly strip: string;
  /** What names begin with afterwards. */
  readonly prefix: string;
}

/** See the header. */
export class KeyChoice {
  /** Whether all keys are imported. */
  readonly isAll: boolean;
  /** Whether keys keep their names. */
  readonly keepsNames: boolean;
  readonly #match: readonly Uint8Array[];
  readonly #except: readonly Uint8Array[];
  /** The only database that is imported; undefined: all are. */
  readonly database: number | undefined;
  readonly #strip: Uint8Array;
  readonly #prefix: Uint8Array;

  constructor({ match, except, database, strip, prefix }: ChoiceRules) {
    this.#match = match.map(utf8);
    this.#except = except.map(utf8);
    this.database = database;
    this.#strip = utf8(strip);
    this.#prefix = utf8(prefix);
    this.keepsNames = strip === "" && prefix === "";
    this.isAll = match.length + except.length === 0 && database === undefined && strip === "";
  }

  /** Whether a key of the source is imported; `bytes[start, end)` is its name. */
  wants(database: number, bytes: Uint8Array, start = 0, end: number = bytes.length): boolean {
    if (this.isAll) return true;
    if (this.database !== undefined && database !== this.database) return false;
    const matches = (pattern: Uint8Array) => matchesGlob(pattern, bytes, start, end);
    return beginsWith(bytes, start, end, this.#strip) && !this.#except.some(matches) &&
      (this.#match.length === 0 || this.#match.some(matches));
  }

  /** What a key of the source is called afterwards. Copies, unless the name stays. */
  renamed(key: Uint8Array): Uint8Array {
    return this.keepsNames ? key : exchanged(key, this.#strip, this.#prefix);
  }

  /** What a key is called at the source; undefined: it cannot be from there. Copies, unless the name stays. */
  original(key: Uint8Array): Uint8Array | undefined {
    if (this.keepsNames) return key;
    if (!beginsWith(key, 0, key.length, this.#prefix)) return undefined;
    return exchanged(key, this.#prefix, this.#strip);
  }
}

function beginsWith(bytes: Uint8Array, start: number, end: number, head: Uint8Array): boolean {
  return end - start >= head.length && head.every((byte, i) => bytes[start + i] === byte);
}

function exchanged(key: Uint8Array, old: Uint8Array, head: Uint8Array): Uint8Array {
  const name = new Uint8Array(head.length + key.length - old.length);
  name.set(head);
  name.set(key.subarray(old.length), head.length);
  return name;
}
