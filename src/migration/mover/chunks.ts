/**
 * Moves big keys between Codis 3.2's servers in chunks: neither server stands still meanwhile.
 *
 *      small or big? ─► both servers ours alone ─► SLOTSMGRTONE-ASYNC ─► … chunk, ack, chunk … ─► moved
 *
 * The source has the key until the last chunk is acknowledged. Until then proxies use it there
 * (router/slots/source_call.ts); while it is on its way only what reads it, others wait. The target's part of
 * a key has some minutes to live until it is whole, and is replaced by the next try. A source that stands
 * still for longer would send the rest and delete the key, although the part is gone: so the target's end of
 * the move is closed as soon as the source is silent.
 *
 * A server has one such move of a database under way at a time, and takes none meanwhile, so whoever comes
 * second waits. The reply comes when all is done, and may be overtaken by replies to later commands: a
 * connection of its own asks for it.
 *
 * @module
 */

import { parseAddress } from "../../base/address.ts";
import { sleep } from "../../base/sleep.ts";
import { BIG_ELEMENTS, CHUNKS, SIZE_COMMANDS } from "../../resp/big_key.ts";
import type { RedisConnection, Word } from "../../redis/connection.ts";
import { RedisError, type RedisValue, replyText } from "../../redis/reply.ts";
import type { SlotMove } from "./codis_server.ts";
import { type MoveContext, MoveError } from "./mover.ts";
import { endRestores, MOVER_NAME } from "./late_copy_guard.ts";
import { lockBoth } from "./move_lock.ts";
import { textOfKey } from "./server_keys.ts";
import { TRIAL_DATABASE, TRIAL_MS, trialKey } from "../../resp/probe_key.ts";

/** Longest time that one key may take, in milliseconds. */
const KEY_MS = 600_000;
/** Pause before another look whether both servers still answer, in times of a stock server's timeout. */
const LOOK_TIMES = 0.5;
/** Looks in a row that a source may leave unanswered: much less than the target's part has to live. */
const SILENT_LOOKS = 5;
/** Pause before another try, in milliseconds. */
const REST_MS = 20;
/** How long others' moves of the same database are waited for, in milliseconds. */
const PATIENCE_MS = 60_000;
/** How often a key is tried that does not arrive, before its task rests. */
const TRIES = 3;
/** Keys of a slot that are looked at together. */
const SCAN_COUNT = 200;

/**
 * The keys of a slot in one database, some at a time. Each that is there from beginning to end is found.
 *
 * @throws {RedisUnreachableError | RedisError}
 */
export async function* keysOfSlot(
  redis: RedisConnection,
  database: number,
  slotId: number,
): AsyncGenerator<Uint8Array[]> {
  for (let cursor = "0";;) {
    const reply = await lastOf(redis, [
      ["SELECT", database],
      ["SLOTSSCAN", slotId, cursor, "COUNT", SCAN_COUNT],
    ]);
    const [next, keys] = reply as [Uint8Array, Uint8Array[]];
    cursor = replyText(next);
    if (keys.length > 0) yield keys;
    if (cursor === "0") return;
  }
}

/** All keys of slots in one database: as few steps as there can be, because clients wait. */
async function keysOfSlots(
  redis: RedisConnection,
  database: number,
  slotIds: readonly number[],
): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  let open = slotIds.map((slotId) => ({ slotId, cursor: "0" }));
  while (open.length > 0) {
    const [, ...replies] = await redis.pipeline([
      ["SELECT", database],
      ...open.map(({ slotId, cursor }) => ["SLOTSSCAN", slotId, cursor, "COUNT", SCAN_COUNT]),
    ]);
    open = open.flatMap(({ slotId }, i) => {
      const reply = replies[i]!;
      if (reply instanceof RedisError) throw reply;
      const [next, keys] = reply as [Uint8Array, Uint8Array[]];
      for (const key of keys) found.push(key);
      const cursor = replyText(next);
      return cursor === "0" ? [] : [{ slotId, cursor }];
    });
  }
  return found;
}

