/**
 * Moves big keys between Codis 3.2's servers in chunks: neither server stops meanwhile.
 *
 *      lock both servers ─► SLOTSMGRTONE-ASYNC ─► … chunk, ack, chunk … ─► moved
 *
 * The source has the key until the last chunk is acknowledged. Until then proxies use it there
 * (router/slots/source_call.ts): commands that read it are served, others wait. The target's part of a key
 * expires after some minutes unless it becomes whole, and the next try replaces it. A source that stops for
 * longer would send the rest and delete the key although the part has expired: so the target's end of the
 * move is closed as soon as the source does not answer.
 *
 * A server runs one such move per database, and receives none meanwhile, so a second move waits. The reply
 * comes when all is done, and replies to later commands may overtake it: so it has a connection of its own.
 *
 * @module
 */

import { parseAddress } from "../../base/address.ts";
import { sleep } from "../../base/sleep.ts";
import { CHUNKS } from "../../resp/big_key.ts";
import type { RedisConnection } from "../../redis/connection.ts";
import { RedisError, type RedisValue } from "../../redis/reply.ts";
import { callAll, keysOfSlots, splitBySize } from "./codis_keys.ts";
import { type MoveContext, MoveError } from "./mover.ts";
import { endRestores, MOVER_NAME } from "./late_copy_guard.ts";
import { lockBoth } from "./move_lock.ts";
import { textOfKey } from "./server_keys.ts";
import { PROBE_DATABASE, PROBE_MS, probeKey } from "../../resp/probe_key.ts";

/** Longest time that one key may take, in milliseconds. */
const KEY_MS = 600_000;
/** Time between two PINGs to both servers, in times of a stock server's timeout. */
const PING_TIMES = 0.5;
/** PINGs in a row that a source may leave unanswered: far less time than the target's part has to live. */
const UNANSWERED_MAX = 5;
/** Wait before another try, in milliseconds. */
const RETRY_MS = 20;
/** How long a move waits for others' moves of the same database, in milliseconds. */
const OTHERS_MS = 60_000;
/** How often a key that does not arrive is tried before its task waits. */
const TRIES = 3;

/** The slot of a key that is moved, and when to stop. */
export interface ChunkMove {
  readonly database: number;
  readonly slotId: number;
  /** Read again before each call. */
  readonly slotIds: ReadonlySet<number>;
  readonly signal: AbortSignal;
}

/** The move that is under way. */
interface RunningMove {
  readonly slotId: number;
  readonly database: number;
  readonly done: Promise<unknown>;
  isCancelled: boolean;
}

/** See the header. */
export class ChunkMover {
  readonly #context: MoveContext;
  readonly #source: RedisConnection;
  readonly #target: RedisConnection;
  /** The connection that waits for the reply of a move. */
  readonly #waiter: RedisConnection;
  #running: RunningMove | undefined;

  private constructor(
    context: MoveContext,
    source: RedisConnection,
    target: RedisConnection,
    waiter: RedisConnection,
  ) {
    this.#context = context;
    this.#source = source;
    this.#target = target;
    this.#waiter = waiter;
  }

  /**
   * Opens a connection for moves, besides those to both servers.
   *
   * @returns `undefined` when the source does not move in chunks.
   * @throws {MoveError} When it does, and the target is older.
   * @throws {RedisUnreachableError | RedisError}
   */
  static async open(
    context: MoveContext,
    source: RedisConnection,
    target: RedisConnection,
  ): Promise<ChunkMover | undefined> {
    if (!await knowsChunks(source)) return undefined;
    const { control, pair } = context;
    if (!await knowsChunks(target)) {
      throw new MoveError(
        `${pair.target} is an older codis-server than ${pair.source}: it cannot read its keys`,
      );
    }
    const waiter = await control.redis(pair.source, KEY_MS);
    await waiter.call("CLIENT", "SETNAME", MOVER_NAME);
    return new ChunkMover(context, source, target, waiter);
  }

  /**
   * Moves a probe key.
   *
   * @throws {MoveError | RedisUnreachableError}
   */
  async probe(): Promise<void> {
    const key = probeKey();
    const select = ["SELECT", PROBE_DATABASE];
    await this.#waiter.pipeline([select, ["SET", key, "", "PX", PROBE_MS]]);
    const reply = await this.#exclusive(() => this.#ask(PROBE_DATABASE, key));
    await this.#waiter.pipeline([select, ["DEL", key]]);
    await this.#target.pipeline([select, ["DEL", key]]);
    if (reply instanceof RedisError && !isOfOthers(reply)) throw this.#error(key, reply);
  }

