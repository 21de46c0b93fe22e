/**
 * A Redis in a few lines: what one connection with keys of its own must be answered, byte for byte.
 *
 * Text stands for bytes, one character each. The model knows the commands in its table, databases,
 * protocols, and the proxy's rule that keys of one command share a slot.
 *
 * @module
 */

import { CROSS_SLOT } from "../../src/router/errors.ts";
import { slotOf } from "./router_server.ts";

type Value = string | string[] | Map<string, string> | Set<string>;
type Database = Map<string, Value>;
type Handler = (model: RedisModel, args: string[]) => string;

const OK = "+OK\r\n";
const WRONG_TYPE = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const NOT_AN_INTEGER = "-ERR value is not an integer or out of range\r\n";
const CROSS_SLOT_REPLY = `-${CROSS_SLOT}\r\n`;

const int = (value: number) => `:${value}\r\n`;
const bulk = (value: string) => `$${value.length}\r\n${value}\r\n`;
const array = (items: readonly string[]) => `*${items.length}\r\n${items.join("")}`;

/** What one connection sees of Redis. */
export class RedisModel {
  protocol: 2 | 3 = 2;
  database = 0;
  name = "";
  /** Whether keys of one command must share a slot. */
  readonly hasSlots: boolean;
  readonly #databases = Array.from({ length: 16 }, (): Database => new Map());

  constructor(hasSlots = true) {
    this.hasSlots = hasSlots;
  }

  /** The reply to a request. */
  reply(words: readonly string[]): string {
    const [name, ...args] = words;
    const command = COMMANDS[name!.toLowerCase()];
    if (command === undefined) return unknownCommand(words);
    const [arity, run] = command;
    if (arity >= 0 ? words.length !== arity : words.length < -arity) return wrongArity(name!);
    try {
      return run(this, args);
    } catch (error) {
      if (error instanceof WrongType) return WRONG_TYPE;
      throw error;
    }
  }

  get keys(): Database {
    return this.#databases[this.database]!;
  }

  null(): string {
    return this.protocol === 3 ? "_\r\n" : "$-1\r\n";
  }

  bulkOrNull(value: string | undefined): string {
    return value === undefined ? this.null() : bulk(value);
  }

  map(entries: readonly (readonly [string, string])[]): string {
    const items = entries.flat().map(bulk).join("");
    return this.protocol === 3
      ? `%${entries.length}\r\n${items}`
      : `*${2 * entries.length}\r\n${items}`;
  }

  string(key: string): string | undefined {
    const value = this.keys.get(key);
    if (value !== undefined && typeof value !== "string") throw new WrongType();
    return value;
  }

  list(key: string): string[] | undefined {
    const value = this.keys.get(key);
    if (value !== undefined && !Array.isArray(value)) throw new WrongType();
    return value;
  }

  hash(key: string): Map<string, string> | undefined {
    const value = this.keys.get(key);
    if (value !== undefined && !(value instanceof Map)) throw new WrongType();
    return value;
  }

  set(key: string): Set<string> | undefined {
    const value = this.keys.get(key);
    if (value !== undefined && !(value instanceof Set)) throw new WrongType();
    return value;
  }

  /** Redis keeps no empty collections. */
  tidy(key: string): void {
    const value = this.keys.get(key);
    const size = value instanceof Map || value instanceof Set ? value.size : value?.length;
    if (size === 0 && typeof value !== "string") this.keys.delete(key);
  }
}

class WrongType extends Error {}

function unknownCommand([name, ...args]: readonly string[]): string {
  let beginning = "";
  for (const arg of args) {
    if (beginning.length >= 128) break;
    beginning += `'${arg.slice(0, 128 - beginning.length)}' `;
  }
  return `-ERR unknown command '${
    name!.slice(0, 128)
  }', with args beginning with: ${beginning}\r\n`;
}

function wrongArity(name: string): string {
  return `-ERR wrong number of arguments for '${name.toLowerCase()}' command\r\n`;
}

function count(keys: readonly string[], isCounted: (key: string) => boolean): string {
  return int(keys.filter(isCounted).length);
}

function pairsOf(args: readonly string[]): (readonly [string, string])[] {
  return Array.from(
    { length: args.length / 2 },
    (_, i) => [args[2 * i]!, args[2 * i + 1]!] as const,
  );
}

/** The part of something that Redis's start and end mean. */
function range(length: number, start: number, end: number): [number, number] {
  const from = start < 0 ? Math.max(0, length + start) : start;
  const to = end < 0 ? length + end : Math.min(end, length - 1);
  return from > to ? [0, 0] : [from, to + 1];
}

function push(model: RedisModel, [key, ...items]: string[], isLeft: boolean): string {
  const list = model.list(key!) ?? [];
  if (isLeft) list.unshift(...items.reverse());
  else list.push(...items);
  model.keys.set(key!, list);
  return int(list.length);
}

function pop(model: RedisModel, key: string, isLeft: boolean): string {
  const list = model.list(key);
  const item = isLeft ? list?.shift() : list?.pop();
  model.tidy(key);
  return model.bulkOrNull(item);
}

function increment(model: RedisModel, key: string, by: number): string {
  const text = model.string(key) ?? "0";
  if (!/^-?\d{1,15}$/.test(text)) return NOT_AN_INTEGER;
  const value = Number(text) + by;
  model.keys.set(key, `${value}`);
  return int(value);
}

