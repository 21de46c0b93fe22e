/**
 * Looks for keys that other slot rules would place in another slot.
 *
 * Each master is scanned once for each pattern that is added or removed: the server compares names, and
 * sends only those that match. A key that is there all the time is found.
 *
 * @module
 */

import { Placement, type SlotRule } from "../hash/placement.ts";
import { isSameRule } from "../model/slot_rule.ts";
import { databasesIn, readInfo } from "../redis/info.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { replyText } from "../redis/reply.ts";
import { quoted } from "../resp/encoder.ts";
import { StoreError } from "../store/store.ts";
import type { Control } from "./control.ts";

/** Keys that one SCAN looks at, which takes a server about 1 ms. */
const SCAN_COUNT = 5_000;
/** Keys after which no more are counted. */
const COUNTED_MAX = 10_000;

/** Keys that would change their slot. */
export interface MisplacedKeys {
  readonly count: number;
  /** `"at least "` when not all were counted. */
  readonly atLeast: string;
  /** One of them, in quotes; where it is, and where it would be looked for. */
  readonly example: string;
  readonly addr: string;
  readonly oldSlot: number;
  readonly newSlot: number;
}

const NONE: MisplacedKeys = {
  count: 0,
  atLeast: "",
  example: "",
  addr: "",
  oldSlot: -1,
  newSlot: -1,
};

/**
 * Looks at all masters at once.
 *
 * @param withinMs Longest time that it may take, in milliseconds.
 * @throws {StoreError} When it takes longer.
 * @throws {RedisUnreachableError | RedisError}
 */
export async function findMisplaced(
  control: Pick<Control, "redis">,
  masters: readonly string[],
  rules: readonly SlotRule[],
  next: readonly SlotRule[],
  withinMs: number,
): Promise<MisplacedKeys> {
  const changed = [
    ...rules.filter((rule) => !next.some((other) => isSameRule(rule, other))),
    ...next.filter((rule) => !rules.some((other) => isSameRule(rule, other))),
  ];
  const deadlineMs = performance.now() + withinMs;
  const [before, after] = [new Placement(rules), new Placement(next)];
  const globs = withoutCovered(changed.map(globOf));
  const found = await Promise.all(masters.map(async (addr) => {
    using redis = await control.redis(addr);
    return await search(redis, addr, globs, before, after, deadlineMs);
  }));
  const some = found.filter(({ count }) => count > 0);
  if (some.length === 0) return NONE;
  const count = some.reduce((sum, each) => sum + each.count, 0);
  const atLeast = some.some((each) => each.atLeast !== "") ? "at least " : "";
  return { ...some[0]!, count, atLeast };
}

async function search(
  redis: RedisConnection,
  addr: string,
  globs: readonly string[],
  before: Placement,
  after: Placement,
  deadlineMs: number,
): Promise<MisplacedKeys> {
  let found = NONE;
  for (const { database } of databasesIn(await readInfo(redis, "keyspace"))) {
    await redis.call("SELECT", database);
    for (const glob of globs) {
      let cursor = "0";
      do {
        const [next, keys] = await redis.call(
          ...["SCAN", cursor, "MATCH", glob, "COUNT", SCAN_COUNT] as const,
        ) as [Uint8Array, Uint8Array[]];
        for (const key of keys) found = judge(found, key, addr, before, after);
        if (found.count >= COUNTED_MAX) return { ...found, atLeast: "at least " };
        cursor = replyText(next);
        if (performance.now() > deadlineMs) throw tooManyKeys(addr);
      } while (cursor !== "0");
    }
  }
  return found;
}

function judge(
  found: MisplacedKeys,
  key: Uint8Array,
  addr: string,
  before: Placement,
  after: Placement,
): MisplacedKeys {
  const oldSlot = before.slotIdOf(key, 0, key.length);
  const newSlot = after.slotIdOf(key, 0, key.length);
  if (oldSlot === newSlot) return found;
  if (found.count > 0) return { ...found, count: found.count + 1 };
  const example = `"${quoted(key, 0, key.length)}"`;
  return { count: 1, atLeast: "", example, addr, oldSlot, newSlot };
}

function tooManyKeys(addr: string): StoreError {
  return new StoreError(
    `${addr} has so many keys that they cannot be looked through in time: nothing was changed; try again ` +
      "when there is less load, or use a {tag} in the names of the keys",
  );
}

/** The pattern of SCAN for the keys that a rule may match. */
function globOf({ pattern, tag }: SlotRule): string {
  const escaped = pattern.replace(/[\\?[\]]/g, "\\$&");
  return tag === "" && !pattern.endsWith("*") ? `${escaped}*` : escaped;
}

/** Leaves out what another pattern of the list finds as well. */
function withoutCovered(globs: readonly string[]): string[] {
  const open = globs.filter((glob) => /^[^*]+\*$/.test(glob)).map((glob) => glob.slice(0, -1));
  return [...new Set(globs)].filter((glob) =>
    !open.some((prefix) => glob !== `${prefix}*` && glob.startsWith(prefix))
  );
}
