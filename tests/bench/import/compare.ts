/**
 * Compares all keys of some servers with those of others, by what the servers say of them: DEBUG DIGEST-VALUE and
 * PEXPIRETIME, and XINFO of streams. It uses nothing of the program that is measured.
 *
 * @module
 */

import { RespClient } from "../../support/resp_client.ts";
import type { RespValue } from "../../support/resp_value.ts";

/** What a replica of a Redis 7.0 does not have as its master: when a consumer was seen, how many entries were read. */
const NOT_REPLICATED = new Set(
  "seen-time active-time idle lag entries-read radix-tree-keys radix-tree-nodes".split(" "),
);

/** What was found. */
export interface Compared {
  keys: number;
  streams: number;
  /** Keys that the others have, less those that these have: 0 when no key is there twice. */
  surplus: number;
  readonly different: string[];
}

const SCAN_COUNT = "1000";
const READ_MS = 120_000;
const NO_KEY = "0".repeat(40);

/**
 * See the header. Both sides must be at rest.
 *
 * @param sources Ports of the servers that are right.
 * @param targets Ports of those that are compared with them: each key must be at one of them.
 */
export async function compare(
  sources: readonly number[],
  targets: readonly number[],
): Promise<Compared> {
  const compared: Compared = { keys: 0, streams: 0, surplus: 0, different: [] };
  const open = (ports: readonly number[]) =>
    Promise.all(ports.map((port) => RespClient.connect(port, "127.0.0.1", READ_MS)));
  const [from, to] = [await open(sources), await open(targets)];
  for (const source of from) {
    for (const database of await databases(source)) {
      await select([source, ...to], database);
      for (let cursor = "0";;) {
        const [next, keys] = await source.call("SCAN", cursor, "COUNT", SCAN_COUNT) as [
          string,
          string[],
        ];
        if (keys.length > 0) await compareKeys(source, to, database, keys, compared);
        if (next === "0") break;
        cursor = next;
      }
    }
  }
  compared.surplus = await count(to) - await count(from);
  for (const client of [...from, ...to]) client.close();
  return compared;
}

async function select(clients: readonly RespClient[], database: number): Promise<void> {
  for (const client of clients) {
    if (database > 0 || await isPlain(client)) await client.call("SELECT", database);
  }
}

async function isPlain(client: RespClient): Promise<boolean> {
  return !String(await client.call("INFO", "cluster")).includes("cluster_enabled:1");
}

/** The databases that have keys. */
async function databases(client: RespClient): Promise<number[]> {
  const info = String(await client.call("INFO", "keyspace"));
  return [...info.matchAll(/^db(\d+):/gm)].map(([, number]) => Number(number));
}

/** How many keys there are; SCAN deletes those that have expired. */
async function count(clients: readonly RespClient[]): Promise<number> {
  let sum = 0;
  for (const client of clients) {
    for (const database of await databases(client)) {
      await select([client], database);
      for (let cursor = ""; cursor !== "0";) {
        const words = ["SCAN", cursor === "" ? "0" : cursor, "COUNT", SCAN_COUNT];
        [cursor] = await client.call(...words) as [string, string[]];
      }
    }
    const info = String(await client.call("INFO", "keyspace"));
    for (const [, keys] of info.matchAll(/^db\d+:keys=(\d+)/gm)) sum += Number(keys);
  }
  return sum;
}

/** What a key has beside its value: when it expires, and the dump if it is a stream. */
type Rest = readonly [time: string, dump: string];

async function restOf(client: RespClient, keys: readonly string[]): Promise<Map<string, Rest>> {
  const replies = await client.pipeline(
    keys.flatMap((key) => [["PEXPIRETIME", key], ...(isStream(key) ? [["DUMP", key]] : [])]),
  );
  let at = 0;
  return new Map(keys.map((key) => {
    const time = String(replies[at++]!.value);
    return [key, [time, isStream(key) ? LATIN1.decode(replies[at++]!.raw) : ""]];
  }));
}

const LATIN1 = new TextDecoder("latin1");
const isStream = (key: string) => /^(stream|group|big:stream)/.test(key);

async function compareKeys(
  source: RespClient,
  targets: readonly RespClient[],
  database: number,
  keys: readonly string[],
  compared: Compared,
): Promise<void> {
  const [right, ...others] = await Promise.all(
    [source, ...targets].map(async (one) =>
      await one.call("DEBUG", "DIGEST-VALUE", ...keys) as string[]
    ),
  );
  const found: string[][] = targets.map(() => []);
  for (const [i, key] of keys.entries()) {
    if (right![i] === NO_KEY) continue; // it has expired
    compared.keys++;
    const digests = others.map((other) => other[i]!);
    const holder = digests.indexOf(right![i]!);
    if (holder >= 0 && digests.filter((digest) => digest !== NO_KEY).length === 1) {
      found[holder]!.push(key);
    } else compared.different.push(`${database}:${key} ${right![i]} ${digests.join(" ")}`);
  }
  const [rights, ...rests] = await Promise.all([
    restOf(source, found.flat()),
    ...targets.map((target, i) => restOf(target, found[i]!)),
  ]);
  for (const [i, rest] of rests.entries()) {
    for (const [key, [time, dump]] of rest) {
      if (isStream(key)) compared.streams++;
      const [rightTime, rightDump] = rights!.get(key)!;
      if (time !== rightTime) compared.different.push(`${database}:${key} ${rightTime} ${time}`);
      if (dump === rightDump) continue;
      const [a, b] = await Promise.all([source, targets[i]!].map((one) => streamOf(one, key)));
      if (a !== b) compared.different.push(`${database}:${key}\n  ${a}\n  ${b}`);
    }
  }
}

/** What a stream has beside its entries: groups, consumers, what is pending. */
async function streamOf(client: RespClient, key: string): Promise<string> {
  const [info] = await client.pipeline([["XINFO", "STREAM", key, "FULL", "COUNT", "1"]]);
  return JSON.stringify(kept(info!.value));
}

function kept(value: RespValue): unknown {
  if (!Array.isArray(value)) return value;
  const isLeftOut = (i: number) => i >= 0 && NOT_REPLICATED.has(String(value[i]));
  return value.filter((_, i) => !isLeftOut(i) && !(i % 2 === 1 && isLeftOut(i - 1))).map(kept);
}

if (import.meta.main) {
  const [sources, targets] = Deno.args.map((text) => text.split(",").map(Number));
  const compared = await compare(sources!, targets!);
  console.log(JSON.stringify({ ...compared, different: compared.different.length }));
  for (const text of compared.different.slice(0, 10)) console.log(text);
}