  /**
   * Moves a key.
   *
   * @throws {MoveError | RedisUnreachableError}
   */
  async move(key: Uint8Array, where: ChunkMove): Promise<void> {
    const { database, slotId, slotIds, signal } = where;
    const { note, progress } = this.#context;
    const text = textOfKey(key);
    note(slotId, `moving key "${text}" of database ${database} in chunks`);
    const sinceMs = performance.now();
    try {
      for (let tries = 1;;) {
        signal.throwIfAborted();
        const reply = await this.#exclusive(async () => {
          if (signal.aborted || !slotIds.has(slotId)) return 0;
          return await this.#watched(key, database, slotId, signal);
        });
        if (!(reply instanceof RedisError)) {
          progress(slotId)?.moved(Number(reply));
          return;
        }
        this.#noteInterrupt(reply);
        // We may have ended it: another stream wants the slot, or nothing may move now.
        if (!slotIds.has(slotId)) return;
        signal.throwIfAborted();
        const mayRetry = isOfOthers(reply)
          ? performance.now() - sinceMs < OTHERS_MS
          : isInterrupt(reply) && tries++ < TRIES;
        if (!mayRetry) throw this.#error(key, reply);
        await this.#endLateCopies();
        await sleep(RETRY_MS, signal);
      }
    } finally {
      note(slotId, "");
    }
  }

  /** A part of the key may still be in a socket, unless the connection was found closed. */
  #noteInterrupt(reply: RedisError): void {
    const { moveLock, pair: { target } } = this.#context;
    if (isInterrupt(reply) && !/connection closed/.test(reply.message)) {
      moveLock(target).lateCopies = "some";
    }
  }

  async #endLateCopies(): Promise<void> {
    const { moveLock, pair: { target } } = this.#context;
    await moveLock(target).exclusive(async () => {
      if (moveLock(target).lateCopies !== "some") return;
      await endRestores(this.#target, true);
      moveLock(target).lateCopies = "none";
    });
  }

  /** Runs `body` while neither server gives or gets keys of ours: a server does only one at a time. */
  #exclusive<T>(body: () => Promise<T>): Promise<T> {
    const { moveLock, pair } = this.#context;
    return lockBoth(moveLock, pair, body);
  }

  /** Asks for a move. Aborts it when the source does not answer; cancels it when it is not wanted any more. */
  async #watched(
    key: Uint8Array,
    database: number,
    slotId: number,
    signal: AbortSignal,
  ): Promise<RedisValue> {
    const done = this.#ask(database, key);
    const running = this.#running = { slotId, database, done, isCancelled: false };
    const cancel = () => this.#cancel(running);
    signal.addEventListener("abort", cancel);
    let unanswered = 0;
    const pings = setInterval(() => {
      if (++unanswered === UNANSWERED_MAX) this.#abort();
      this.#source.call("PING").then(() => unanswered = 0, () => this.#waiter.close());
      // The source would wait for it much longer.
      this.#target.call("PING").catch(cancel);
    }, PING_TIMES * this.#context.options.migrateMs);
    try {
      return await done;
    } finally {
      clearInterval(pings);
      signal.removeEventListener("abort", cancel);
      this.#running = undefined;
    }
  }

  /** The source does not answer: what it sends when it goes on must not arrive. */
  async #abort(): Promise<void> {
    try {
      await endRestores(this.#target, true);
    } catch (error) {
      const { source, target } = this.#context.pair;
      const { message } = error as Error;
      this.#context.control.report(
        "error",
        `a late copy of a key may still arrive at ${target} from ${source}: ${message}`,
      );
    } finally {
      this.#waiter.close();
    }
  }

  async #ask(database: number, key: Uint8Array): Promise<RedisValue> {
    const { moveLock, pair: { target } } = this.#context;
    const { hostname, port } = parseAddress(target);
    try {
      const replies = await this.#waiter.pipeline([
        ["SELECT", database],
        ["SLOTSMGRTONE-ASYNC", hostname, port, ...CHUNKS, key],
      ]);
      return replies.find((reply) => reply instanceof RedisError) ?? replies[1]!;
    } catch (error) {
      moveLock(target).lateCopies = "some";
      throw error;
    }
  }

  #cancel(running: RunningMove): void {
    if (running.isCancelled) return;
    running.isCancelled = true;
    const { database } = running;
    this.#source.pipeline([["SELECT", database], ["SLOTSMGRT-ASYNC-CANCEL"]]).catch(() => {});
  }

  #error(key: Uint8Array, { message }: RedisError): MoveError {
    const { source, target } = this.#context.pair;
    return new MoveError(
      `key "${textOfKey(key)}" cannot be moved from ${source} to ${target} in chunks: ${message}`,
    );
  }

  /** Resolves when no key of this slot is being moved; a running move is cancelled. */
  async settled(slotId: number): Promise<void> {
    const running = this.#running;
    if (running?.slotId !== slotId) return;
    this.#cancel(running);
    await running.done.catch(() => {});
  }

  /**
   * Deletes the parts of big keys that aborted moves have left, before slots reverse: at the present
   * source, which has got such a key in part, or not at all. The slots are blocked meanwhile.
   *
   * @throws {RedisUnreachableError | RedisError}
   */
  async dropParts(slotIds: readonly number[]): Promise<void> {
    if (slotIds.length === 0) return;
    for (let database = 0;; database++) {
      const [selected, counts] = await this.#target.pipeline([["SELECT", database], ["SLOTSINFO"]]);
      if (selected instanceof RedisError) return;
      const left = new Set((counts as [number, number][]).map(([slotId]) => slotId));
      const some = slotIds.filter((slotId) => left.has(slotId));
      if (some.length === 0) continue;
      // A move whose caller has gone may still run.
      await this.#target.call("SLOTSMGRT-ASYNC-FENCE");
      const keys = await keysOfSlots(this.#target, database, some);
      const { big } = await splitBySize(this.#target, database, keys);
      if (big.length > 0) await callAll(this.#source, [["SELECT", database], ["DEL", ...big]]);
    }
  }

  /** Closes its connection. */
  close(): void {
    this.#waiter.close();
  }
}

/** Whether a move ended before it was done. */
function isInterrupt({ message }: RedisError): boolean {
  return /^ERR interrupted/.test(message);
}

/** Whether a server moves keys in chunks. */
async function knowsChunks(redis: RedisConnection): Promise<boolean> {
  const [reply] = await redis.pipeline([["SLOTSMGRT-ASYNC-STATUS"]]);
  if (!(reply instanceof RedisError)) return true;
  if (/unknown command/i.test(reply.message)) return false;
  throw reply;
}

/** Whether another client moves a key of the database. */
function isOfOthers({ message }: RedisError): boolean {
  return /is being migrated|previous operation/.test(message);
}
