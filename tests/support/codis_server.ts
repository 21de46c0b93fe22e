/**
 * A codis-server: `await using server = await CodisServer.start()`. With CODIS_SERVER in the environment
 * that program is it; else a double of 2.8.21, which Debian does not ship: a real redis-server behind a
 * port that adds the slot commands.
 *
 *      client ─► one command at a time, as in a single-threaded server ─┬─► SLOTS… ─► done here
 *                                                                        └─► anything ─► redis-server
 *
 * The double fails as the original does: it keeps a connection to each target, does not look whether
 * that is alive before the next move, and does not try again when it is not. A replica refuses a write of
 * a transaction, and EXEC executes the rest.
 *
 * @module
 */

import { findCommand } from "../../src/command/command_table.ts";
import { KeyIndexes, keyIndexes } from "../../src/command/key.ts";
import { slotIdOf } from "../../src/hash/slot_id.ts";
import { tagEnd, tagStart } from "../../src/hash/hash_tag.ts";
import { crc32 } from "../../src/hash/crc32.ts";
import { RequestParser } from "../../src/resp/request_parser.ts";
import { argumentsOf } from "./arguments.ts";
import { ack, ChunkMoves } from "./codis_chunks.ts";
import { textOf } from "./pieces.ts";
import { type RedisOptions, RedisServer } from "./redis_server.ts";
import { encodeRequests, type Reply, RespClient, type Word } from "./resp_client.ts";

const SLOTS = 1024;
const READ_BYTES = 64 * 1024;
/**
 * A double's own word to another: when it sent the SLOTSRESTORE that follows. The real server restores
 * within microseconds; a double waits for its turn, which must not lengthen any key's life.
 */
const SENT_AT = "SENTAT";
/** codis-server takes 0 as this many milliseconds. */
const DEFAULT_TIMEOUT_MS = 100;
/** How long codis-server keeps a connection to a target that it does not use, in milliseconds. */
const KEPT_MS = 15_000;
/** The program that tests are to run on; `undefined`: the double. */
export const CODIS_SERVER = Deno.env.get("CODIS_SERVER");

/** What a replica answers in place of +QUEUED; redis-server 6 and later abort the transaction then. */
const READ_ONLY = "-READONLY You can't write against a read only slave.\r\n";

const KEYS = new KeyIndexes();
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A connection of a client and its own connection to the redis-server behind. */
interface Link {
  readonly redis: RespClient;
  /** Asks while {@linkcode redis} queues; null until then. */
  asker: RespClient | null;
  isQueueing: boolean;
  database: number;
  /** When another double sent the next SLOTSRESTORE, in Unix milliseconds; 0: nobody told. */
  sentMs: number;
}

/** A connection to a target that is kept for the next move. */
interface Kept {
  readonly target: RespClient;
  /** What was selected there; -1: nothing yet. */
  database: number;
  usedMs: number;
}

/** How a codis-server is started. */
export interface CodisServerOptions extends RedisOptions {
  /** Whether the double knows what 3.2 knows. @default false */
  readonly movesInChunks?: boolean;
  /** Pause of the double before each chunk, in milliseconds. @default 1 */
  readonly chunkMs?: number;
}

type Handler = (
  args: Uint8Array[],
  link: Link,
) => Promise<string | Uint8Array | { readonly later: Promise<string> }>;

/** Keys that a database may have, by slot and by their bytes as text. */
type NamedKeys = Map<number, Map<string, Uint8Array>>;

