/**
 * The flags of `import`.
 *
 * @module
 */

import { type Address, parseAddress } from "../../base/address.ts";
import { parseByteSize } from "../../base/byte_size.ts";
import { KeyChoice } from "../../import/key_choice.ts";
import { parseSources, type Source } from "../../import/source/source_address.ts";
import { parseWhole, parseWord } from "../parts/arguments.ts";
import { type Flag, type FlagValues, isGiven, readValue, UsageError } from "../parts/subcommand.ts";

const DATABASE_MAX = 2 ** 31 - 1;
const RATE_MIN = 1024;

/** How many keys are compared. */
export const VERIFY_WORDS = ["none", "sample", "all"] as const;

/** One of {@linkcode VERIFY_WORDS}. */
export type VerifyWord = (typeof VERIFY_WORDS)[number];

/** Where keys come from. */
export const FROM: Flag<readonly Source[]> = {
  name: "from",
  value: "source",
  default: "",
  help:
    "redis://[user:password@]host:port, several of these with commas; cluster://[user:password@]host:port; rdb:FILE; aof:PATH",
  parse: parseSources,
};

/** Keeps the password out of the command line. */
export const FROM_PASSWORD_FILE: Flag<string> = {
  name: "from-password-file",
  value: "file",
  default: "",
  isFile: true,
  help: "file whose first line is the password of the sources that have none in --from",
};

/** Which proxy is used. */
export const TO: Flag<Address> = {
  name: "to",
  value: "host:port",
  default: "",
  help: "the proxy to write through; without this flag: all proxies that are online",
  parse: parseAddress,
};

const patterns = (text: string) => text.split(",");

const MATCH: Flag<readonly string[]> = {
  name: "match",
  value: "patterns",
  default: "",
  help: "import only keys that match one of these, as in KEYS, separated by commas",
  parse: patterns,
};

const EXCEPT: Flag<readonly string[]> = {
  name: "except",
  value: "patterns",
  default: "",
  help: "leave out keys that match one of these",
  parse: patterns,
};

const DATABASE: Flag<number> = {
  name: "db",
  value: "number",
  default: "",
  help: "import only this database",
  parse: (text) => parseWhole(text, "a database", 0, DATABASE_MAX),
};

const STRIP: Flag<string> = {
  name: "strip",
  value: "text",
  default: "",
  help: "import only keys that begin with this, and take it away",
};

const PREFIX: Flag<string> = {
  name: "prefix",
  value: "text",
  default: "",
  help: "put this before the name of each key",
};

/** How fast sources are read. */
export const RATE: Flag<number> = {
  name: "rate",
  value: "bytes",
  default: "",
  help: "read no more than this in a second from all sources, such as 20mb",
  parse: (text) => {
    const bytes = parseByteSize(text);
    if (bytes < RATE_MIN) throw new SyntaxError(`"${text}" is less than 1kb`);
    return bytes;
  },
};

/** Whether nothing is written. */
export const COUNT_ONLY: Flag = {
  name: "dry-run",
  value: "",
  default: "",
  help: "count the keys, and write nothing",
};

/** Where the state is kept. */
export const STATE: Flag<string> = {
  name: "state",
  value: "file",
  default: "",
  isFile: true,
  help: "file that records how far the import has come; without this flag: import-<product>.state",
};

/** Whether an earlier state is given up. */
export const RESTART: Flag = {
  name: "restart",
  value: "",
  default: "",
  help: "copy all keys anew, whatever the state says",
};

/** Whether it ends by itself. */
export const ONCE: Flag = {
  name: "once",
  value: "",
  default: "",
  help: "end when all keys are copied and all changes up to then are stored",
};

/** Whether writes at the source are paused. */
export const SWITCH_OVER: Flag = {
  name: "switch-over",
  value: "",
  default: "",
  help: "when in step: pause writes at the sources, compare, and end; clients can then move",
};

/** How many keys are compared. */
export const VERIFY: Flag<VerifyWord> = {
  name: "verify",
  value: "keys",
  default: "none",
  help: "compare keys with the sources at the end: none, sample or all",
  words: VERIFY_WORDS,
  parse: (text) => parseWord(text, VERIFY_WORDS),
};

/** Whether the product may hold other keys. */
export const MERGE: Flag = {
  name: "merge",
  value: "",
  default: "",
  help: "allow a product that already has keys: those of the same name are replaced",
};

/** Whether FLUSHALL is followed. */
export const ALLOW_FLUSH: Flag = {
  name: "allow-flush",
  value: "",
  default: "",
  help: "when the source deletes all keys (FLUSHALL, FLUSHDB), do so here, too",
};

/** Those that choose keys. */
export const CHOICE_FLAGS: readonly Flag[] = [MATCH, EXCEPT, DATABASE, STRIP, PREFIX];

/** The value of a flag, or another when it is not given. */
export function valueOr<T, U>(values: FlagValues, flag: Flag<T>, other: U): T | U {
  return isGiven(values, flag) ? readValue(values, flag) : other;
}

/** Reads which keys are imported. */
export function readChoice(values: FlagValues): KeyChoice {
  return new KeyChoice({
    match: valueOr(values, MATCH, []),
    except: valueOr(values, EXCEPT, []),
    database: valueOr(values, DATABASE, undefined),
    strip: valueOr(values, STRIP, ""),
    prefix: valueOr(values, PREFIX, ""),
  });
}

/** The flags that choose keys, as they are given. */
export function choiceText(values: FlagValues): string {
  return CHOICE_FLAGS.filter((flag) => isGiven(values, flag))
    .map(({ name }) => ` --${name}=${values[name]}`).join("");
}

/**
 * Refuses flags that have no meaning for files.
 *
 * @param but What has.
 * @throws {UsageError} When one is given.
 */
export function refuseForFiles(values: FlagValues, but: readonly Flag[] = []): void {
  const given = [STATE, RESTART, ONCE, SWITCH_OVER, VERIFY, ALLOW_FLUSH]
    .find((flag) => !but.includes(flag) && (values[flag.name] ?? "") !== flag.default);
  if (given !== undefined) {
    throw new UsageError(`--${given.name} is for sources that are servers, not for files`);
  }
}
