/**
 * One connection of the control plane to a Redis server: commands and their replies, with deadlines.
 *
 *     open: dial ─► AUTH ─► ready ── call, pipeline ──► replies in order
 *                                      └─ error, end, deadline ─► closed; what waits is rejected
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import type { Address } from "../base/address.ts";
import { formatAddress } from "../base/address.ts";
import { isWrongPassword, type Secret } from "../base/secret.ts";
import { causeOf, type Connection, dial, hangUp, writeAll } from "../io/dial.ts";
import type { TlsToServers } from "../io/tls.ts";
import { Encoder } from "../resp/encoder.ts";
import { ReplyFramer } from "../resp/reply_framer.ts";
import { withRemedy } from "./refusal.ts";
import { decodeReply, RedisError, type RedisValue, replyText } from "./reply.ts";

/** How a connection is opened and used. */
export interface RedisOptions {
  /** User of AUTH; `""`: the default user. */
  readonly user: string;
  /** Password of AUTH; not set: no AUTH. */
  readonly password: Secret;
  /** Longest time to connect, in milliseconds. */
  readonly dialMs: number;
  /** Longest time that a reply may take, in milliseconds; each reply restarts it. */
  readonly replyMs: number;
  /** How to speak TLS; without it, none is spoken. */
  readonly tls?: TlsToServers | undefined;
  /** Takes the messages of channels that were subscribed to by SUBSCRIBE. */
  readonly onMessage?: ((text: string) => void) | undefined;
}

/** A word of a command; numbers are written in decimal. */
export type Word = string | number | Uint8Array;

/** A server that cannot be reached, or was lost; the message names it and the cause. */
export class RedisUnreachableError extends Error {
  override readonly name = "RedisUnreachableError";
}

const READ_BYTES = 64 * 1024;

/** Requests that were sent together, and their replies so far. */
interface Waiting {
  readonly replies: RedisValue[];
  readonly count: number;
  /** Whether replies are left as they came, error replies excepted. */
  readonly isRaw: boolean;
  resolve(replies: RedisValue[]): void;
  reject(error: Error): void;
}

