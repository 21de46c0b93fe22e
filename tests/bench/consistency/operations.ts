/**
 * What clients do to items: one row for each kind of item, and what Redis makes of it.
 *
 *      kind     keys         written with            value, as item.ts keeps it
 *      count    count:7      INCR                    the number
 *      text     text:7       APPEND, a token         the tokens, one after the other
 *      list     list:7       LPUSH, a token          the tokens, newest first
 *      set      set:7        SADD, a token           the tokens, sorted
 *      value    value:7      SET, SET … PX           the token
 *      tags     {tags:7}a…c  MSET of all, SET of one the three tokens
 *
 * No token is ever written twice, so a value that nobody wrote, or wrote long ago, is known as such.
 *
 * @module
 */

import type { Command, Item } from "./item.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";

/** A command as it is sent, and what it does to each of its items, in the order of its keys. */
export interface Operation {
  readonly words: readonly string[];
  readonly parts: readonly { readonly item: Item; readonly command: Command }[];
  readonly isRead: boolean;
  /** The reply, for each of the items. */
  readonly replies: (reply: RespValue) => readonly string[];
}

/** A way to choose; each choice comes from one generator, so that a seed repeats them all. */
export class Dice {
  readonly random: () => number;

  constructor(random: () => number) {
    this.random = random;
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  one<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  happens(share: number): boolean {
    return this.random() < share;
  }
}

/** A kind of item. */
interface Kind {
  readonly keys: (id: string) => readonly string[];
  readonly write: (item: Item, token: string, dice: Dice) => Operation;
  readonly read: (item: Item) => Operation;
}

/** Characters of a value from which on it is deleted before it grows further. */
const VALUE_CHARS_MAX = 1_500;
/** Shares of operations of an item's writer. */
const SHARE = { read: 0.2, delete: 0.06, expire: 0.06, expireSoon: 0.04, setWithLife: 0.25 };
/** Lives of keys that are to outlive the run, in seconds. */
const LONG_SECONDS = [1_000, 100_000] as const;
/** Lives of keys that are to die in it, in milliseconds. */
const SHORT_MS = [300, 4_000] as const;
const TAG_KEYS = ["a", "b", "c"] as const;

const single = (kind: string) => (id: string) => [`${kind}:${id}`];

/** The table; see the header. */
const KINDS: Readonly<Record<string, Kind>> = {
  count: {
    keys: single("count"),
    write: (item) =>
      operation(item, ["INCR", item.keys[0]!], (value) => {
        const count = `${Number(value ?? 0) + 1}`;
        return { value: count, reply: count };
      }),
    read: get,
  },
  text: {
    keys: single("text"),
    write: (item, token) =>
      operation(item, ["APPEND", item.keys[0]!, `${token},`], (value) => {
        const text = `${value ?? ""}${token},`;
        return { value: text, reply: `${text.length}` };
      }),
    read: get,
  },
  list: {
    keys: single("list"),
    write: (item, token) =>
      operation(item, ["LPUSH", item.keys[0]!, token], (value) => {
        const list = [token, ...wordsOf(value)];
        return { value: list.join(), reply: `${list.length}` };
      }),
    read: (item) => read(item, ["LRANGE", item.keys[0]!, "0", "-1"]),
  },
  set: {
    keys: single("set"),
    write: (item, token) =>
      operation(item, ["SADD", item.keys[0]!, token], (value) => {
        return { value: [...wordsOf(value), token].sort().join(), reply: "1" };
      }),
    read: (item) => ({
      ...read(item, ["SMEMBERS", item.keys[0]!]),
      replies: (reply) => [(reply as string[]).sort().join()],
    }),
  },
  value: {
    keys: single("value"),
    write: (item, token, dice) => {
      const words = ["SET", item.keys[0]!, token];
      if (!dice.happens(SHARE.setWithLife)) {
        return operation(item, words, () => ({ value: token, lifeMs: Infinity, reply: "OK" }));
      }
      const lifeMs = lifeOf(dice);
      return operation(item, [...words, "PX", `${lifeMs}`], () => {
        return { value: token, lifeMs, reply: "OK" };
      });
    },
    read: get,
  },
  tags: {
    keys: (id) => TAG_KEYS.map((key) => `{tags:${id}}${key}`),
    write: (item, token, dice) => {
      if (dice.happens(0.5)) return setAll([item], [token]);
      const at = dice.below(TAG_KEYS.length);
      return operation(item, ["SET", item.keys[at]!, token], (value) => {
        const values = tagValues(value);
        values[at] = token;
        return { value: values.join(), reply: "OK" };
      });
    },
    read: (item) => getAll([item]),
  },
};

/** The kinds there are. */
export const KIND_NAMES: readonly string[] = Object.keys(KINDS);

/** The keys of an item. */
export function keysOf(kind: string, id: string): readonly string[] {
  return KINDS[kind]!.keys(id);
}

/** The first thing that is done to an item. */
export function firstWrite(item: Item, token: string, dice: Dice): Operation {
  return item.kind === "tags"
    ? setAll([item], [token])
    : KINDS[item.kind]!.write(item, token, dice);
}

/** Anything that its writer may do to an item. */
export function anyOperation(item: Item, token: string, dice: Dice): Operation {
  // Who is in doubt asks, before there is more to doubt.
  if (item.isInDoubt) return readOf(item);
  if ((item.value?.length ?? 0) > VALUE_CHARS_MAX) return deletion(item);
  let chance = dice.random();
  if ((chance -= SHARE.read) < 0) return readOf(item);
  if ((chance -= SHARE.delete) < 0) return deletion(item);
  if (item.keys.length === 1) {
    if ((chance -= SHARE.expire) < 0) {
      const seconds = dice.between(...LONG_SECONDS);
      return expiry(item, ["EXPIRE", item.keys[0]!, `${seconds}`], seconds * 1000);
    }
    if ((chance -= SHARE.expireSoon) < 0) {
      const ms = dice.between(...SHORT_MS);
      return expiry(item, ["PEXPIRE", item.keys[0]!, `${ms}`], ms);
    }
  }
  return KINDS[item.kind]!.write(item, token, dice);
}

/** Reads all of an item. */
export function readOf(item: Item): Operation {
  return KINDS[item.kind]!.read(item);
}

/** One MSET of several items of tags; where they are in several slots, it is several to Redis. */
export function setAll(items: readonly Item[], tokens: readonly string[]): Operation {
  const valuesOf = (i: number) => TAG_KEYS.map((key) => `${tokens[i]}${key}`);
  return {
    words: [
      "MSET",
      ...items.flatMap(({ keys }, i) => keys.flatMap((key, k) => [key, valuesOf(i)[k]!])),
    ],
    parts: items.map((item, i) => ({
      item,
      command: () => ({ value: valuesOf(i).join(), lifeMs: Infinity, reply: "OK" }),
    })),
    isRead: false,
    replies: (reply) => items.map(() => replyText(reply)),
  };
}

/** One MGET of several items of tags, or of kinds that GET reads. */
export function getAll(items: readonly Item[]): Operation {
  return {
    words: ["MGET", ...items.flatMap(({ keys }) => keys)],
    parts: items.map((item) => ({
      item,
      command: (value) => ({
        value,
        reply: item.kind === "tags" ? tagValues(value).join() : value ?? "nil",
      }),
    })),
    isRead: true,
    replies: (reply) => {
      const values = [...reply as (string | null)[]];
      return items.map(({ kind, keys }) => {
        const own = values.splice(0, keys.length);
        return kind === "tags" ? own.map((value) => value ?? "").join() : own[0] ?? "nil";
      });
    },
  };
}

/** Whether GET, and so MGET, reads an item. */
export function isGettable({ kind }: Item): boolean {
  return KINDS[kind]!.read === get || kind === "tags";
}

function get(item: Item): Operation {
  return operation(
    item,
    ["GET", item.keys[0]!],
    (value) => ({ value, reply: value ?? "nil" }),
    true,
  );
}

function read(item: Item, words: readonly string[]): Operation {
  return {
    ...operation(item, words, (value) => ({ value, reply: value ?? "" }), true),
    replies: (reply) => [(reply as string[]).join()],
  };
}

function deletion(item: Item): Operation {
  return operation(item, ["DEL", ...item.keys], (value) => {
    if (value === null) return { value, reply: "0" };
    const count = item.kind === "tags" ? tagValues(value).filter((each) => each !== "").length : 1;
    return { value: null, reply: `${count}` };
  });
}

function expiry(item: Item, words: readonly string[], lifeMs: number): Operation {
  return operation(item, words, (value) => {
    return value === null ? { value, reply: "0" } : { value, lifeMs, reply: "1" };
  });
}

function operation(
  item: Item,
  words: readonly string[],
  command: Command,
  isRead = false,
): Operation {
  return {
    words,
    parts: [{ item, command }],
    isRead,
    replies: (reply) => [replyText(reply)],
  };
}

function replyText(reply: RespValue): string {
  return reply === null ? "nil" : reply instanceof ReplyError ? reply.message : String(reply);
}

function lifeOf(dice: Dice): number {
  return dice.happens(0.5) ? dice.between(...LONG_SECONDS) * 1000 : dice.between(...SHORT_MS);
}

function wordsOf(value: string | null): string[] {
  return value === null ? [] : value.split(",");
}

/** The three tokens of tags; empty where there is no key. */
function tagValues(value: string | null): string[] {
  return value === null ? TAG_KEYS.map(() => "") : value.split(",");
}
