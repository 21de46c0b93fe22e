/**
 * Where keys come from, as `--from` names it.
 *
 * @module
 */

import { type Address, formatAddress, parseAddress } from "../../base/address.ts";
import { Secret } from "../../base/secret.ts";

/** A server that speaks the Redis protocol, and how to log in. */
export interface SourceServer {
  readonly address: Address;
  readonly user: string;
  readonly password: Secret;
  readonly isTls: boolean;
}

/** One source. */
export type Source =
  | ServerSource
  | { readonly kind: "rdb"; readonly file: string }
  | AppendOnlySource;

/** A server, or one of a cluster. */
export interface ServerSource {
  readonly kind: "redis" | "cluster";
  readonly server: SourceServer;
}

/** An append-only file. */
export interface AppendOnlySource {
  readonly kind: "aof";
  /** Its folder, its manifest, or the one file of an older one. */
  readonly path: string;
}

const FORMS = "redis://[user:password@]host:port, cluster://…, rdb:FILE or aof:PATH";
/** A trailing `s` asks for TLS. */
const SERVER = /^(redis|cluster)(s?):\/\/(?:([^@/]*)@)?([^@/]+)\/?$/;
const FILE = /^(rdb|aof):(.+)$/;

/**
 * Reads a list of sources, separated by commas; characters of passwords may be written as `%2C`.
 *
 * @throws {SyntaxError} When one is not of a known form, or files are mixed with servers.
 */
export function parseSources(text: string): Source[] {
  const sources = text.split(",").map(parseSource);
  const names = sources.map(sourceName);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new SyntaxError(`${twice} is named twice`);
  if (sources.length > 1 && sources.some(({ kind }) => kind !== "redis")) {
    throw new SyntaxError("only sources of the form redis://… can be several");
  }
  return sources;
}

function parseSource(text: string): Source {
  const [, kind, file] = FILE.exec(text) ?? [];
  if (file !== undefined) return kind === "rdb" ? { kind, file } : { kind: "aof", path: file };
  const server = parseServer(text);
  if (server === undefined) throw new SyntaxError(`a source is one of ${FORMS}`);
  return server;
}

/**
 * Reads a server; undefined: the text is of no form for servers.
 *
 * @throws {SyntaxError} When the address is none.
 */
export function parseServer(text: string): ServerSource | undefined {
  const [, scheme, tls, login = "", host] = SERVER.exec(text) ?? [];
  if (host === undefined) return undefined;
  const colon = login.indexOf(":");
  const [user, password] = colon < 0
    ? ["", login]
    : [login.slice(0, colon), login.slice(colon + 1)];
  const server = {
    address: parseAddress(/:\d+$/.test(host) ? host : `${host}:6379`),
    user: decodeURIComponent(user),
    password: new Secret(decodeURIComponent(password)),
    isTls: tls === "s",
  };
  return { kind: scheme as "redis" | "cluster", server };
}

/** What a source is called: without password. */
export function sourceName(source: Source): string {
  if (source.kind === "rdb") return `rdb:${source.file}`;
  if (source.kind === "aof") return `aof:${source.path}`;
  return `${source.kind}://${formatAddress(source.server.address)}`;
}
