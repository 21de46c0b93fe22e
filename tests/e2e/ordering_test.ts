/**
 * Many clients with random pipelines, against a model of Redis: every reply equal and in order.
 *
 * Run at full size by hand: `CONNECTIONS=1000 deno task test tests/e2e/ordering_test.ts`.
 *
 * @module
 */

import { assert } from "@std/assert";
import { within } from "../support/deadline.ts";
import { chance as chanceOf, FUZZ_SEED } from "../support/fuzz.ts";
import { ProxyProcess } from "../support/proxy_process.ts";
import { RedisServer } from "../support/redis_server.ts";
import { encodeRequests, type Word } from "../support/resp_client.ts";

const CONNECTIONS = Number(Deno.env.get("CONNECTIONS") ?? 60);
/** Requests of one connection. */
const REQUESTS_MAX = 60;
const VALUE_BYTES_MAX = 1024 * 1024;
/** Longest time for one run, in milliseconds. */
const RUN_MS = 60_000 + CONNECTIONS * 300;

const encoder = new TextEncoder();

/** Chance that a seed decides, in the forms that a client needs. */
class Chance {
  /** 0 inclusive to 1 exclusive. */
  readonly next: () => number;

  constructor(seed: number) {
    this.next = chanceOf(seed);
  }

  /** A whole number from 0 to `bound` - 1. */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** Mostly small sizes, now and then a large one. */
  size(): number {
    const kind = this.next();
    if (kind < 0.7) return this.below(100);
    if (kind < 0.95) return this.below(8 * 1024);
    return this.below(VALUE_BYTES_MAX);
  }
}