/** See the header. */
export class CodisServer implements AsyncDisposable {
  /** The redis-server that holds the keys, for tests that look past the double. */
  readonly redis: RedisServer;
  readonly port: number;
  readonly addr: string;
  /** Requests of slot commands, in order, as text; the double's only. */
  readonly slotCommands: string[] = [];
  readonly #listener: Deno.TcpListener | undefined;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #serving: Promise<void>;
  /** By target, `host:port`. */
  readonly #kept = new Map<string, Kept>();
  readonly #password: string | undefined;
  readonly #handlers: Readonly<Record<string, Handler>>;
  readonly #chunks: ChunkMoves;
  /** One command at a time, whoever sends it. */
  #turn: Promise<unknown> = Promise.resolve();
  /** By database; of one that was asked for its slots, every key that requests have named since. */
  readonly #named = new Map<number, NamedKeys>();

  private constructor(redis: RedisServer, options: CodisServerOptions) {
    const { args = [], chunkMs = 1, movesInChunks = false } = options;
    this.redis = redis;
    this.#handlers = { ...this.#slotHandlers, ...(movesInChunks ? this.#chunkHandlers : {}) };
    this.#chunks = new ChunkMoves({ chunkMs, inTurn: (body) => this.#inTurn(body) });
    const passwordAt = args.indexOf("--requirepass") + 1;
    this.#password = passwordAt === 0 ? undefined : args[passwordAt];
    if (CODIS_SERVER === undefined) {
      this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      this.port = (this.#listener.addr as Deno.NetAddr).port;
      this.#serving = this.#accept(this.#listener);
    } else {
      this.port = redis.port;
      this.#serving = Promise.resolve();
    }
    this.addr = `127.0.0.1:${this.port}`;
  }

  /** Starts the server; the double with the redis-server behind it. */
  static async start(options: CodisServerOptions = {}): Promise<CodisServer> {
    const program = CODIS_SERVER === undefined ? {} : { program: CODIS_SERVER };
    return new CodisServer(await RedisServer.start({ ...options, ...program }), options);
  }

  /** Opens a connection as a Redis client. */
  client(): Promise<RespClient> {
    return RespClient.connect(this.port);
  }

  /** Ends the server with SIGKILL, between two commands; its connections end as well. */
  async kill(): Promise<void> {
    await this.#inTurn(() => this.redis.kill());
    for (const conn of [...this.#open]) this.#close(conn);
    for (const name of [...this.#kept.keys()]) this.#drop(name);
  }

  /** Starts the server again after {@linkcode CodisServer.kill}, with what it has stored. */
  async restart(): Promise<void> {
    await this.redis.restart();
  }

  async #accept(listener: Deno.TcpListener): Promise<void> {
    const serving: Promise<void>[] = [];
    for await (const conn of listener) serving.push(this.#serve(conn));
    await Promise.all(serving);
  }

  async #serve(conn: Deno.TcpConn): Promise<void> {
    this.#open.add(conn);
    let link: Link | undefined;
    try {
      conn.setNoDelay(true);
      using redis = await this.redis.client();
      link = { redis, asker: null, isQueueing: false, database: 0, sentMs: 0 };
      for await (const args of requestsOf(conn)) {
        const reply = await this.#inTurn(() => this.#execute(args, link!));
        if (reply instanceof Uint8Array) await writeAll(conn, reply);
        // Whatever comes after it does not wait for it.
        else reply.later.then((text) => writeAll(conn, encoder.encode(text))).catch(() => {});
      }
    } catch {
      // The client is gone, or the redis-server behind: either way this connection is over.
    } finally {
      link?.asker?.close();
      this.#close(conn);
    }
  }

  /** Does something between two commands. */
  #inTurn<T>(body: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(body);
    this.#turn = done.catch(() => {});
    return done;
  }

  /** Closes a connection, whoever is the first to. */
  #close(conn: Deno.TcpConn): void {
    if (this.#open.delete(conn)) conn.close();
  }

  async #execute(
    args: Uint8Array[],
    link: Link,
  ): Promise<Uint8Array | { readonly later: Promise<string> }> {
    const name = decoder.decode(args[0]).toUpperCase();
    const handler = this.#handlers[name];
    if (handler !== undefined) {
      this.slotCommands.push(args.map((arg) => decoder.decode(arg)).join(" "));
      const reply = await handler(args.slice(1), link);
      return reply instanceof Uint8Array || typeof reply !== "string"
        ? reply
        : encoder.encode(reply);
    }
    if (link.isQueueing && await this.#refusesToQueue(args, link)) return encoder.encode(READ_ONLY);
    this.#note(args, link);
    await link.redis.sendRaw(encodeRequests([args]));
    const { raw } = await link.redis.read();
    if (name === "SELECT" && raw[0] === 43) link.database = Number(decoder.decode(args[1]));
    if (name === "MULTI") link.isQueueing = true;
    else if (name === "EXEC" || name === "DISCARD") link.isQueueing = false;
    return raw;
  }

  async #refusesToQueue(args: Uint8Array[], link: Link): Promise<boolean> {
    if (findCommand(argumentsOf(...args))?.flags.includes("write") !== true) return false;
    link.asker ??= await this.redis.client();
    const [role] = await link.asker.call("ROLE") as string[];
    return role === "slave";
  }

  /** What 3.2 knows besides. */
  readonly #chunkHandlers: Readonly<Record<string, Handler>> = {
    "SLOTSMGRT-ASYNC-STATUS": () => Promise.resolve("*-1\r\n"),
    "SLOTSMGRT-ASYNC-CANCEL": (_, { database }) =>
      Promise.resolve(integer(this.#chunks.cancel(database) ? 1 : 0)),
    "SLOTSMGRT-ASYNC-FENCE": (_, { database }) =>
      Promise.resolve({ later: this.#chunks.fence(database) }),
    "SLOTSMGRTONE-ASYNC": async (args, { database }) => {
      // Its own connection: the one that asked may go.
      const redis = await this.redis.client();
      await redis.call("SELECT", database);
      const later = this.#chunks.begin(redis, database, args).finally(() => redis.close());
      return { later };
    },
    "SLOTSRESTORE-ASYNC-SELECT": async ([database], link) => {
      await link.redis.call("SELECT", database!);
      link.database = Number(decoder.decode(database));
      return ack(0, "OK");
    },
    "SLOTSRESTORE-ASYNC": (args, { redis, database }) =>
      this.#chunks.restore(redis, database, args),
    "SLOTSMGRT-EXEC-WRAPPER": async ([key, ...words], link) => {
      const command = findCommand(argumentsOf(...words));
      if (command === undefined) return "*2\r\n:-1\r\n-ERR invalid command specified\r\n";
      if (await link.redis.call("EXISTS", key!) === 0) {
        return "*2\r\n:0\r\n-ERR the specified key doesn't exist\r\n";
      }
      if (!command.isReadOnly && this.#chunks.isMoving(link.database, decoder.decode(key))) {
        return "*2\r\n:1\r\n-ERR the specified key is being migrated\r\n";
      }
      await link.redis.sendRaw(encodeRequests([words]));
      const { raw } = await link.redis.read();
      const head = encoder.encode("*2\r\n:2\r\n");
      const reply = new Uint8Array(head.length + raw.length);
      reply.set(head);
      reply.set(raw, head.length);
      return reply;
    },
    SLOTSSCAN: async ([slotText], link) => {
      const slot = Number(decoder.decode(slotText));
      const keys = (await keysOf(link)).filter((key) => slotOf(key) === slot);
      const bulks = keys.map((key) => `$${key.length}\r\n${decoder.decode(key)}\r\n`);
      return array(["$1\r\n0\r\n", array(bulks)]);
    },
  };

  readonly #slotHandlers: Readonly<Record<string, Handler>> = {
    SLOTSHASHKEY: (keys) => Promise.resolve(array(keys.map((key) => integer(slotOf(key))))),
    SLOTSINFO: async ([start, count], link) => {
      const from = start === undefined ? 0 : Number(decoder.decode(start));
      const to = from + (count === undefined ? SLOTS : Number(decoder.decode(count)));
      if (!(from >= 0 && from < SLOTS)) return `-ERR invalid slot number = ${from}\r\n`;
      const sizes = new Map<number, number>();
      for (const key of await keysOf(link)) {
        const slot = slotOf(key);
        if (slot >= from && slot < to) sizes.set(slot, (sizes.get(slot) ?? 0) + 1);
      }
      const rows = [...sizes].sort(([a], [b]) => a - b);
      return array(rows.map(([slot, size]) => array([integer(slot), integer(size)])));
    },
    SLOTSDEL: async (slots, link) => {
      const wanted = slots.map((slot) => Number(decoder.decode(slot)));
      for (const key of await keysOf(link)) {
        if (wanted.includes(slotOf(key))) await link.redis.call("DEL", key);
      }
      return array(wanted.map((slot) => array([integer(slot), integer(0)])));
    },
    SLOTSCHECK: () => Promise.resolve("+OK\r\n"),
    SLOTSRESTORE: (args, link) => {
      const named = this.#named.get(link.database);
      for (let i = 0; i < args.length; i += 3) if (named !== undefined) add(named, args[i]!);
      return restore(args, link);
    },
    [SENT_AT]: ([sentMs], link) => {
      link.sentMs = Number(decoder.decode(sentMs));
      return Promise.resolve("+OK\r\n");
    },
    SLOTSMGRTONE: ([host, port, timeout, key], link) =>
      this.#move(link, host!, port!, timeout!, [key!], integer),
    SLOTSMGRTTAGONE: async ([host, port, timeout, key], link) =>
      await this.#move(link, host!, port!, timeout!, await this.#keysLike(link, key!), integer),
    SLOTSMGRTSLOT: (args, link) => this.#moveOfSlot(args, link, false),
    SLOTSMGRTTAGSLOT: (args, link) => this.#moveOfSlot(args, link, true),
  };

  async #moveOfSlot(args: Uint8Array[], link: Link, withTag: boolean): Promise<string> {
    const [host, port, timeout, slotText] = args;
    const keys = (await this.#namedIn(link)).get(Number(decoder.decode(slotText))) ?? new Map();
    const chosen = await firstThere(link, keys);
    if (chosen === undefined) return array([integer(0), integer(0)]);
    const moving = withTag ? [...keys.values()].filter((key) => isLike(key, chosen)) : [chosen];
    return await this.#move(link, host!, port!, timeout!, moving, (moved) => {
      for (const key of moving) keys.delete(textOf(key));
      return array([integer(moved), integer(keys.size)]);
    });
  }

  /** Moves keys as codis-server does: one SLOTSRESTORE for all, then they are deleted here. */
  async #move(
    { redis, database }: Link,
    host: Uint8Array,
    port: Uint8Array,
    timeout: Uint8Array,
    keys: readonly Uint8Array[],
    done: (moved: number) => string,
  ): Promise<string> {
    const timeoutMs = Number(decoder.decode(timeout)) || DEFAULT_TIMEOUT_MS;
    const name = `${decoder.decode(host)}:${decoder.decode(port)}`;
    // It does not wait for the connection before it writes.
    const kept = await this.#connectionTo(name).catch(() => undefined);
    const found: { readonly key: Uint8Array; readonly dump: Uint8Array; readonly endMs: number }[] =
      [];
    for (const key of keys) {
      const [dump, end] = await redis.pipeline([["DUMP", key], ["PEXPIRETIME", key]]);
      if (dump!.value !== null) {
        found.push({ key, dump: bulkOf(dump!.raw), endMs: Number(end!.value) });
      }
    }
    if (found.length === 0) return done(0);
    if (kept === undefined) return "-IOERR error or timeout writing to target\r\n";
    const nowMs = Date.now();
    const greeting: Word[][] = [];
    if (kept.database === -1 && this.#password !== undefined) {
      greeting.push(["AUTH", this.#password]);
    }
    if (kept.database !== database) greeting.push(["SELECT", database]);
    const words: Word[] = found.flatMap(({ key, dump, endMs }) => [
      key,
      endMs < 0 ? 0 : Math.max(1, endMs - nowMs),
      dump,
    ]);
    let timer: ReturnType<typeof setTimeout> | undefined;
    let error: string | undefined;
    try {
      const late = new Promise<Reply[]>((_resolve, reject) => {
        timer = setTimeout(() => reject(new Error("late")), timeoutMs);
      });
      const requests = [...greeting, [SENT_AT, nowMs], ["SLOTSRESTORE", ...words]];
      const restored = kept.target.pipeline(requests);
      restored.catch(() => {});
      const replies = await Promise.race([restored, late]);
      if (replies.some(({ value }) => value !== "OK")) {
        error = "-ERR error on slotsrestore, migration failed\r\n";
      }
    } catch {
      error = "-IOERR error or timeout reading from target\r\n";
    } finally {
      clearTimeout(timer);
    }
    if (error !== undefined) {
      this.#drop(name);
      return error;
    }
    kept.database = database;
    kept.usedMs = performance.now();
    await redis.call("DEL", ...found.map(({ key }) => key));
    return done(found.length);
  }

  /** The connection to a target that is kept, dead or alive, or a new one. */
  async #connectionTo(name: string): Promise<Kept> {
    const kept = this.#kept.get(name);
    if (kept !== undefined && performance.now() - kept.usedMs < KEPT_MS) return kept;
    this.#drop(name);
    const [host, port] = name.split(":");
    const target = await RespClient.connect(Number(port), host);
    const made = { target, database: -1, usedMs: performance.now() };
    this.#kept.set(name, made);
    return made;
  }

  #drop(name: string): void {
    this.#kept.get(name)?.target.close();
    this.#kept.delete(name);
  }

  async #keysLike(link: Link, key: Uint8Array): Promise<Uint8Array[]> {
    if (tagOf(key) === undefined) return [key];
    const keys = (await this.#namedIn(link)).get(slotOf(key)) ?? new Map<string, Uint8Array>();
    return [...keys.values()].filter((other) => isLike(other, key));
  }

  /** Keys that may be in the link's database; from its first call on they are kept track of. */
  async #namedIn(link: Link): Promise<NamedKeys> {
    let named = this.#named.get(link.database);
    if (named === undefined) {
      named = new Map();
      for (const key of await keysOf(link)) add(named, key);
      this.#named.set(link.database, named);
    }
    return named;
  }

