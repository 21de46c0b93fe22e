/**
 * Compares keys of the sources with those of the target: the dumps, and where these differ, because servers
 * of several versions write the same value differently, the values.
 *
 *     keys of a source ─► DUMP, PTTL at both ─┬─► equal ─► next
 *                                             └─► values read by commands of their type ─► equal or not
 *
 * While the sources change, a key may differ because of its last change. So keys that differ are compared
 * again after all changes up to then are stored; only those that differ each time are told.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import type { RedisConnection, Word } from "../redis/connection.ts";
import { RedisError, type RedisValue, replyText } from "../redis/reply.ts";
import { databasesIn } from "../redis/info.ts";
import { quoted } from "../resp/encoder.ts";
import { latin1 } from "../resp/latin1.ts";
import type { ImportRun } from "./import_run.ts";
import { existing, keysOfTarget, scanned } from "./clear_keys.ts";
import type { KeyChoice } from "./key_choice.ts";
import { DUMP_END_BYTES } from "./rdb/value_shape.ts";
import type { SourceImport } from "./source_import.ts";
import type { SourceKey } from "./source/source_control.ts";

/** What was compared. */
export interface Comparison {
  compared: number;
  /** Keys that differ, as texts that say how; not all of them when they are many. */
  readonly different: string[];
  differentCount: number;
}

const SAMPLE_KEYS = 1_000;
const KEYS_AT_ONCE = 50;
/** So many times at the same time. */
const GROUPS_AT_ONCE = 4;
const SCAN_COUNT = 500;
const TRIES = 5;
const TRY_MS = 300;
const TOLD_MAX = 20;
/** Times to live are read one after the other. */
const TTL_TOLERANCE_MS = 3_000;

/** How a value is read, by what TYPE says of it; the reply is put in order when it has none. */
const READS: Readonly<Record<string, { readonly words: readonly Word[]; readonly pairs: number }>> =
  {
    string: { words: ["GET"], pairs: 0 },
    list: { words: ["LRANGE", 0, -1], pairs: 0 },
    set: { words: ["SMEMBERS"], pairs: 1 },
    zset: { words: ["ZRANGE", 0, -1, "WITHSCORES"], pairs: 2 },
    hash: { words: ["HGETALL"], pairs: 2 },
    stream: { words: ["XRANGE", "-", "+"], pairs: 0 },
  };

/** A key that differs, and how. */
interface Different extends SourceKey {
  readonly how: string;
}

/**
 * See the header.
 *
 * @param target A connection to a proxy, or to the server that keys are exported to.
 * @param isAll Whether all keys are compared, or some.
 * @param databases Those of the target whose keys must all come of the sources.
 */
export async function verify(
  run: ImportRun,
  target: RedisConnection,
  choice: KeyChoice,
  isAll: boolean,
  databases: readonly number[],
): Promise<Comparison> {
  const comparison: Comparison = { compared: 0, different: [], differentCount: 0 };
  for (const source of run.sources) {
    let left: Different[] = [];
    for (const { database } of databasesIn(await source.control.info())) {
      if (choice.database !== undefined && choice.database !== database) continue;
      const batches = isAll ? allKeys(source, database) : someKeys(source, database);
      for await (const names of batches) {
        const keys = names.filter((key) => choice.wants(database, key) && source.owns(key))
          .map((key) => ({ database, key }));
        comparison.compared += keys.length;
        left.push(...await differing(source, target, choice, keys));
      }
    }
    for (let attempt = 0; attempt < TRIES && left.length > 0; attempt++) {
      await delay(TRY_MS);
      await run.caughtUp(source);
      left = await differing(source, target, choice, left.filter(({ key }) => source.owns(key)));
    }
    tell(comparison, left);
  }
  tell(comparison, await surplus(run, target, choice, databases));
  return comparison;
}

