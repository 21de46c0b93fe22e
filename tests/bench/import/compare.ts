/**
 * Compares all keys of some servers with those of others, by what the servers say of them: DEBUG DIGEST-VALUE and
 * PEXPIRETIME, and XINFO of streams. It uses nothing of the program that is measured.
 *
 * @module
 */

import { encodeRequests, RespClient } from "../../support/resp_client.ts";
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
/** `+`, a digest, CR LF. */
const DIGEST_BYTES = 43;
/** Names of keys that may expire; that others do not is said by their digests. */
const LIVES = /^(lives|livehash|\{)/;

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

/** Sends DEBUG DIGEST-VALUE of `count` keys, and reads the digests; nothing else is under way. */
async function digestsOf(
  { conn }: RespClient,
  request: Uint8Array,
  count: number,
): Promise<string[]> {
  const head = `*${count}\r\n`.length;
  const bytes = new Uint8Array(head + count * DIGEST_BYTES);
  for (let at = 0; at < request.length;) at += await conn.write(request.subarray(at));
  for (let at = 0; at < bytes.length;) at += await conn.read(bytes.subarray(at)) ?? Infinity;
  const text = LATIN1.decode(bytes);
  return Array.from({ length: count }, (_, i) => {
    const at = head + i * DIGEST_BYTES;
    return text.slice(at + 1, at + 1 + NO_KEY.length);
  });
}

/** When keys expire, as the reply says it; of streams, their dumps. */
async function restOf(
  client: RespClient,
  keys: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const replies = await client.pipeline(
    keys.map((key) => [isStream(key) ? "DUMP" : "PEXPIRETIME", key]),
  );
  return new Map(keys.map((key, i) => [key, LATIN1.decode(replies[i]!.raw)]));
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
  const request = encodeRequests([["DEBUG", "DIGEST-VALUE", ...keys]]);
  const [right, ...others] = await Promise.all(
    [source, ...targets].map((one) => digestsOf(one, request, keys.length)),
  );
  const found: string[][] = targets.map(() => []);
  for (const [i, key] of keys.entries()) {
    if (right![i] === NO_KEY) continue; // it has expired
    compared.keys++;
    const digests = others.map((other) => other[i]!);
    const holder = digests.indexOf(right![i]!);
    if (holder >= 0 && digests.filter((digest) => digest !== NO_KEY).length === 1) {
      if (isStream(key) || LIVES.test(key)) found[holder]!.push(key);
    } else compared.different.push(`${database}:${key} ${right![i]} ${digests.join(" ")}`);
  }
  const [rights, ...rests] = await Promise.all([
    restOf(source, found.flat()),
    ...targets.map((target, i) => restOf(target, found[i]!)),
  ]);
  for (const [i, rest] of rests.entries()) {
    for (const [key, text] of rest) {
      if (isStream(key)) compared.streams++;
      let [a, b] = [rights!.get(key)!, text];
      if (a === b) continue;
      if (isStream(key)) {
        [a, b] = [await streamOf(source, key), await streamOf(targets[i]!, key)];
      }
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
