/**
 * Reads and prints the values of config.ini, by their kind.
 *
 * @module
 */

import {
  type Address,
  formatAddress,
  type HttpAddress,
  parseAddress,
  parseHttpAddress,
  parseListenAddress,
} from "../base/address.ts";
import { formatByteSize, parseByteSize } from "../base/byte_size.ts";
import { excerpt } from "../base/excerpt.ts";
import { Secret } from "../base/secret.ts";
import { isZone, ZONE_RULE } from "../base/zone.ts";
import type { ConfigKey, ConfigKind } from "./key.ts";

/** A user of config.ini. */
export interface ConfigUser {
  readonly name: string;
  /** Its ACL rules; there may be passwords in them. */
  readonly rules: Secret;
  /** Where they are, for messages. */
  readonly at: string;
}

/** The TypeScript type of a value, by kind; a `word` row narrows it to its words. */
export interface ConfigValueByKind {
  text: string;
  name: string;
  secret: Secret;
  token: Secret;
  secretUrl: Secret;
  users: readonly ConfigUser[];
  folder: string;
  zone: string;
  word: string;
  switch: boolean;
  count: number;
  duration: number;
  size: number;
  address: Address | undefined;
  httpAddress: HttpAddress | undefined;
  listen: Address | undefined;
  hostnames: readonly string[];
  addresses: readonly Address[];
  endpoints: readonly string[];
}

/** Longest token, in characters: HTTP servers and proxies before them bound a request's headers. */
const TOKEN_CHARS_MAX = 4_096;

/** Milliseconds in one written unit of a duration. */
const UNIT_MS = { s: 1000, ms: 1 } as const;

type ConfigReaders = {
  readonly [K in ConfigKind]: (text: string, row: ConfigKey) => ConfigValueByKind[K];
};
type ConfigPrinters = {
  readonly [K in ConfigKind]: (value: ConfigValueByKind[K], row: ConfigKey) => string;
};

const READERS: ConfigReaders = {
  text: (text) => text,
  name: readName,
  secret: (text) => new Secret(text),
  token: readToken,
  secretUrl: readSecretUrl,
  users: () => [], // read from lines of their own
  folder: readFolder,
  zone: readZone,
  word: readWord,
  switch: readSwitch,
  count: (text, row) => checkBounds(readCount(text, row), row),
  duration: (text, row) => checkBounds(readWhole(text), row) * UNIT_MS[row.unit!],
  size: (text, row) => checkBounds(readNonNegative(text, parseByteSize), row),
  address: (text) => text === "" ? undefined : parseAddress(text),
  httpAddress: (text) => text === "" ? undefined : parseHttpAddress(text),
  listen: (text) => text === "" ? undefined : parseListenAddress(text),
  hostnames: readHostnames,
  addresses: readAddresses,
  endpoints: readEndpoints,
};

const PRINTERS: ConfigPrinters = {
  text: (value) => value,
  name: (value) => value,
  secret: (value) => value.toString(),
  token: (value) => value.toString(),
  secretUrl: (value) => value.toString(),
  users: (value) => value.map(({ name }) => name).join(","),
  folder: (value) => value,
  zone: (value) => value,
  word: (value) => value,
  switch: (value) => value ? "on" : "off",
  count: (value) => `${value}`,
  duration: (value, row) => `${value / UNIT_MS[row.unit!]}`,
  size: (value) => formatByteSize(value),
  address: (value) => value === undefined ? "" : formatAddress(value),
  httpAddress: (value) =>
    value === undefined ? "" : `${value.isTls ? "https://" : ""}${formatAddress(value)}`,
  listen: (value) => value === undefined ? "" : formatAddress(value),
  hostnames: (value) => value.join(","),
  addresses: (value) => value.map(formatAddress).join(","),
  endpoints: (value) => value.join(","),
};

/**
 * Reads one value by the rule of its row.
 *
 * @throws {SyntaxError | RangeError} When it breaks the row's rule; the message is that rule.
 */
export function readConfigValue(text: string, row: ConfigKey): unknown {
  return READERS[row.kind](text, row);
}

/** Prints a value of `Config` as config.ini would spell it; a secret prints as its mask. */
export function printConfigValue(value: unknown, row: ConfigKey): string {
  const print = PRINTERS[row.kind] as (value: unknown, row: ConfigKey) => string;
  return print(value, row);
}

/** The rule of a row in words, for documentation: `one of tcp, tcp4, tcp6`, `1 to 29 s`. */
export function describeConfigRule(row: ConfigKey): string {
  switch (row.kind) {
    case "word":
      return `one of ${row.words!.join(", ")}`;
    case "switch":
      return "on or off";
    case "count":
      return describeBounds(row, "a whole number");
    case "duration":
      return describeBounds(row, row.unit === "s" ? "whole seconds" : "whole milliseconds");
    case "size":
      return describeBounds(row, "bytes, K/M/G suffix allowed");
    case "name":
      return 'not empty, no "/"';
    case "address":
      return "host:port";
    case "httpAddress":
      return "host:port or https://host:port";
    case "listen":
      return "host:port or :port";
    case "hostnames":
      return "host,host,…";
    case "addresses":
      return "host:port,host:port,…";
    case "endpoints":
      return "host,host:port,…";
    case "token":
      return `at most ${TOKEN_CHARS_MAX} Latin letters, digits and signs`;
    case "secretUrl":
      return "an http:// or https:// URL";
    case "users":
      return "rules of Redis's ACL";
    case "folder":
      return "not empty";
    case "zone":
      return ZONE_RULE;
    case "secret":
    case "text":
      return "any text";
  }
}