function tell(comparison: Comparison, found: readonly Different[]): void {
  comparison.differentCount += found.length;
  for (const { database, key, how } of found.slice(0, TOLD_MAX - comparison.different.length)) {
    comparison.different.push(`"${quoted(key, 0, key.length)}" (database ${database}): ${how}`);
  }
}

/** The keys of the target that no source has. */
async function surplus(
  run: ImportRun,
  target: RedisConnection,
  choice: KeyChoice,
  databases: readonly number[],
): Promise<Different[]> {
  const found: Different[] = [];
  for (const database of databases) {
    let left: SourceKey[] = [];
    for await (const names of keysOfTarget(target, database)) {
      const keys = names.map((name) => choice.original(name)).filter((key) => key !== undefined)
        .filter((key) => choice.wants(database, key)).map((key) => ({ database, key }));
      left.push(...await atNoSource(run, target, choice, database, keys));
    }
    for (let attempt = 0; attempt < TRIES && left.length > 0; attempt++) {
      await delay(TRY_MS);
      for (const source of run.sources) await run.caughtUp(source);
      left = await atNoSource(run, target, choice, database, left);
    }
    found.push(...left.map((key) => ({ ...key, how: "at the target, and at no source" })));
  }
  return found;
}

/** Which keys of the target no source has, other than those that are about to expire there, too. */
async function atNoSource(
  run: ImportRun,
  target: RedisConnection,
  choice: KeyChoice,
  database: number,
  keys: readonly SourceKey[],
): Promise<SourceKey[]> {
  const there = await Promise.all(run.sources.map((source) => existing(source, keys)));
  const left = keys.filter(({ key }, i) => {
    const owners = run.sources.flatMap((source, s) => source.owns(key) ? [there[s]!] : []);
    return owners.length > 0 && !owners.some((one) => one[i]);
  });
  if (left.length === 0) return [];
  const ttls = await target.pipelineIn(
    database,
    left.map(({ key }) => ["PTTL", choice.renamed(key)]),
  );
  return left.filter((_, i) => ttls[i] === -1 || (ttls[i] as number) > TTL_TOLERANCE_MS);
}

async function differing(
  source: SourceImport,
  target: RedisConnection,
  choice: KeyChoice,
  keys: readonly SourceKey[],
): Promise<Different[]> {
  const different: Different[] = [];
  const groups: SourceKey[][] = [];
  for (const key of keys) {
    const last = groups.at(-1);
    const fits = last !== undefined && last.length < KEYS_AT_ONCE &&
      last[0]!.database === key.database;
    if (fits) last.push(key);
    else groups.push([key]);
  }
  for (let at = 0; at < groups.length; at += GROUPS_AT_ONCE) {
    const some = groups.slice(at, at + GROUPS_AT_ONCE);
    const hows = (await Promise.all(some.map((group) => compare(source, target, choice, group))))
      .flat();
    for (const [i, key] of some.flat().entries()) {
      const how = hows[i]!;
      if (how !== "") different.push({ ...key, how });
    }
  }
  return different;
}

/** How each key of one database differs; `""`: not at all. */
async function compare(
  source: SourceImport,
  target: RedisConnection,
  choice: KeyChoice,
  keys: readonly SourceKey[],
): Promise<string[]> {
  const { database } = keys[0]!;
  const names = keys.map(({ key }) => choice.renamed(key));
  const ask = (all: readonly Uint8Array[]) =>
    all.flatMap((key): Word[][] => [["DUMP", key], ["PTTL", key]]);
  const [ours, theirs] = await Promise.all([
    target.pipelineIn(database, ask(names)),
    source.control.pipeline(database, ask(keys.map(({ key }) => key))),
  ]);
  return await Promise.all(keys.map(({ key }, i) => {
    const [dumpA, ttlA] = [theirs[2 * i]!, theirs[2 * i + 1]!];
    const [dumpB, ttlB] = [ours[2 * i]!, ours[2 * i + 1]!];
    const failed = [dumpB, dumpA].find((reply) => reply instanceof RedisError);
    if (failed !== undefined) return (failed as RedisError).message;
    const isSame = isSameDump(dumpA as Uint8Array | null, dumpB as Uint8Array | null);
    if (isSame && isSameTtl(ttlA as number, ttlB as number)) return "";
    return compareValues(source, target, database, key, names[i]!);
  }));
}