/** Every command: arity as Redis's table has it, and what it does. */
const COMMANDS: Readonly<Record<string, readonly [arity: number, run: Handler]>> = {
  ping: [-1, (_model, [text]) => text === undefined ? "+PONG\r\n" : bulk(text)],
  echo: [2, (_model, [text]) => bulk(text!)],
  select: [2, (model, [index]) => {
    model.database = Number(index);
    return OK;
  }],
  reset: [1, (model) => {
    model.database = 0;
    model.protocol = 2;
    model.name = "";
    return "+RESET\r\n";
  }],
  "client": [-2, (model, [verb, name]) => {
    if (verb === "GETNAME") return model.bulkOrNull(model.name === "" ? undefined : model.name);
    model.name = name!;
    return OK;
  }],

  get: [2, (model, [key]) => model.bulkOrNull(model.string(key!))],
  set: [-3, (model, [key, value]) => {
    model.keys.set(key!, value!);
    return OK;
  }],
  setnx: [3, (model, [key, value]) => {
    if (model.keys.has(key!)) return int(0);
    model.keys.set(key!, value!);
    return int(1);
  }],
  getset: [3, (model, [key, value]) => {
    const old = model.string(key!);
    model.keys.set(key!, value!);
    return model.bulkOrNull(old);
  }],
  append: [3, (model, [key, value]) => {
    const text = (model.string(key!) ?? "") + value!;
    model.keys.set(key!, text);
    return int(text.length);
  }],
  strlen: [2, (model, [key]) => int(model.string(key!)?.length ?? 0)],
  getrange: [4, (model, [key, start, end]) => {
    const text = model.string(key!) ?? "";
    const [from, to] = [Number(start), Number(end)];
    if (from < 0 && to < 0 && from > to) return bulk("");
    // Unlike a list's, a string's end before its first place is the first place.
    return bulk(text.slice(...range(text.length, from, Math.max(to, -text.length))));
  }],
  incr: [2, (model, [key]) => increment(model, key!, 1)],
  decrby: [3, (model, [key, by]) => increment(model, key!, -Number(by))],

  mget: [-2, (model, keys) =>
    array(keys.map((key) => {
      const value = model.keys.get(key);
      return model.bulkOrNull(typeof value === "string" ? value : undefined);
    }))],
  mset: [-3, (model, args) => {
    if (args.length % 2 !== 0) return wrongArity("mset");
    for (const [key, value] of pairsOf(args)) model.keys.set(key, value);
    return OK;
  }],
  del: [-2, (model, keys) => count(keys, (key) => model.keys.delete(key))],
  unlink: [-2, (model, keys) => count(keys, (key) => model.keys.delete(key))],
  exists: [-2, (model, keys) => count(keys, (key) => model.keys.has(key))],
  touch: [-2, (model, keys) => count(keys, (key) => model.keys.has(key))],

  type: [2, (model, [key]) => {
    const value = model.keys.get(key!);
    if (value === undefined) return "+none\r\n";
    if (typeof value === "string") return "+string\r\n";
    return Array.isArray(value) ? "+list\r\n" : value instanceof Map ? "+hash\r\n" : "+set\r\n";
  }],
  rename: [3, (model, [from, to]) => {
    if (model.hasSlots && slotOf(from!) !== slotOf(to!)) return CROSS_SLOT_REPLY;
    const value = model.keys.get(from!);
    if (value === undefined) return "-ERR no such key\r\n";
    model.keys.delete(from!);
    model.keys.set(to!, value);
    return OK;
  }],

  lpush: [-3, (model, args) => push(model, args, true)],
  rpush: [-3, (model, args) => push(model, args, false)],
  lpop: [2, (model, [key]) => pop(model, key!, true)],
  rpop: [2, (model, [key]) => pop(model, key!, false)],
  llen: [2, (model, [key]) => int(model.list(key!)?.length ?? 0)],
  lrange: [4, (model, [key, start, end]) => {
    const list = model.list(key!) ?? [];
    return array(list.slice(...range(list.length, Number(start), Number(end))).map(bulk));
  }],

  hset: [-4, (model, [key, ...args]) => {
    if (args.length % 2 !== 0) return wrongArity("hset");
    const hash = model.hash(key!) ?? new Map<string, string>();
    const before = hash.size;
    for (const [field, value] of pairsOf(args)) hash.set(field, value);
    model.keys.set(key!, hash);
    return int(hash.size - before);
  }],
  hget: [3, (model, [key, field]) => model.bulkOrNull(model.hash(key!)?.get(field!))],
  hdel: [-3, (model, [key, ...fields]) => {
    const hash = model.hash(key!);
    const reply = count(fields, (field) => hash?.delete(field) ?? false);
    model.tidy(key!);
    return reply;
  }],
  hlen: [2, (model, [key]) => int(model.hash(key!)?.size ?? 0)],
  // Of one field only: the order of more is the server's.
  hgetall: [2, (model, [key]) => model.map([...model.hash(key!) ?? []])],

  sadd: [-3, (model, [key, ...members]) => {
    const set = model.set(key!) ?? new Set<string>();
    const before = set.size;
    for (const member of members) set.add(member);
    model.keys.set(key!, set);
    return int(set.size - before);
  }],
  srem: [-3, (model, [key, ...members]) => {
    const set = model.set(key!);
    const reply = count(members, (member) => set?.delete(member) ?? false);
    model.tidy(key!);
    return reply;
  }],
  scard: [2, (model, [key]) => int(model.set(key!)?.size ?? 0)],
  sismember: [3, (model, [key, member]) => int(model.set(key!)?.has(member!) ? 1 : 0)],
};
