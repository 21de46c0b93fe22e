/**
 * Reads the pools of a twemproxy config file, nutcracker.yml, for an import.
 *
 * @module
 */

import { parse } from "@std/yaml/parse";
import { formatAddress, parseAddress } from "../../../base/address.ts";

/** One pool. */
export interface TwemproxyPool {
  readonly name: string;
  /** Its servers in the order of the file, `host:port`. */
  readonly servers: readonly string[];
  /** What is not imported, one sentence each. */
  readonly warnings: readonly string[];
}

/** A pool or a file that cannot be imported; the message is one line for the user. */
export class PoolError extends Error {
  override readonly name = "PoolError";
}

/** `<host>:<port>:<weight> [<name>]`, where the host may be IPv6 with or without brackets. */
const SERVER = /^(?<host>.+):(?<port>\d+):(?<weight>\d+)(?:\s+(?<name>\S+))?$/;

/**
 * Reads one pool.
 *
 * @param text The whole file.
 * @param file Its name, for messages.
 * @param poolName The name of the pool; omitted: the only one.
 * @throws {PoolError} When the file is no twemproxy config, there is no such pool, or its servers are
 * not Redis servers that can be reached over TCP.
 */
export function readPool(text: string, file: string, poolName?: string): TwemproxyPool {
  const pools = parsePools(text, file);
  const names = Object.keys(pools);
  if (names.length === 0) throw new PoolError(`${file}: there is no pool in it`);
  if (poolName === undefined && names.length > 1) {
    throw new PoolError(`${file}: choose one of its pools with --pool: ${names.join(", ")}`);
  }
  const name = poolName ?? names[0]!;
  const pool = Object.hasOwn(pools, name) ? pools[name] : undefined;
  if (pool === undefined) {
    throw new PoolError(`${file}: there is no pool "${name}"; its pools are ${names.join(", ")}`);
  }
  const at = `${file}: pool "${name}"`;
  if (!isObject(pool)) throw new PoolError(`${at} is not a list of settings`);
  if (pool["redis"] !== true) {
    throw new PoolError(`${at} is a memcached pool: only pools with "redis: true" can be imported`);
  }
  const servers = pool["servers"];
  if (!Array.isArray(servers) || servers.length === 0) throw new PoolError(`${at} has no servers`);
  const parsed = servers.map((server) => readServer(server, at));
  checkTwice(parsed.map(({ addr }) => addr), at);
  return {
    name,
    servers: parsed.map(({ addr }) => addr),
    warnings: warningsOf(pool, parsed.some(({ weight }) => weight !== 1)),
  };
}

function parsePools(text: string, file: string): Record<string, unknown> {
  // YAML allows no tab before the first word of a line, but the parser reads such a line as a pool.
  const tab = text.split("\n").findIndex((line) => /^ *\t\s*[^\s#]/.test(line));
  if (tab >= 0) {
    throw new PoolError(`${file}:${tab + 1}: not YAML: the line is indented by a tab: use spaces`);
  }
  let value: unknown;
  try {
    // Only text, numbers, booleans, lists and maps, as twemproxy reads.
    value = parse(text, { schema: "core" });
  } catch (error) {
    throw new PoolError(`${file}: not YAML: ${(error as Error).message.replace(/\s*\n\s*/g, " ")}`);
  }
  if (value !== null && !isObject(value)) throw new PoolError(`${file}: not a list of pools`);
  return value ?? {};
}

function readServer(server: unknown, at: string): { addr: string; weight: number } {
  const quoted = JSON.stringify(server);
  if (typeof server !== "string") {
    throw new PoolError(`${at}: server ${quoted} is not host:port:weight`);
  }
  if (server.startsWith("/")) {
    throw new PoolError(`${at}: server ${quoted} is a unix socket: proxies reach servers over TCP`);
  }
  const parts = SERVER.exec(server.trim())?.groups;
  if (parts === undefined) throw new PoolError(`${at}: server ${quoted} is not host:port:weight`);
  const host = parts["host"]!.replace(/^\[(.*)\]$/, "$1");
  try {
    const bare = formatAddress({ hostname: host, port: Number(parts["port"]) });
    return { addr: formatAddress(parseAddress(bare)), weight: Number(parts["weight"]) };
  } catch (error) {
    throw new PoolError(`${at}: server ${quoted}: ${(error as Error).message}`);
  }
}

function checkTwice(addrs: readonly string[], at: string): void {
  const seen = new Set<string>();
  for (const addr of addrs) {
    if (seen.has(addr)) throw new PoolError(`${at}: server ${addr} is listed twice`);
    seen.add(addr);
  }
}

function warningsOf(pool: Record<string, unknown>, hasWeights: boolean): string[] {
  const [distribution, hash] = [pool["distribution"] ?? "ketama", pool["hash"] ?? "fnv1a_64"];
  const tag = pool["hash_tag"] === undefined ? "" : ` and hash_tag ${pool["hash_tag"]}`;
  const warnings = [
    `keys are not in the groups of their slots: twemproxy places keys by ${distribution} of ${hash}` +
    `${tag}, slots are CRC-32 modulo 1024; copy the data through the proxy, or start empty`,
  ];
  if (hasWeights) warnings.push("weights are ignored: assign slots to groups as you like");
  if (pool["redis_auth"] !== undefined) {
    warnings.push("redis_auth is not imported: set password, or backend_password, in config.ini");
  }
  const database = pool["redis_db"] ?? 0;
  if (database !== 0) warnings.push(`redis_db ${database} is not imported: clients must SELECT it`);
  return warnings;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