/** What Redis holds of one client's keys, and what it would answer. */
class Model {
  readonly #strings = new Map<string, Uint8Array>();
  readonly #lists = new Map<string, string[]>();
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** A random request and its exact reply. */
  step(chance: Chance): { words: Word[]; reply: Uint8Array } {
    const key = `${this.#prefix}:${chance.below(12)}`;
    const other = `${this.#prefix}:${chance.below(12)}`;
    const keys = Array.from(
      { length: 1 + chance.below(8) },
      () => `${this.#prefix}:${chance.below(12)}`,
    );
    const list = `${this.#prefix}:list${chance.below(3)}`;
    switch (chance.below(13)) {
      case 0:
      case 1: {
        const value = bytesOf(chance, chance.size());
        this.#strings.set(key, value);
        return { words: ["SET", key, value], reply: line("+OK") };
      }
      case 2:
      case 3:
        return { words: ["GET", key], reply: bulk(this.#strings.get(key)) };
      case 4: {
        const added = bytesOf(chance, chance.below(200));
        const value = concat([this.#strings.get(key) ?? new Uint8Array(0), added]);
        this.#strings.set(key, value);
        return { words: ["APPEND", key, added], reply: line(`:${value.length}`) };
      }
      case 5:
        return { words: ["strlen", key], reply: line(`:${this.#strings.get(key)?.length ?? 0}`) };
      case 6: {
        const values = keys.map(() => bytesOf(chance, chance.below(300)));
        keys.forEach((name, i) => this.#strings.set(name, values[i]!));
        return {
          words: ["MSET", ...keys.flatMap((name, i) => [name, values[i]!])],
          reply: line("+OK"),
        };
      }
      case 7:
        return {
          words: ["MGET", ...keys],
          reply: concat([
            line(`*${keys.length}`),
            ...keys.map((name) => bulk(this.#strings.get(name))),
          ]),
        };
      case 8: {
        const gone = keys.filter((name) => this.#strings.delete(name)).length;
        return { words: [chance.pick(["DEL", "UNLINK"]), ...keys], reply: line(`:${gone}`) };
      }
      case 9: {
        const there = keys.filter((name) => this.#strings.has(name)).length;
        return { words: [chance.pick(["EXISTS", "TOUCH"]), ...keys], reply: line(`:${there}`) };
      }
      case 10: {
        const items = this.#lists.get(list) ?? [];
        items.push(`item${items.length}`);
        this.#lists.set(list, items);
        return { words: ["RPUSH", list, items.at(-1)!], reply: line(`:${items.length}`) };
      }
      case 11: {
        const items = this.#lists.get(list) ?? [];
        return {
          words: ["LRANGE", list, 0, -1],
          reply: concat([
            line(`*${items.length}`),
            ...items.map((item) => bulk(encoder.encode(item))),
          ]),
        };
      }
      default:
        return chance.next() < 0.5
          ? { words: ["ECHO", other], reply: bulk(encoder.encode(other)) }
          : {
            words: ["NOSUCH", key],
            reply: line(`-ERR unknown command 'NOSUCH', with args beginning with: '${key}' `),
          };
    }
  }
}

function bytesOf(chance: Chance, size: number): Uint8Array {
  return new Uint8Array(size).fill(33 + chance.below(90));
}

function line(text: string): Uint8Array {
  return encoder.encode(`${text}\r\n`);
}

function bulk(value: Uint8Array | undefined): Uint8Array {
  return value === undefined
    ? line("$-1")
    : concat([line(`$${value.length}`), value, encoder.encode("\r\n")]);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** One client: sends its pipeline in random pieces and compares every byte that comes back. */
async function runClient(port: number, index: number, seed: number): Promise<number> {
  const chance = new Chance(seed ^ Math.imul(index, 0x9e3779b1));
  const model = new Model(`c${index}`);
  const count = 1 + chance.below(REQUESTS_MAX);
  const steps = Array.from({ length: count }, () => model.step(chance));
  const request = encodeRequests(steps.map(({ words }) => words));
  const expected = concat(steps.map(({ reply }) => reply));
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    const sending = sendInPieces(conn, request, chance);
    let at = 0;
    const buffer = new Uint8Array(64 * 1024);
    while (at < expected.length) {
      const read = await conn.read(buffer);
      assert(read !== null, `client ${index}: closed after ${at} of ${expected.length} bytes`);
      for (let i = 0; i < read; i++, at++) {
        if (buffer[i] === expected[at]) continue;
        const got = new TextDecoder().decode(buffer.subarray(i, Math.min(read, i + 60)));
        const due = new TextDecoder().decode(expected.subarray(at, at + 60));
        throw new Error(`client ${index}, byte ${at}: got "${got}" where "${due}" is due`);
      }
    }
    await sending;
    return count;
  } finally {
    conn.close();
  }
}

/** Cuts the bytes at random places: single bytes, halves of words, whole pipelines. */
async function sendInPieces(conn: Deno.TcpConn, bytes: Uint8Array, chance: Chance): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const size = chance.next() < 0.3 ? 1 + chance.below(20) : 1 + chance.below(256 * 1024);
    const end = Math.min(bytes.length, at + size);
    while (at < end) at += await conn.write(bytes.subarray(at, end));
    if (chance.next() < 0.1) await new Promise((resolve) => setTimeout(resolve, chance.below(3)));
  }
}

for (const readMode of ["byob", "direct"]) {
  Deno.test(`read_mode = ${readMode}: ${CONNECTIONS} clients with random pipelines get every reply, equal and in order`, async () => {
    console.log(`FUZZ_SEED=${FUZZ_SEED}`);
    await using servers = await RedisServer.startMany(2);
    await using proxy = await ProxyProcess.start({ servers, config: { read_mode: readMode } });
    const clients = Array.from(
      { length: CONNECTIONS },
      (_, i) => runClient(proxy.port, i, FUZZ_SEED),
    );
    const counts = await within(
      Promise.all(clients),
      RUN_MS,
      `the run with FUZZ_SEED=${FUZZ_SEED}`,
    );
    const { rssBytes } = await proxy.figures();
    const total = counts.reduce((sum, count) => sum + count, 0);
    console.log(`${total} requests, proxy at ${Math.round(rssBytes / 1048576)} MB`);
  });
}