/**
 * Tells big keys from others.
 *
 * @throws {RedisUnreachableError | RedisError}
 */
export async function sorted(
  redis: RedisConnection,
  database: number,
  keys: readonly Uint8Array[],
): Promise<{ small: Uint8Array[]; big: Uint8Array[] }> {
  if (keys.length === 0) return { small: [], big: [] };
  const select = ["SELECT", database];
  const [, ...types] = await redis.pipeline([select, ...keys.map((key) => ["TYPE", key])]);
  const small: Uint8Array[] = [];
  const others: { key: Uint8Array; command: string }[] = [];
  for (const [i, key] of keys.entries()) {
    const command = SIZE_COMMANDS[String(types[i])];
    if (command === undefined) small.push(key);
    else others.push({ key, command });
  }
  if (others.length === 0) return { small, big: [] };
  const asked = others.map(({ key, command }) => [command, key]);
  const [, ...sizes] = await redis.pipeline([select, ...asked]);
  const big: Uint8Array[] = [];
  for (const [i, { key }] of others.entries()) {
    (Number(sizes[i]) >= BIG_ELEMENTS ? big : small).push(key);
  }
  return { small, big };
}

/** A key on its way. */
interface UnderWay {
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
  /** The connection that waits for moves. */
  readonly #waiter: RedisConnection;
  #underWay: UnderWay | undefined;

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
   * Opens what is needed besides the connections to both servers.
   *
   * @returns Nothing when the source does not move in chunks.
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
   * Moves a key of our own.
   *
   * @throws {MoveError | RedisUnreachableError}
   */
  async tryOut(): Promise<void> {
    const key = trialKey();
    const select = ["SELECT", TRIAL_DATABASE];
    await this.#waiter.pipeline([select, ["SET", key, "", "PX", TRIAL_MS]]);
    const reply = await this.#exclusive(() => this.#ask(TRIAL_DATABASE, key));
    await this.#waiter.pipeline([select, ["DEL", key]]);
    await this.#target.pipeline([select, ["DEL", key]]);
    if (reply instanceof RedisError && !isOfOthers(reply)) throw this.#error(key, reply);
  }

