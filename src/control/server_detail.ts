/**
 * What a Redis server tells of itself at length: settings, connections, commands, slow commands.
 *
 * @module
 */

import type { CommandFigures, ServerDetail, SlowCommand } from "../api/detail_view.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { readInfo, type RedisInfo } from "../redis/info.ts";
import { clientFields, namedFields } from "../resp/client_list.ts";
import { RedisError, type RedisValue, replyText } from "../redis/reply.ts";

/** Connections that are told at most. */
const CONNECTIONS_MAX = 200;
/** Entries of SLOWLOG that are asked for. */
const SLOW_MAX = 50;
/** Settings that are passwords. */
const PASSWORDS = /pass$|^masterauth$/;
/** Instead of a password that is set. */
const HIDDEN = "(set)";
const STATS = "cmdstat_";
const PERCENTILES = "latency_percentiles_usec_";

/**
 * Asks for all of it.
 *
 * @param at Unix milliseconds.
 * @throws As `RedisConnection.call`, but for commands that the server refuses.
 */
export async function readServerDetail(redis: RedisConnection, at: number): Promise<ServerDetail> {
  const problems: string[] = [];
  const ask = async <T>(name: string, empty: T, read: () => Promise<T>): Promise<T> => {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof RedisError)) throw error;
      problems.push(`${name}: ${error.message}`);
      return empty;
    }
  };
  const all = await ask("INFO", {}, () => readInfo(redis, "all"));
  const settings = await ask(
    "CONFIG GET",
    {},
    async () => settingsIn(await redis.call("CONFIG", "GET", "*")),
  );
  const list = await ask(
    "CLIENT LIST",
    "",
    async () => replyText(await redis.call("CLIENT", "LIST")),
  );
  const slow = await ask(
    "SLOWLOG GET",
    [],
    async () => slowIn(await redis.call("SLOWLOG", "GET", SLOW_MAX)),
  );
  const connections = connectionsIn(list);
  return {
    at,
    info: Object.fromEntries(
      Object.entries(all).filter(([name]) =>
        !name.startsWith(STATS) && !name.startsWith(PERCENTILES)
      ),
    ),
    settings,
    commands: commandsIn(all),
    connections: connections.slice(0, CONNECTIONS_MAX),
    connection_count: connections.length,
    slow,
    problems,
  };
}

/** Commands of INFO, the most called first. */
export function commandsIn(info: RedisInfo): CommandFigures[] {
  const commands = Object.entries(info).flatMap(([field, text]) => {
    if (!field.startsWith(STATS)) return [];
    const name = field.slice(STATS.length);
    const stats = namedFields(text, ",");
    const times = namedFields(info[`${PERCENTILES}${name}`] ?? "", ",");
    const number = (value: string | undefined) => value === undefined ? null : Number(value);
    return [{
      name: name.replace("|", " "),
      calls: Number(stats["calls"] ?? 0),
      usecs: Number(stats["usec"] ?? 0),
      failed: number(stats["failed_calls"]),
      p50_usecs: number(times["p50"]),
      p99_usecs: number(times["p99"]),
    }];
  });
  return commands.sort((a, b) => b.calls - a.calls);
}

/** Connections of CLIENT LIST, by how long they have been idle. */
export function connectionsIn(list: string): Record<string, string>[] {
  return list.split("\n").filter((line) => line.trim() !== "")
    .map(clientFields)
    .sort((a, b) => Number(a["idle"]) - Number(b["idle"]));
}

/** The settings by name, without passwords. */
export function settingsIn(reply: RedisValue): Record<string, string> {
  const words = Array.isArray(reply) ? reply.map(replyText) : [];
  const settings: [string, string][] = [];
  for (let i = 0; i + 1 < words.length; i += 2) {
    const [name, value] = [words[i]!, words[i + 1]!];
    settings.push([name, PASSWORDS.test(name) && value !== "" ? HIDDEN : value]);
  }
  return Object.fromEntries(settings.sort(([a], [b]) => a < b ? -1 : 1));
}

function slowIn(reply: RedisValue): SlowCommand[] {
  if (!Array.isArray(reply)) return [];
  return reply.filter(Array.isArray).map(([id, seconds, usecs, args, client]) => ({
    id: Number(id),
    at: Number(seconds) * 1000,
    usecs: Number(usecs),
    args: Array.isArray(args) ? args.map(replyText) : [],
    client: client === undefined ? "" : replyText(client),
  }));
}