/** See the header. `using redis = await RedisConnection.open(…)` closes it. */
export class RedisConnection implements Disposable {
  readonly address: Address;
  readonly #options: RedisOptions;
  readonly #connection: Connection;
  readonly #waiting: Waiting[] = [];
  readonly #framer = new ReplyFramer();
  /** The pieces of a reply that is not whole yet. */
  #pieces: Uint8Array[] = [];
  #failure: RedisUnreachableError | undefined;
  #failedMs = 0;
  /** Who takes all that comes, once a stream has begun. */
  #onBytes: ((bytes: Uint8Array | null) => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(address: Address, options: RedisOptions, connection: Connection) {
    this.address = address;
    this.#options = options;
    this.#connection = connection;
    this.#read();
  }

  /**
   * Connects and authenticates.
   *
   * @throws {RedisUnreachableError} When there is no connection within `dialMs`.
   * @throws {RedisError} When user or password are refused.
   */
  static async open(address: Address, options: RedisOptions): Promise<RedisConnection> {
    const { user, password, dialMs, tls } = options;
    let connection: Connection;
    try {
      connection = await dial(address.hostname, address.port, dialMs, tls);
    } catch (error) {
      throw unreachable(address, error);
    }
    const redis = new RedisConnection(address, options, connection);
    try {
      if (password.isSet) await redis.#logIn(user, password.revealAll());
      return redis;
    } catch (error) {
      redis.close();
      throw error;
    }
  }

  /** Tries the passwords in their order: the server may not have been told of the new one yet. */
  async #logIn(user: string, passwords: readonly string[]): Promise<void> {
    for (const [i, password] of passwords.entries()) {
      const words = user === "" ? [password] : [user, password];
      const [reply] = await this.pipeline([["AUTH", ...words]]);
      if (!(reply instanceof RedisError)) return;
      const isLast = i === passwords.length - 1;
      if (isLast || !isWrongPassword(reply.message)) throw reply;
    }
  }

  /** When it was lost or closed, in monotonic milliseconds; 0 while it is open. */
  get failedMs(): number {
    return this.#failedMs;
  }

  /** Whether it speaks TLS. */
  get isTls(): boolean {
    return this.#options.tls !== undefined;
  }

  /** Whether commands can still be sent. */
  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  /**
   * Sends a command. Copies the words.
   *
   * @throws {RedisError} When the reply is an error.
   * @throws {RedisUnreachableError} When there is none: it is not known whether it was executed.
   */
  async call(...words: Word[]): Promise<RedisValue> {
    const [reply] = await this.pipeline([words]);
    if (reply instanceof RedisError) throw reply;
    return reply!;
  }

  /**
   * Sends commands at once; an error reply is a value. Copies the words.
   *
   * @throws {RedisUnreachableError} When not every reply comes.
   */
  async pipeline(requests: readonly (readonly Word[])[]): Promise<RedisValue[]> {
    return await this.#exchange(requests, false);
  }

  /**
   * Sends commands to a database at once; an error reply is a value, but not that of SELECT. Copies the words.
   *
   * @throws {RedisError} When the database is refused: the commands went to the one that was selected before.
   * @throws {RedisUnreachableError} When not every reply comes.
   */
  async pipelineIn(
    database: number,
    requests: readonly (readonly Word[])[],
  ): Promise<RedisValue[]> {
    const [selected, ...replies] = await this.pipeline([["SELECT", database], ...requests]);
    if (selected instanceof RedisError) throw selected;
    return replies;
  }

  /**
   * Sends a command whose reply is large, and leaves that as it came: RESP2 that belongs to the caller.
   *
   * @throws As {@linkcode RedisConnection.call}.
   */
  async callRaw(...words: Word[]): Promise<Uint8Array> {
    const [reply] = await this.#exchange([words], true);
    if (reply instanceof RedisError) throw reply;
    return reply as Uint8Array;
  }

  /**
   * Sends a command that the server answers with a stream, as PSYNC: all that comes from now on goes to `onBytes`,
   * null when the connection ends. `bytes` are borrowed until it returns.
   */
  stream(words: readonly Word[], onBytes: (bytes: Uint8Array | null) => void): void {
    if (this.#failure !== undefined) return onBytes(null);
    this.#onBytes = onBytes;
    const bytes = encodeRequests([words]);
    this.#writing = this.#writing.then(() => writeAll(this.#connection, bytes)).catch((error) =>
      this.#fail(error)
    );
  }

  async #exchange(
    requests: readonly (readonly Word[])[],
    isRaw: boolean,
  ): Promise<RedisValue[]> {
    if (this.#failure !== undefined) throw this.#failure;
    if (requests.length === 0) return [];
    const replied = new Promise<RedisValue[]>((resolve, reject) =>
      this.#waiting.push({ replies: [], count: requests.length, isRaw, resolve, reject })
    );
    this.#restartTimer();
    const bytes = encodeRequests(requests);
    this.#writing = this.#writing.then(() => writeAll(this.#connection, bytes)).catch((error) =>
      this.#fail(error)
    );
    const replies = await replied;
    for (const [i, reply] of replies.entries()) {
      if (reply instanceof RedisError) replies[i] = this.withRemedy(reply, requests[i]!);
    }
    return replies;
  }

  /** An error that this server gives to a request, with a remedy where it refuses us, or the command. */
  withRemedy(error: RedisError, request: readonly Word[]): RedisError {
    return withRemedy(error, formatAddress(this.address), this.#options.user, request);
  }

  /** Closes it; what still waits for a reply is rejected. */
  close(): void {
    this.#fail(new Error("closed"));
  }

  /** As {@linkcode RedisConnection.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    try {
      for (;;) {
        const count = await this.#connection.read(buffer);
        if (count === null) throw new Error("connection closed by the server");
        this.#take(buffer.subarray(0, count));
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #take(bytes: Uint8Array): void {
    if (this.#onBytes !== undefined) return this.#onBytes(bytes);
    for (let at = 0; at < bytes.length;) {
      const end = this.#framer.feed(bytes, at, bytes.length);
      if (this.#framer.error !== "") throw new Error(this.#framer.error);
      const piece = bytes.subarray(at, end);
      at = end;
      if (!this.#framer.isDone) {
        this.#pieces.push(piece.slice());
        break;
      }
      const whole = this.#pieces.length === 0 ? piece : concat([...this.#pieces, piece]);
      this.#pieces = [];
      const isError = this.#framer.type === 45;
      this.#framer.reset();
      if (this.#options.onMessage !== undefined && this.#takeMessage(whole)) continue;
      const waiting = this.#waiting[0];
      if (waiting === undefined) throw new Error("the server sent a reply without a request");
      waiting.replies.push(waiting.isRaw && !isError ? whole.slice() : decodeReply(whole));
      if (waiting.replies.length === waiting.count) {
        this.#waiting.shift();
        waiting.resolve(waiting.replies);
      }
    }
    this.#restartTimer();
  }

  /** Whether a reply is a message of a channel, which nobody waits for. */
  #takeMessage(bytes: Uint8Array): boolean {
    const reply = decodeReply(bytes);
    if (!Array.isArray(reply) || replyText(reply[0] ?? null) !== "message") return false;
    this.#options.onMessage?.(replyText(reply[2] ?? null));
    return true;
  }

  #restartTimer(): void {
    clearTimeout(this.#timer);
    if (this.#waiting.length === 0) return;
    const { replyMs } = this.#options;
    this.#timer = setTimeout(() => this.#fail(new Error(`no reply within ${replyMs} ms`)), replyMs);
  }

  #fail(cause: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = unreachable(this.address, cause);
    this.#failedMs = performance.now();
    clearTimeout(this.#timer);
    hangUp(this.#connection);
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
    this.#onBytes?.(null);
  }
}

function unreachable(address: Address, cause: unknown): RedisUnreachableError {
  return new RedisUnreachableError(`${formatAddress(address)}: ${causeOf(cause)}`, { cause });
}

function encodeRequests(requests: readonly (readonly Word[])[]): Uint8Array {
  const out = new Encoder(2);
  for (const words of requests) {
    out.array(words.length);
    for (const word of words) out.bulk(typeof word === "number" ? `${word}` : word);
  }
  return out.done();
}