  /** Keeps track of the keys that a request names. */
  #note(words: readonly Uint8Array[], { database }: Link): void {
    const named = this.#named.get(database);
    if (named === undefined) return;
    const args = argumentsOf(...words);
    const command = findCommand(args);
    const count = command === undefined ? 0 : keyIndexes(command, args, KEYS);
    for (let i = 0; i < count; i++) add(named, words[KEYS.values[i]!]!);
  }

  /** Ends the double and the redis-server behind it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener?.close();
    for (const name of [...this.#kept.keys()]) this.#drop(name);
    for (const conn of [...this.#open]) this.#close(conn);
    await this.redis[Symbol.asyncDispose]();
    await this.#serving.catch(() => {});
  }
}

// -- what the commands do ---------------------------------------------------------------------

function slotOf(key: Uint8Array): number {
  return slotIdOf(key, 0, key.length);
}

/** The CRC-32 of a key's tag; undefined for a key without one. */
function tagOf(key: Uint8Array): number | undefined {
  const start = tagStart(key, 0, key.length);
  const end = start < 0 ? -1 : tagEnd(key, start, key.length);
  return end < 0 ? undefined : crc32(key, start, end);
}

/** Whether two keys move together: the same key, or tags with the same CRC. */
function isLike(key: Uint8Array, other: Uint8Array): boolean {
  const tag = tagOf(other);
  if (tag !== undefined) return tagOf(key) === tag;
  return key.length === other.length && key.every((byte, i) => byte === other[i]);
}

