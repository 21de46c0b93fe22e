/**
 * What a client of MONITOR wants to see: everything, or what all of its filters let through.
 *
 *     MONITOR [MATCH pattern] [USER name] [DB number] [SLOW [milliseconds]]
 *
 * @module
 */

import { AccessedKeys, findAccessedKeys, hasKeys } from "../../acl/accessed_keys.ts";
import { matchesGlob } from "../../acl/glob.ts";
import type { Command } from "../../command/command.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { latin1, latin1Bytes } from "../../resp/latin1.ts";
import { clientText } from "../errors.ts";
import { DATABASES } from "../options.ts";

/** Filters in plain values, since other workers must know them; one that is not given is left out. */
export interface MonitorFilter {
  /** Of a key, as Redis's glob; one character for each byte. */
  readonly match?: string;
  /** The name of a user; one character for each byte. */
  readonly user?: string;
  readonly database?: number;
  /** How long a request must take, in milliseconds: it is shown once it is answered. */
  readonly slowMs?: number;
}

/** Who has asked something. */
export interface MonitoredClient {
  readonly remote: string;
  readonly database: number;
  readonly user: { readonly name: string };
}

/** The first bytes of a request's arguments: all of them, or what is kept. */
export interface BeginningOfArguments extends Arguments {
  /** How many arguments the request has. */
  readonly announced: number;
  /** Whether argument `i` is here with all its bytes. */
  isWhole(i: number): boolean;
}

/** What a filter's word takes. */
const FORMS = "MATCH pattern, USER name, DB number, SLOW [milliseconds]";

const field = { match: "match", user: "user", db: "database", slow: "slowMs" } as const;

/**
 * Reads the filters of `MONITOR …`.
 *
 * @param slowMs From when on a request is slow, if SLOW does not say it; Infinity: none is.
 * @returns The filters, or an error text.
 */
export function readMonitorFilter(args: Arguments, slowMs: number): MonitorFilter | string {
  const filter: { -readonly [K in keyof MonitorFilter]: MonitorFilter[K] } = {};
  const text = (i: number) => latin1(args.bytes, args.start(i), args.end(i));
  for (let i = 1; i < args.count; i++) {
    const shown = clientText(text(i));
    const word = text(i).toLowerCase();
    if (!Object.hasOwn(field, word)) {
      return `ERR MONITOR has no filter '${shown}', only ${FORMS}`;
    }
    const name = word as keyof typeof field;
    if (filter[field[name]] !== undefined) return `ERR MONITOR has ${shown} twice`;
    if (name === "slow") {
      const isGiven = i + 1 < args.count && /^[-+.\d]/.test(text(i + 1));
      const ms = isGiven ? numberOf(text(++i)) : slowMs;
      if (ms === null) {
        return `ERR MONITOR SLOW takes milliseconds, as in 50 or 0.5, not '${clientText(text(i))}'`;
      }
      if (ms === Infinity) {
        return "ERR the slow log is off, so MONITOR SLOW needs a number of milliseconds";
      }
      filter.slowMs = ms;
      continue;
    }
    if (i + 1 === args.count) return `ERR MONITOR ${shown} needs a value: ${FORMS}`;
    const value = text(++i);
    if (name === "db") {
      const database = /^\d{1,3}$/.test(value) ? Number(value) : DATABASES;
      if (database >= DATABASES) {
        return `ERR MONITOR DB takes 0 to ${DATABASES - 1}, not '${clientText(value)}'`;
      }
      filter.database = database;
    } else filter[field[name]] = value;
  }
  return filter;
}

function numberOf(text: string): number | null {
  return /^\d{1,9}(\.\d{1,6})?$/.test(text) ? Number(text) : null;
}

const keys = new AccessedKeys();

/** A filter, ready to be asked for each request. */
export class RequestFilter {
  readonly filter: MonitorFilter;
  readonly #pattern: Uint8Array | null;

  constructor(filter: MonitorFilter) {
    this.filter = filter;
    this.#pattern = filter.match === undefined ? null : latin1Bytes(filter.match);
  }

  /** Whether it lets a request through. Borrows the arguments. */
  lets(client: MonitoredClient, command: Command, args: Arguments): boolean {
    return this.#letsClient(client) && (this.#pattern === null || this.#hasMatch(command, args));
  }

  /** The same of a request whose beginning is kept: a key that is not there is taken to match. */
  letsBeginning(
    client: MonitoredClient,
    command: Command,
    args: BeginningOfArguments,
  ): boolean {
    if (!this.#letsClient(client)) return false;
    if (this.#pattern === null || this.#hasMatch(command, args)) return true;
    if (!hasKeys(command)) return false;
    for (let i = 0; i < keys.count; i++) if (!args.isWhole(keys.indexes[i]!)) return true;
    const mayHaveMore = command.singleKey === 0 || args.count <= command.singleKey;
    return mayHaveMore && (args.announced === 0 || args.count < args.announced);
  }

  #letsClient({ user, database }: MonitoredClient): boolean {
    const { filter } = this;
    return (filter.user === undefined || filter.user === user.name) &&
      (filter.database === undefined || filter.database === database);
  }

  #hasMatch(command: Command, args: Arguments): boolean {
    findAccessedKeys(command, args, keys);
    for (let i = 0; i < keys.count; i++) {
      // As in KEYS: this one matches the empty key, too.
      if (this.filter.match === "*") return true;
      const at = keys.indexes[i]!;
      if (matchesGlob(this.#pattern!, args.bytes, args.start(at), args.end(at))) return true;
    }
    return false;
  }
}