  /**
   * Moves a key.
   *
   * @throws {MoveError | RedisUnreachableError}
   */
  async move(key: Uint8Array, { database, slotId, slotIds, signal }: SlotMove): Promise<void> {
    const { moveLock, note, pair: { target }, progress } = this.#context;
    const text = textOfKey(key);
    note(slotId, `moves key "${text}" of database ${database} in chunks`);
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
        const isClosed = /connection closed/.test(reply.message);
        if (/^ERR interrupted/.test(reply.message) && !isClosed) {
          moveLock(target).lateCopies = "some";
        }
        // What has ended it may have been us: the slot is wanted elsewhere, or nothing is to move now.
        if (!slotIds.has(slotId)) return;
        signal.throwIfAborted();
        const mayAgain = isOfOthers(reply)
          ? performance.now() - sinceMs < PATIENCE_MS
          : /^ERR interrupted/.test(reply.message) && tries++ < TRIES;
        if (!mayAgain) throw this.#error(key, reply);
        await moveLock(target).exclusive(async () => {
          if (moveLock(target).lateCopies !== "some") return;
          await endRestores(this.#target, true);
          moveLock(target).lateCopies = "none";
        });
        await sleep(REST_MS, signal);
      }
    } finally {
      note(slotId, "");
    }
  }

  /** Runs `body` while neither server gives or gets keys of ours: a server does only one at a time. */
  #exclusive<T>(body: () => Promise<T>): Promise<T> {
    const { moveLock, pair } = this.#context;
    return lockBoth(moveLock, pair, body);
  }

  /** Asks for a move; breaks off when the source is gone, and cancels it when nobody wants it any more. */
  async #watched(
    key: Uint8Array,
    database: number,
    slotId: number,
    signal: AbortSignal,
  ): Promise<RedisValue> {
    const done = this.#ask(database, key);
    const underWay = this.#underWay = { slotId, database, done, isCancelled: false };
    const cancel = () => this.#cancel(underWay);
    signal.addEventListener("abort", cancel);
    let unanswered = 0;
    const look = setInterval(() => {
      if (++unanswered === SILENT_LOOKS) this.#breakOff();
      this.#source.call("PING").then(() => unanswered = 0, () => this.#waiter.close());
      // The source would wait for it much longer.
      this.#target.call("PING").catch(cancel);
    }, LOOK_TIMES * this.#context.options.migrateMs);
    try {
      return await done;
    } finally {
      clearInterval(look);
      signal.removeEventListener("abort", cancel);
      this.#underWay = undefined;
    }
  }

  /** The source is silent: what it sends when it goes on must not arrive. */
  async #breakOff(): Promise<void> {
    try {
      await endRestores(this.#target, true);
    } catch (error) {
      const { source, target } = this.#context.pair;
      const { message } = error as Error;
      this.#context.control.report(
        "error",
        `a key from ${source} may come late: ${target}: ${message}`,
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

  #cancel(underWay: UnderWay): void {
    if (underWay.isCancelled) return;
    underWay.isCancelled = true;
    const { database } = underWay;
    this.#source.pipeline([["SELECT", database], ["SLOTSMGRT-ASYNC-CANCEL"]]).catch(() => {});
  }

  #error(key: Uint8Array, { message }: RedisError): MoveError {
    const { source, target } = this.#context.pair;
    return new MoveError(
      `${source} cannot give key "${textOfKey(key)}" to ${target} in chunks: ${message}`,
    );
  }

  /** Resolves when no key of this slot is on its way; one that is comes back. */
  async settled(slotId: number): Promise<void> {
    const underWay = this.#underWay;
    if (underWay?.slotId !== slotId) return;
    this.#cancel(underWay);
    await underWay.done.catch(() => {});
  }

  /**
   * Deletes what moves that were broken off have left of big keys, before slots turn round: at the source
   * of now, which has got these keys in part, or not at all. Nobody uses the slots meanwhile.
   *
   * @throws {RedisUnreachableError | RedisError}
   */
  async dropRests(slotIds: readonly number[]): Promise<void> {
    if (slotIds.length === 0) return;
    for (let database = 0;; database++) {
      const [selected, counts] = await this.#target.pipeline([["SELECT", database], ["SLOTSINFO"]]);
      if (selected instanceof RedisError) return;
      const left = new Set((counts as [number, number][]).map(([slotId]) => slotId));
      const some = slotIds.filter((slotId) => left.has(slotId));
      if (some.length === 0) continue;
      // A move that nobody waits for any more may still be under way.
      await this.#target.call("SLOTSMGRT-ASYNC-FENCE");
      const keys = await keysOfSlots(this.#target, database, some);
      const { big } = await sorted(this.#target, database, keys);
      if (big.length > 0) await lastOf(this.#source, [["SELECT", database], ["DEL", ...big]]);
    }
  }

  /** Ends its connection. */
  close(): void {
    this.#waiter.close();
  }
}

/** Whether a server moves keys in chunks. */
async function knowsChunks(redis: RedisConnection): Promise<boolean> {
  const [reply] = await redis.pipeline([["SLOTSMGRT-ASYNC-STATUS"]]);
  if (!(reply instanceof RedisError)) return true;
  if (/unknown command/i.test(reply.message)) return false;
  throw reply;
}

/** Whether somebody else moves a key of the database. */
function isOfOthers({ message }: RedisError): boolean {
  return /is being migrated|previous operation/.test(message);
}

/** Sends commands; the last reply. */
async function lastOf(
  redis: RedisConnection,
  requests: readonly (readonly Word[])[],
): Promise<RedisValue> {
  const replies = await redis.pipeline(requests);
  for (const reply of replies) if (reply instanceof RedisError) throw reply;
  return replies.at(-1)!;
}
