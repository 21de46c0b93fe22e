/**
 * A client that sends random pipelines, cut at random places, and holds every byte of the answers to
 * a model of Redis.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { cutAtRandom, latin1, textOf } from "./pieces.ts";
import { RedisModel } from "./redis_model.ts";

/** The largest value a client sends, in bytes. */
const VALUE_BYTES_MAX = 1_000_000;
/** Longest run of requests that are sent before their replies have been read. */
const PIPELINE_MAX = 60;

/** A way to choose; each choice comes from one generator, so a seed repeats them all. */
class Dice {
  constructor(readonly random: () => number) {}

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  one<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }
}

/** Requests of one client: its own keys, every kind of command. */
class Requests {
  readonly #dice: Dice;
  readonly #prefix: string;

  constructor(dice: Dice, prefix: string) {
    this.#dice = dice;
    this.#prefix = prefix;
  }

  next(): string[] {
    const dice = this.#dice;
    const kind = dice.one(KINDS);
    const words = kind(this);
    return dice.random() < 0.2 ? [words[0]!.toLowerCase(), ...words.slice(1)] : words;
  }

  /** A key of one kind, so that most commands find a value of their type. */
  key(kind: string): string {
    const { random } = this.#dice;
    const place = this.#dice.below(12);
    const own = kind !== "one" && random() < 0.03 ? this.#dice.one(["s", "l", "h", "e"]) : kind;
    return random() < 0.3 ? `{${this.#prefix}}${own}${place}` : `${this.#prefix}${own}${place}`;
  }