/** The keys of the link's database. */
async function keysOf({ redis }: Link): Promise<Uint8Array[]> {
  await redis.send("KEYS", "*");
  return bulksOf((await redis.read()).raw);
}

function add(named: NamedKeys, key: Uint8Array): void {
  const slot = slotOf(key);
  let keys = named.get(slot);
  if (keys === undefined) named.set(slot, keys = new Map());
  keys.set(textOf(key), key);
}

/** The first key that is there; those before it are forgotten. */
async function firstThere(
  { redis }: Link,
  keys: Map<string, Uint8Array>,
): Promise<Uint8Array | undefined> {
  for (const [text, key] of keys) {
    if (await redis.call("EXISTS", key) === 1) return key;
    keys.delete(text);
  }
  return undefined;
}

async function restore(args: Uint8Array[], link: Link): Promise<string> {
  const { redis } = link;
  const sentMs = link.sentMs || Date.now();
  link.sentMs = 0;
  if (args.length === 0 || args.length % 3 !== 0) {
    return "-ERR wrong number of arguments for 'slotsrestore' command\r\n";
  }
  for (let i = 0; i < args.length; i += 3) {
    const [key, ttl, payload] = args.slice(i, i + 3);
    const ttlMs = Number(decoder.decode(ttl));
    const endMs = ttlMs === 0 ? 0 : sentMs + ttlMs;
    await redis.send("RESTORE", key!, endMs, payload!, "REPLACE", "ABSTTL");
    const { raw } = await redis.read();
    if (raw[0] === 45) return "-ERR dump payload version or checksum are wrong\r\n";
  }
  return "+OK\r\n";
}