function describeBounds(row: ConfigKey, noun: string): string {
  const spell = (bound: number) => row.kind === "size" ? formatByteSize(bound) : `${bound}`;
  const min = spell(row.min ?? 0);
  return `${noun}, ${row.max === undefined ? `at least ${min}` : `${min} to ${spell(row.max)}`}`;
}

function readName(text: string): string {
  if (text === "") throw new SyntaxError("must not be empty");
  if (text.includes("/")) throw new SyntaxError('must not contain "/"');
  if (text === "." || text === "..") throw new SyntaxError('must not be "." or ".."');
  return text;
}

/**
 * Checks a token that is sent in a header.
 *
 * @throws {SyntaxError | RangeError} When it cannot be; the message is the rule, and does not quote it.
 */
export function readToken(text: string): Secret {
  // An HTTP header holds only characters of one byte.
  if ([...text].some((char) => char > "\u00ff")) {
    throw new SyntaxError(
      "must be Latin letters, digits and signs: HTTP headers cannot hold others",
    );
  }
  if (text.length > TOKEN_CHARS_MAX) {
    throw new RangeError(
      `must have at most ${TOKEN_CHARS_MAX} characters, this one has ${text.length}`,
    );
  }
  return new Secret(text);
}

function readSecretUrl(text: string): Secret {
  if (text === "") return new Secret("");
  const url = URL.parse(text);
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    throw new SyntaxError("must be an http:// or https:// URL");
  }
  if (url.username !== "" || url.password !== "") {
    throw new SyntaxError("must not have a user and a password: webhook_secret signs what is sent");
  }
  return new Secret(text);
}

function readFolder(text: string): string {
  if (text === "") throw new SyntaxError("must not be empty");
  return text;
}

function readZone(text: string): string {
  if (!isZone(text)) throw new SyntaxError(`must be ${ZONE_RULE}`);
  return text;
}

function readWord(text: string, row: ConfigKey): string {
  if (!row.words!.includes(text)) throw new SyntaxError(`must be ${describeConfigRule(row)}`);
  return text;
}

function readSwitch(text: string): boolean {
  if (text !== "on" && text !== "off") throw new SyntaxError("must be on or off");
  return text === "on";
}

function readCount(text: string, { min = 0 }: ConfigKey): number {
  return min < 0 && text.startsWith("-") ? -readWhole(text.slice(1)) : readWhole(text);
}

function readWhole(text: string): number {
  return readNonNegative(text, (digits) => {
    // The sign is Go's strconv, through which Codis 2.0 reads its numbers.
    const value = /^\+?\d+$/.test(digits) ? Number(digits) : NaN;
    if (!Number.isSafeInteger(value)) throw new SyntaxError("must be a whole number");
    return value;
  });
}

function readNonNegative(text: string, read: (text: string) => number): number {
  if (/^-\d/.test(text)) throw new RangeError("must not be negative");
  return read(text);
}

function checkBounds(value: number, row: ConfigKey): number {
  const isBelow = value < (row.min ?? 0);
  const isAbove = row.max !== undefined && value > row.max;
  if (isBelow || isAbove) throw new RangeError(`must be ${describeConfigRule(row)}`);
  return value;
}

function readAddresses(text: string): readonly Address[] {
  const addresses = splitList(text).map(parseAddress);
  const seen = new Set<string>();
  for (const address of addresses.map(formatAddress)) {
    if (seen.has(address)) throw new SyntaxError(`must not name "${excerpt(address)}" twice`);
    seen.add(address);
  }
  return addresses;
}

function readHostnames(text: string): readonly string[] {
  return splitList(text).map((name) => {
    if (!/^[\w.-]+$/.test(name)) throw new SyntaxError("must name hosts, without ports");
    return name.toLowerCase();
  });
}

function readEndpoints(text: string): readonly string[] {
  const endpoints = splitList(text);
  for (const endpoint of endpoints) {
    if (/^https?:\/\/[^/\s]+\/?$/.test(endpoint)) continue;
    if (/^(tls|ssl):\/\//.test(endpoint)) {
      throw new SyntaxError(
        "must not be tls://: the ZooKeeper client speaks no TLS; use etcd with https://, or a TLS tunnel",
      );
    }
    if (/^(https?:\/\/)?[^/]+\//.test(endpoint)) {
      throw new SyntaxError("must not have a path: everything is stored below /zk/codis");
    }
    parseAddress(/:\d*$/.test(endpoint) ? endpoint : `${endpoint}:1`);
  }
  return endpoints;
}

function splitList(text: string): string[] {
  if (text === "") return [];
  const items = text.split(",").map((item) => item.trim());
  if (items.includes("")) throw new SyntaxError("must not have an empty item between commas");
  return items;
}
