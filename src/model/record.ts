/**
 * How records become JSON and back: shapes that know their fields' types and order.
 *
 * Records keep the field names under which Codis 2.0 stores them, so that a record in our code reads
 * as its JSON does; a shape lists them in the stored order, so that its JSON is the same to the byte.
 *
 * @module
 */

import { beginning } from "../base/excerpt.ts";

/** Reads and writes one kind of JSON value. */
export interface Shape<T> {
  /**
   * Checks a parsed value.
   *
   * @param value The value; `undefined` when its field is missing, which reads as Go's zero value.
   * @param at What it is, for the message: `slot.state.status`.
   * @throws {RecordError} When it is of another type.
   */
  read(value: unknown, at: string): T;
  /** Lays the value out for JSON, fields in stored order. */
  write(value: T): unknown;
}

/** A stored record that cannot be read; the message names the record, the field and its value. */
export class RecordError extends SyntaxError {
  override readonly name = "RecordError";
}

/** What to do about a record that cannot be read, to be said after the message. */
export const RECORD_ADVICE = "codis-proxy config check says what to do";

/** Longest piece of a bad value that a message quotes, in characters. */
const QUOTE_MAX = 80;

/** A string; missing means `""`. */
export const text: Shape<string> = {
  read(value, at) {
    if (value === undefined || value === null) return "";
    if (typeof value !== "string") throw bad(at, "a string", value);
    return value;
  },
  write: (value) => value,
};

/** A whole number; missing means 0. */
export const integer: Shape<number> = {
  read(value, at) {
    if (value === undefined || value === null) return 0;
    if (!Number.isSafeInteger(value)) throw bad(at, "a whole number", value);
    return value as number;
  },
  write: (value) => value,
};

/** A number; missing means 0. */
export const number: Shape<number> = {
  read(value, at) {
    if (value === undefined || value === null) return 0;
    if (typeof value !== "number") throw bad(at, "a number", value);
    return value;
  },
  write: (value) => value,
};

/** `true`, or missing. */
export const flag: Shape<true | undefined> = {
  read(value, at) {
    if (value === undefined || value === true) return value;
    throw bad(at, "true", value);
  },
  write: (value) => value,
};

/** Whether it is `true`; missing means that it is not. */
export const bool: Shape<boolean> = {
  read: (value) => value === true,
  write: (value) => value,
};

/** As `shape`; a field that is missing stays so. */
export function optional<T>(shape: Shape<T>): Shape<T | undefined> {
  return {
    read: (value, at) => value === undefined ? undefined : shape.read(value, at),
    write: (value) => value === undefined ? undefined : shape.write(value),
  };
}

/** As `shape`; a field that is missing is an error. */
export function required<T>(shape: Shape<T>): Shape<NonNullable<T>> {
  return {
    read(value, at) {
      if (value === undefined || value === null) throw new RecordError(`${at} is missing`);
      return shape.read(value, at)!;
    },
    write: (value) => shape.write(value),
  };
}

/** One of `words`. */
export function word<W extends string>(words: readonly W[]): Shape<W> {
  return {
    read(value, at) {
      const found = words.find((each) => each === value);
      if (found === undefined) throw bad(at, `one of ${words.join(", ")}`, value);
      return found;
    },
    write: (value) => value,
  };
}

/** An array, or Go's nil slice, which is `null` in JSON; missing means `null`. */
export function listOf<T>(item: Shape<T>): Shape<readonly T[] | null> {
  return {
    read(value, at) {
      if (value === undefined || value === null) return null;
      if (!Array.isArray(value)) throw bad(at, "an array", value);
      return value.map((each, i) => item.read(each, `${at}[${i}]`));
    },
    write: (value) => value === null ? null : value.map((each) => item.write(each)),
  };
}

/** As a list of {@linkcode number}, for long ones that are read again and again: `read` takes the array itself. */
export const numbers: Shape<readonly number[] | null> = {
  read: (value, at) =>
    Array.isArray(value) && value.every((each) => typeof each === "number")
      ? value
      : NUMBERS.read(value, at),
  write: (value) => value,
};

const NUMBERS = listOf(number);

/** An object with these fields, in this order; other fields are ignored. */
export function recordOf<T extends object>(
  fields: { readonly [K in keyof T]: Shape<T[K]> },
): Shape<T> {
  const names = Object.keys(fields) as (keyof T & string)[];
  return {
    read(value, at) {
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        throw bad(at, "an object", value);
      }
      const source = value as Record<string, unknown>;
      const record: Partial<T> = {};
      for (const name of names) {
        const field = Object.hasOwn(source, name) ? source[name] : undefined;
        const read = fields[name].read(field, `${at}.${name}`);
        if (read !== undefined) record[name] = read;
      }
      return record as T;
    },
    write(value) {
      const source: Record<string, unknown> = {};
      for (const name of names) source[name] = fields[name].write(value[name]);
      return source;
    },
  };
}

/**
 * Reads a record from its JSON.
 *
 * @param what What it is, for the message: `slot`.
 * @throws {RecordError} When the text is not JSON or not such a record.
 */
export function decodeRecord<T>(shape: Shape<T>, json: string, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new RecordError(`${what} is not JSON: ${beginning(json, QUOTE_MAX)}`);
  }
  return shape.read(value, what);
}

/**
 * As {@linkcode decodeRecord}, of a record with secrets: the message quotes nothing of it.
 *
 * @throws {RecordError} Likewise.
 */
export function decodeSecretRecord<T>(shape: Shape<T>, json: string, what: string): T {
  try {
    return decodeRecord(shape, json, what);
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    throw new RecordError(`${what} cannot be read: not what this program stores there`);
  }
}

/** Writes a record's JSON as Go does: no spaces, and `<`, `>`, `&` escaped. */
export function encodeRecord<T>(shape: Shape<T>, record: T): string {
  return JSON.stringify(shape.write(record)).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function bad(at: string, wanted: string, value: unknown): RecordError {
  const seen = value === undefined ? "missing" : beginning(JSON.stringify(value), QUOTE_MAX);
  return new RecordError(`${at} must be ${wanted}, not ${seen}`);
}