// -- bytes ------------------------------------------------------------------------------------

function integer(value: number): string {
  return `:${value}\r\n`;
}

function array(items: readonly string[]): string {
  return `*${items.length}\r\n${items.join("")}`;
}

/** The bytes of a bulk reply. */
function bulkOf(raw: Uint8Array): Uint8Array {
  return raw.slice(raw.indexOf(10) + 1, raw.length - 2);
}

/** The bytes of an array of bulks. */
function bulksOf(raw: Uint8Array): Uint8Array[] {
  const bulks: Uint8Array[] = [];
  let at = raw.indexOf(10) + 1;
  while (at < raw.length) {
    const lineEnd = raw.indexOf(10, at) + 1;
    const length = Number(decoder.decode(raw.subarray(at + 1, lineEnd - 2)));
    bulks.push(raw.slice(lineEnd, lineEnd + length));
    at = lineEnd + length + 2;
  }
  return bulks;
}

async function writeAll(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

/** Yields the requests of a connection, argument by argument. */
async function* requestsOf(conn: Deno.TcpConn): AsyncGenerator<Uint8Array[]> {
  const parser = new RequestParser();
  let bytes = new Uint8Array(READ_BYTES);
  let start = 0;
  let end = 0;
  for (;;) {
    const outcome = parser.parse(bytes, start, end);
    start = parser.nextStart;
    if (outcome === "request") {
      const args: Uint8Array[] = [];
      for (let i = 0; i < parser.count; i++) {
        args.push(parser.bytes.slice(parser.start(i), parser.end(i)));
      }
      parser.next();
      yield args;
      continue;
    }
    if (outcome === "error") return;
    if (start > 0) {
      bytes.copyWithin(0, start, end);
      end -= start;
      start = 0;
    }
    if (bytes.length - end < READ_BYTES) {
      const grown = new Uint8Array(bytes.length * 2);
      grown.set(bytes.subarray(0, end));
      bytes = grown;
    }
    const count = await conn.read(bytes.subarray(end));
    if (count === null) return;
    end += count;
  }
}
