/**
 * What the double of codis-server 3.2 does besides: keys move in chunks, while it goes on.
 *
 *      SLOTSMGRTONE-ASYNC ─► delete ─► chunk, ack ─► chunk, ack … ─► expire ─► deleted here, reply
 *
 * One move at a time and database; whoever comes second is refused. A server that gives a key of a database
 * takes none of it. The reply is late, and commands of the same connection overtake it.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { RespClient, type Word } from "./resp_client.ts";
import type { RespValue } from "./resp_value.ts";

/** Errors of a move that ended early begin so. */
const INTERRUPTED = "-ERR interrupted:";

/** A move under way. */
interface ChunkMove {
  readonly keys: readonly string[];
  readonly done: Promise<string>;
  isCancelled: boolean;
}

/** How the elements of each type are read, and what the target is told to do with them. */
const TYPES: Readonly<Record<string, { read: (key: Uint8Array) => Word[]; kind: string }>> = {
  list: { read: (key) => ["LRANGE", key, 0, -1], kind: "list" },
  hash: { read: (key) => ["HGETALL", key], kind: "hash" },
  set: { read: (key) => ["SMEMBERS", key], kind: "dict" },
  zset: { read: (key) => ["ZRANGE", key, 0, -1, "WITHSCORES"], kind: "zset" },
};
/** How elements are added at the target. */
const ADD: Readonly<Record<string, string>> = {
  list: "RPUSH",
  hash: "HSET",
  dict: "SADD",
  zset: "ZADD",
};

/** What moves need of their server. */
export interface ChunkHost {
  /** Does something between two commands of others. */
  inTurn<T>(body: () => Promise<T>): Promise<T>;
  /** Pause before each chunk, in milliseconds. */
  readonly chunkMs: number;
}

/** The moves in chunks of one double, by database. */
export class ChunkMoves {
  readonly #host: ChunkHost;
  readonly #moves = new Map<number, ChunkMove>();

  constructor(host: ChunkHost) {
    this.#host = host;
  }

  /** Whether a key of a database is on its way; any, where none is named. */
  isMoving(database: number, key?: string): boolean {
    const move = this.#moves.get(database);
    return move !== undefined && (key === undefined || move.keys.includes(key));
  }

  /** Begins a move; the reply, later. */
  begin(redis: RespClient, database: number, args: readonly Uint8Array[]): Promise<string> {
    if (this.isMoving(database)) {
      return Promise.resolve("-ERR the specified DB is being migrated\r\n");
    }
    const [host, port, timeout, maxbulks, _maxbytes, ...keys] = args;
    const where = `${text(host!)}:${text(port!)}`;
    const bulks = Number(text(maxbulks!)) || 200;
    const chunked = { where, database, bulks, timeoutMs: Number(text(timeout!)) || 30_000 };
    const move: ChunkMove = {
      keys: keys.map(text),
      // It begins when it is known to be under way.
      done: Promise.resolve().then(() => this.#run(redis, chunked, keys, () => move.isCancelled))
        .finally(() => this.#moves.delete(database)),
      isCancelled: false,
    };
    this.#moves.set(database, move);
    return move.done;
  }

  /** Ends a move; whether there was one. */
  cancel(database: number): boolean {
    const move = this.#moves.get(database);
    if (move !== undefined) move.isCancelled = true;
    return move !== undefined;
  }

  /** The reply to who waits for the end of a move. */
  fence(database: number): Promise<string> {
    return this.#moves.get(database)?.done ?? Promise.resolve("+OK\r\n");
  }

  async #run(
    redis: RespClient,
    { where, database, bulks, timeoutMs }: {
      readonly where: string;
      readonly database: number;
      readonly bulks: number;
      readonly timeoutMs: number;
    },
    keys: readonly Uint8Array[],
    isCancelled: () => boolean,
  ): Promise<string> {
    const [host, port] = where.split(":");
    let target: RespClient;
    try {
      target = await RespClient.connect(Number(port), host, timeoutMs);
    } catch {
      return `-ERR create client to ${where} failed\r\n`;
    }
    using _ = target;
    const say = async (...words: Word[]) => {
      await delay(this.#host.chunkMs);
      if (isCancelled()) throw new Error("canceled");
      const ack = await target.call(...words) as RespValue[];
      if (!Array.isArray(ack) || ack[1] !== "0") throw new Error("connection closed");
    };
    const moved: Uint8Array[] = [];
    try {
      await say("SLOTSRESTORE-ASYNC-SELECT", database);
      for (const key of keys) {
        const type = String(await this.#host.inTurn(() => redis.call("TYPE", key)));
        if (type === "none") continue;
        await say("SLOTSRESTORE-ASYNC", "delete", key);
        const how = TYPES[type];
        if (how === undefined) {
          const value = await this.#host.inTurn(() => redis.call("GET", key));
          await say("SLOTSRESTORE-ASYNC", "string", key, 0, String(value));
        } else {
          const all = await this.#host.inTurn(() => redis.call(...how.read(key))) as string[];
          for (let at = 0; at < all.length; at += bulks) {
            const some = all.slice(at, at + bulks);
            await say("SLOTSRESTORE-ASYNC", how.kind, key, timeoutMs * 3, all.length, ...some);
          }
        }
        const ttl = Number(await this.#host.inTurn(() => redis.call("PTTL", key)));
        await say("SLOTSRESTORE-ASYNC", "expire", key, Math.max(0, ttl));
        moved.push(key);
      }
    } catch (error) {
      const { message } = error as Error;
      const cause = /received/.test(message) ? "migration timeout" : message;
      return `${INTERRUPTED} ${cause}\r\n`;
    }
    if (moved.length > 0) await this.#host.inTurn(() => redis.call("DEL", ...moved));
    return `:${moved.length}\r\n`;
  }

  /** The target's side: SLOTSRESTORE-ASYNC and what follows it. */
  async restore(
    redis: RespClient,
    database: number,
    [kind, key, ttl, ...rest]: readonly Uint8Array[],
  ): Promise<string> {
    if (this.isMoving(database)) return ack(-1, "the specified DB is being migrated");
    const name = text(kind!);
    if (name === "delete") return ack(0, String(await redis.call("DEL", key!)));
    const ttlMs = Number(text(ttl!));
    if (name === "string") await redis.call("SET", key!, rest[0]!);
    const add = ADD[name];
    if (add !== undefined) {
      const elements = rest.slice(1);
      const words = name === "zset"
        ? elements.map((_, i) => elements[i % 2 === 0 ? i + 1 : i - 1]!)
        : elements;
      await redis.call(add, key!, ...words);
    }
    if (ttlMs === 0) await redis.call("PERSIST", key!);
    else await redis.call("PEXPIRE", key!, ttlMs);
    return ack(0, "1");
  }
}

/** What a target answers to each step. */
export function ack(code: number, message: string): string {
  const words = ["SLOTSRESTORE-ASYNC-ACK", String(code), message];
  return `*3\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