async function compareValues(
  source: SourceImport,
  target: RedisConnection,
  database: number,
  key: Uint8Array,
  name: Uint8Array,
): Promise<string> {
  const about = (of: Uint8Array): Word[][] => [["TYPE", of], ["PTTL", of]];
  const [[typeB, ttlB], [typeA, ttlA]] = await Promise.all([
    target.pipelineIn(database, about(name)),
    source.control.pipeline(database, about(key)),
  ]);
  const [type, other] = [replyText(typeA!), replyText(typeB!)];
  if (type === "none" && other === "none") return "";
  if (type !== other) return `${type} at the source, ${other} at the target`;
  if (!isSameTtl(ttlA as number, ttlB as number)) {
    return `lives ${ttlA} ms at the source, ${ttlB} ms at the target`;
  }
  const read = READS[type];
  if (read === undefined) return `the dumps of a ${type} differ`;
  const [command, ...rest] = read.words;
  const questions = (of: Uint8Array): Word[][] =>
    type === "stream"
      ? [[command!, of, ...rest], ["XINFO", "GROUPS", of]]
      : [[command!, of, ...rest]];
  const [ours, theirs] = await Promise.all([
    target.pipelineIn(database, questions(name)),
    source.control.pipeline(database, questions(key)),
  ]);
  const isSame = ours.every((reply, i) =>
    canonical(reply, i === 0 ? read.pairs : 0) === canonical(theirs[i]!, i === 0 ? read.pairs : 0)
  );
  return isSame ? "" : `the values of the ${type} differ`;
}

/** A reply as text. Fields that differ without harm are left out. */
function canonical(reply: RedisValue, pairs: number): string {
  if (reply instanceof Uint8Array) return `$${latin1(reply)}`;
  if (!Array.isArray(reply)) return `${reply}`;
  if (pairs === 0) {
    const fields = reply.filter((_, i) =>
      !isOfOne(reply[i]) && !(i % 2 === 1 && isOfOne(reply[i - 1]))
    );
    return `[${fields.map((item) => canonical(item, 0)).join(",")}]`;
  }
  const items: string[] = [];
  for (let i = 0; i < reply.length; i += pairs) {
    items.push(reply.slice(i, i + pairs).map((item) => canonical(item, 0)).join("="));
  }
  return items.sort().join(",");
}

/**
 * Fields of XINFO GROUPS that are since Redis 7; and how many consumers there are, as servers do not replicate one
 * that has got nothing yet.
 */
function isOfOne(value: RedisValue | undefined): boolean {
  return value instanceof Uint8Array && /^(entries-read|lag|consumers)$/.test(latin1(value));
}

function isSameTtl(a: number, b: number): boolean {
  return a < 0 || b < 0 ? a === b : Math.abs(a - b) <= TTL_TOLERANCE_MS;
}

function isSameDump(a: Uint8Array | null, b: Uint8Array | null): boolean {
  if (a === null || b === null) return a === b;
  const end = a.length - DUMP_END_BYTES;
  return a.length === b.length && a.every((byte, i) => i >= end || byte === b[i]);
}

function allKeys({ control }: SourceImport, database: number): AsyncGenerator<Uint8Array[]> {
  return scanned((requests) => control.pipeline(database, requests), SCAN_COUNT);
}

async function* someKeys(source: SourceImport, database: number): AsyncGenerator<Uint8Array[]> {
  const requests = Array.from({ length: SAMPLE_KEYS }, () => ["RANDOMKEY"]);
  const replies = await source.control.pipeline(database, requests);
  const byName = new Map(
    replies.filter((reply) => reply instanceof Uint8Array).map((key) => [latin1(key), key]),
  );
  yield [...byName.values()];
}