  keys(kind: string): string[] {
    const most = this.#dice.random() < 0.05 ? 300 : 8;
    return Array.from({ length: 1 + this.#dice.below(most) }, () => this.key(kind));
  }

  /** Mostly short, seldom up to a megabyte; no two clients send the same. */
  value(): string {
    const size = this.size();
    const word = `${this.#prefix}${this.#dice.below(1e9)}\r\n`;
    return word.repeat(Math.ceil(size / word.length)).slice(0, size);
  }

  size(): number {
    const chance = this.#dice.random();
    const most = chance < 0.85
      ? 100
      : chance < 0.97
      ? 4000
      : chance < 0.995
      ? 70_000
      : VALUE_BYTES_MAX;
    return this.#dice.below(most + 1);
  }

  number(most: number): string {
    return `${this.#dice.below(2 * most) - most}`;
  }

  word(): string {
    return `w${this.#dice.below(50)}`;
  }
}

type Kind = (requests: Requests) => string[];

/** What clients send; what stands here twice is sent twice as often. */
const KINDS: readonly Kind[] = [
  (r) => ["GET", r.key("s")],
  (r) => ["GET", r.key("s")],
  (r) => ["SET", r.key("s"), r.value()],
  (r) => ["SET", r.key("s"), r.value()],
  (r) => ["SETNX", r.key("s"), r.value()],
  (r) => ["GETSET", r.key("s"), r.value()],
  (r) => ["APPEND", r.key("s"), r.word()],
  (r) => ["STRLEN", r.key("s")],
  (r) => ["GETRANGE", r.key("s"), r.number(100), r.number(100)],
  (r) => ["INCR", r.key("n")],
  (r) => ["DECRBY", r.key("n"), r.number(1000)],
  (r) => ["MGET", ...r.keys("s")],
  (r) => ["MGET", ...r.keys("s")],
  (r) => ["MSET", ...r.keys("s").flatMap((key) => [key, r.value()])],
  (r) => ["DEL", ...r.keys("s")],
  (r) => ["UNLINK", ...r.keys("l")],
  (r) => ["EXISTS", ...r.keys("h")],
  (r) => ["TOUCH", ...r.keys("n")],
  (r) => ["TYPE", r.key("l")],
  (r) => ["RENAME", r.key("s"), r.key("s")],
  (r) => ["LPUSH", r.key("l"), r.word(), r.word()],
  (r) => ["RPUSH", r.key("l"), r.value()],
  (r) => ["LPOP", r.key("l")],
  (r) => ["RPOP", r.key("l")],
  (r) => ["LLEN", r.key("l")],
  (r) => ["LRANGE", r.key("l"), r.number(10), r.number(10)],
  (r) => ["HSET", r.key("h"), r.word(), r.value(), r.word(), r.word()],
  (r) => ["HGET", r.key("h"), r.word()],
  (r) => ["HDEL", r.key("h"), r.word()],
  (r) => ["HLEN", r.key("h")],
  (r) => ["HSET", r.key("one"), "field", r.word()],
  (r) => ["HGETALL", r.key("one")],
  (r) => ["SADD", r.key("e"), r.word(), r.word()],
  (r) => ["SREM", r.key("e"), r.word()],
  (r) => ["SCARD", r.key("e")],
  (r) => ["SISMEMBER", r.key("e"), r.word()],
  () => ["PING"],
  (r) => ["PING", r.value()],
  (r) => ["ECHO", r.value()],
  (r) => ["CLIENT", "SETNAME", r.word()],
  () => ["CLIENT", "GETNAME"],
  (r) => ["SELECT", `${Math.abs(Number(r.number(3)))}`],
  () => ["RESET"],
  (r) => ["NOSUCH", r.word(), r.word()],
  (r) => ["GET", r.key("s"), r.word()],
  () => ["MSET"],
  (r) => ["MSET", r.key("s"), r.word(), r.key("s")],
];

/** Encodes a request; one in a few as an inline command where that is possible. */
function encode(words: readonly string[], dice: Dice): string {
  if (dice.random() < 0.05 && words.every((word) => /^[!#-&(-~]+$/.test(word))) {
    return `${words.join(" ")}\r\n`;
  }
  const empty = dice.random() < 0.01 ? "*0\r\n" : "";
  return `${empty}*${words.length}\r\n${words.map((w) => `$${w.length}\r\n${w}\r\n`).join("")}`;
}

/** What a random client did. */
export interface ClientReport {
  readonly requests: number;
  readonly receivedBytes: number;
}

/**
 * Sends `count` random requests and checks every byte that is answered.
 *
 * @param id Different for every client of a run: its keys and values begin with it.
 * @param model What it is held to.
 * @throws {Error} At the first byte that differs, with the request it answers.
 */
export async function runRandomClient(
  port: number,
  id: number,
  count: number,
  random: () => number,
  model = new RedisModel(),
): Promise<ClientReport> {
  const dice = new Dice(random);
  const requests = new Requests(dice, `c${id}:`);
  using conn = await Deno.connect({ port, hostname: "127.0.0.1" });
  const reader = new CheckedReader(conn, dice.random() < 0.1);
  if (dice.random() < 0.5) {
    await conn.write(latin1("*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n"));
    await reader.skipHello();
    model.protocol = 3;
  }
  for (let sent = 0; sent < count;) {
    const length = Math.min(count - sent, 1 + dice.below(PIPELINE_MAX));
    const batch = Array.from({ length }, () => requests.next());
    sent += length;
    let bytes = "";
    for (const words of batch) {
      bytes += encode(words, dice);
      reader.expect(words, model.reply(words));
    }
    const sending = send(conn, latin1(bytes), dice);
    sending.catch(() => {}); // what the reader says of it says more
    await reader.readExpected();
    await sending;
  }
  return { requests: count, receivedBytes: reader.receivedBytes };
}

async function send(conn: Deno.Conn, bytes: Uint8Array<ArrayBuffer>, dice: Dice): Promise<void> {
  const pieces = dice.random() < 0.3 ? 1 : 1 + dice.below(12);
  for (const piece of cutAtRandom(bytes, pieces, dice.random)) {
    for (let at = 0; at < piece.length;) at += await conn.write(piece.subarray(at));
    if (dice.random() < 0.2) await delay(dice.below(3));
  }
}

/** Reads from a connection and compares with what is expected, byte by byte. */
class CheckedReader {
  receivedBytes = 0;
  readonly #conn: Deno.Conn;
  readonly #isSlow: boolean;
  readonly #chunk: Uint8Array<ArrayBuffer>;
  #expected: { words: readonly string[]; reply: string }[] = [];
  /** How much of the first expected reply has arrived. */
  #at = 0;

  constructor(conn: Deno.Conn, isSlow: boolean) {
    this.#conn = conn;
    this.#isSlow = isSlow;
    this.#chunk = new Uint8Array(isSlow ? 4096 : 64 * 1024);
  }

  expect(words: readonly string[], reply: string): void {
    this.#expected.push({ words, reply });
  }

  /** Reads until everything expected has arrived. */
  async readExpected(): Promise<void> {
    while (this.#expected.length > 0) {
      const length = await this.#conn.read(this.#chunk);
      if (length === null) throw new Error(`closed before ${this.#describe()}`);
      this.receivedBytes += length;
      this.#compare(length);
      if (this.#isSlow) await delay(1);
    }
  }

  #compare(length: number): void {
    let done = 0;
    for (let i = 0; i < length; i++) {
      const next = this.#expected[done];
      if (next === undefined) throw new Error(`${length - i} bytes nobody asked for`);
      if (this.#chunk[i] !== next.reply.charCodeAt(this.#at)) {
        this.#expected.splice(0, done);
        const got = textOf(this.#chunk.subarray(i, Math.min(length, i + 60)));
        throw new Error(`${this.#describe()}: got ${JSON.stringify(got)}`);
      }
      if (++this.#at === next.reply.length) {
        this.#at = 0;
        done++;
      }
    }
    this.#expected.splice(0, done);
  }

  #describe(): string {
    const { words, reply } = this.#expected[0]!;
    const shown = words.map((word) => word.slice(0, 40)).join(" ").slice(0, 200);
    const expected = JSON.stringify(reply.slice(this.#at, this.#at + 60));
    return `byte ${this.#at} of the reply to ${JSON.stringify(shown)}, expected ${expected}`;
  }

  /** Reads HELLO's answer, whose numbers nobody can foretell. */
  async skipHello(): Promise<void> {
    let text = "";
    while (!text.endsWith("$7\r\nmodules\r\n*0\r\n")) {
      const length = await this.#conn.read(this.#chunk);
      if (length === null) throw new Error("closed at HELLO");
      text += textOf(this.#chunk.subarray(0, length));
    }
  }
}
