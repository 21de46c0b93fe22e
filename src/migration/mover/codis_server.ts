/**
 * Moves slots' keys between codis-servers, which know their slots.
 *
 *      for each database: SLOTSINFO ─► for each slot with keys
 *        2.8            SLOTSMGRTTAGSLOT, a few at once ─► [moved, remaining] … ─► remaining is 0
 *        3.2, chunks    SLOTSSCAN ─► small keys: SLOTSMGRTONE, a few at once
 *                                 └► big keys: SLOTSMGRTONE-ASYNC, one after the other (chunks.ts)
 *
 * Each call but the last moves a key, or all keys of one tag together; the source stops meanwhile. The
 * target's copy is replaced. What happens when a call fails:
 *
 *      IOERR, at once        codis-server keeps its connection to a target, and found that the target had
 *                            closed it: nothing was sent. The next call opens another one
 *      IOERR, after a while  the copy may be in a socket: the target's connections that may bring it are
 *                            closed, for which the target must answer; then the key is moved again
 *      anything else         is about a server, not about a key: the task waits and goes on where it was
 *
 * Connections of the target are closed only when late copies are possible: among them are those that the
 * source keeps, which the moves of proxies use as well. A probe key uses up one that was closed.
 *
 * @module
 */

import { parseAddress } from "../../base/address.ts";
import { sleep } from "../../base/sleep.ts";
import type { RedisConnection, Word } from "../../redis/connection.ts";
import { databasesIn, readInfo } from "../../redis/info.ts";
import { RedisError, type RedisValue } from "../../redis/reply.ts";
import { ChunkMover } from "./chunks.ts";
import { countsOfSlots, keysOfSlot, splitBySize } from "./codis_keys.ts";
import {
  type MoveContext,
  MoveError,
  type RoundResult,
  type SlotMover,
  SLOTS_AT_ONCE,
} from "./mover.ts";
import { becomeOnlyMover, endRestores } from "./late_copy_guard.ts";
import { PROBE_DATABASE, PROBE_MS, probeKey } from "../../resp/probe_key.ts";

/** Codis 2.0's timeout of SLOTSMGRTTAGSLOT, in milliseconds: for a call that goes alone. */
const PATIENT_MS = 30_000;
/** Timeout of other calls, in times of a stock server's: all keys of a tag go in one. */
const CALL_TIMES = 1.5;
/** Calls at once, and commands of one call, where nothing limits the speed: a target that hangs stops all. */
const WORKERS = 2;
const WINDOW = 4;
/** Longest reply, in milliseconds: Codis 2.0's 5 s were less than what it allowed the server. */
const REPLY_MS = PATIENT_MS + 5_000;
/** Longest reply of a target, in milliseconds. */
const TARGET_REPLY_MS = 5_000;
/** How often a call is tried again that finds connections closed: several may be, one by one. */
const CLOSED_TRIES = 4;
/** How long a proxy may leave unsaid whether it follows moves in chunks, in milliseconds. */
const UNKNOWN_MS = 15_000;
/** Wait before big keys that must stay are read again, in milliseconds. */
const WAIT_MS = 100;
/** Growth per call of the time that a key is taken to need: later keys may be larger. */
const KEY_MS_GROWTH = 1.1;
/** Longest time of one round before it returns which slots are clean, in milliseconds. */
const ROUND_MS = 1_000;

/** What is moved: a slot's keys of one database. */
interface SlotMove {
  readonly database: number;
  readonly slotId: number;
  /** Read again before each call. */
  readonly slotIds: ReadonlySet<number>;
  /** When the round ends, in monotonic milliseconds. */
  readonly endMs: number;
  readonly signal: AbortSignal;
  /** Whether big keys may be moved now. */
  readonly mayBeBig: boolean;
}

/** See the header. */
export class CodisServerMover implements SlotMover {
  readonly kind = "codis-server";
  readonly scansAhead = false;
  readonly #context: MoveContext;
  readonly #source: RedisConnection;
  readonly #target: RedisConnection;
  /** Only where both servers move keys in chunks. */
  readonly #chunks: ChunkMover | undefined;
  readonly #calls = new Set<Promise<unknown>>();
  /** Calls in a row that found the source's connection closed at the target, and moved nothing. */
  #closedTries = 0;
  /** Since when it is unknown whether all proxies follow moves in chunks, in monotonic milliseconds. */
  #unknownSinceMs = Infinity;
  /** The time that one key needed, the best of recent calls, in milliseconds. */
  #keyMs = Infinity;
  /** Whether the last call took as long as its timeout. */
  #isLate = false;

  private constructor(
    context: MoveContext,
    source: RedisConnection,
    target: RedisConnection,
    chunks: ChunkMover | undefined,
  ) {
    this.#context = context;
    this.#source = source;
    this.#target = target;
    this.#chunks = chunks;
  }

  /**
   * Connects to both servers; any other mover of the source's keys ends.
   *
   * @throws {MoveError} When the target is older than the source's keys.
   * @throws {RedisUnreachableError | RedisError}
   */
  static async open(context: MoveContext): Promise<CodisServerMover> {
    const { control, pair } = context;
    using opened = new DisposableStack();
    const target = opened.use(await control.redis(pair.target, TARGET_REPLY_MS));
    const source = opened.use(await control.redis(pair.source, REPLY_MS));
    await becomeOnlyMover(source);
    const chunks = await ChunkMover.open(context, source, target);
    opened.move();
    return new CodisServerMover(context, source, target, chunks);
  }

  /** Its keys are found slot by slot: more at once are no faster. */
  slotsAtOnce(): Promise<number> {
    return Promise.resolve(SLOTS_AT_ONCE);
  }

  async probe(): Promise<void> {
    const { source, target } = this.#context.pair;
    const error = await this.#moveProbe(this.#source, this.#target, target);
    if (error !== undefined) {
      throw new MoveError(`keys cannot be moved from ${source} to ${target}: ${error}`);
    }
    await this.#chunks?.probe();
  }

  /**
   * Moves a probe key from one server to another, over the connection that the first may have kept: one
   * that was closed is used up, and the next one opened.
   *
   * @returns Why it does not move.
   */
  async #moveProbe(
    from: RedisConnection,
    to: RedisConnection,
    toAddr: string,
  ): Promise<string | undefined> {
    const { hostname, port } = parseAddress(toAddr);
    const key = probeKey();
    for (let tries = 0;; tries++) {
      const [, , moved] = await from.pipeline([
        ["SELECT", PROBE_DATABASE],
        ["SET", key, "", "PX", PROBE_MS],
        ["SLOTSMGRTONE", hostname, port, PROBE_MS, key],
        ["DEL", key],
      ]);
      if (!(moved instanceof RedisError)) break;
      if (moved.code !== "IOERR" || tries === CLOSED_TRIES) return moved.message;
    }
    await to.pipeline([["SELECT", PROBE_DATABASE], ["DEL", key]]);
    return undefined;
  }

  /** Nothing to clear: the target's copies are replaced, as in Codis. */
  clearTarget(): Promise<ReadonlyMap<number, string>> {
    return Promise.resolve(new Map());
  }

  /** Finds nothing: codis-server moves a slot's keys as it meets them, and does not say which. */
  findBigKeys(): Promise<ReadonlyMap<number, string>> {
    return Promise.resolve(new Map());
  }

  async endLateCopies(mayHaveLateCopies: boolean, reversing: readonly number[]): Promise<void> {
    const { moveLock, pair: { source, target } } = this.#context;
    const mayGetCopies = (addr: string) =>
      moveLock(addr).lateCopies === "some" ||
      (mayHaveLateCopies && moveLock(addr).lateCopies === "unknown");
    if (mayGetCopies(target)) await this.#endCopies(this.#source, this.#target, target);
    if (mayGetCopies(source)) await this.#endCopies(this.#target, this.#source, source);
    await this.#chunks?.dropParts(reversing);
  }

  /** Closes a server's connections that may bring late copies. */
  async #endCopies(from: RedisConnection, to: RedisConnection, toAddr: string): Promise<void> {
    await endRestores(to, true);
    this.#context.moveLock(toAddr).lateCopies = "none";
    // The next call finds out what keeps it.
    await this.#moveProbe(from, to, toAddr);
  }

  async moveRound(slotIds: ReadonlySet<number>, signal: AbortSignal): Promise<RoundResult> {
    const endMs = performance.now() + ROUND_MS;
    const started = [...slotIds];
    const unclean = new Set<number>();
    const follows = await this.#doProxiesFollow();
    const chunks = follows === "no" ? undefined : this.#chunks;
    for (const { database } of databasesIn(await readInfo(this.#source, "keyspace"))) {
      const counts = await countsOfSlots(this.#source, database);
      const queue = started.filter((slotId) => (counts.get(slotId) ?? 0) > 0);
      for (const slotId of queue) {
        const counted = this.#context.progress(slotId);
        if (counted !== undefined) counted.keysLeft = counts.get(slotId)!;
      }
      const work = async () => {
        for (let slotId = queue.shift(); slotId !== undefined; slotId = queue.shift()) {
          const mayBeBig = follows === "yes";
          const move = { database, slotId, slotIds, endMs, signal, mayBeBig };
          if (!await this.#moveSlot(move, chunks)) unclean.add(slotId);
        }
      };
      const workers = await Promise.allSettled(Array.from({ length: WORKERS }, work));
      for (const { reason } of workers as { reason?: unknown }[]) if (reason) throw reason;
    }
    const clean = started.filter((slotId) => slotIds.has(slotId) && !unclean.has(slotId));
    return { clean, stuck: new Map(), refused: new Map() };
  }

  /** Whether proxies follow moves in chunks; `unknown` for long counts as `no`. */
  async #doProxiesFollow(): Promise<"yes" | "no" | "unknown"> {
    if (this.#chunks === undefined) return "no";
    const follows = await this.#context.control.proxiesFollow("follows_chunks");
    if (follows !== "unknown") this.#unknownSinceMs = Infinity;
    else this.#unknownSinceMs = Math.min(this.#unknownSinceMs, performance.now());
    return performance.now() - this.#unknownSinceMs > UNKNOWN_MS ? "no" : follows;
  }

  /** @returns Whether no key is left in the database; if not, the round had no more time. */
  async #moveSlot(move: SlotMove, chunks: ChunkMover | undefined): Promise<boolean> {
    while (performance.now() < move.endMs && move.slotIds.has(move.slotId)) {
      const left = chunks === undefined
        ? await this.#moveTags(move)
        : await this.#moveKeys(move, chunks);
      if (left === 0) return true;
    }
    return false;
  }

  /** @returns Keys left. */
  async #moveTags(move: SlotMove): Promise<number> {
    const { slotId } = move;
    const requests = Array.from(
      { length: this.#window },
      () => (where: readonly Word[]) => ["SLOTSMGRTTAGSLOT", ...where, slotId],
    );
    const replies = await this.#call(move, requests) as [number, number][];
    const left = replies.at(-1)?.[1] ?? Infinity;
    const counted = this.#context.progress(slotId);
    if (counted !== undefined && left !== Infinity) counted.keysLeft = left;
    return left;
  }

  /** @returns Keys left, at least. */
  async #moveKeys(move: SlotMove, chunks: ChunkMover): Promise<number> {
    const { database, endMs, mayBeBig, slotId, slotIds } = move;
    let count = 0;
    for await (const keys of keysOfSlot(this.#source, database, slotId)) {
      count += keys.length;
      const { small, big } = await splitBySize(this.#source, database, keys);
      while (small.length > 0 && slotIds.has(slotId)) {
        const requests = small.splice(0, this.#window)
          .map((key) => (where: readonly Word[]) => ["SLOTSMGRTONE", ...where, key]);
        await this.#call(move, requests);
        if (performance.now() > endMs) return 1;
      }
      for (const key of big) {
        if (slotIds.has(slotId) && mayBeBig) await chunks.move(key, move);
        if (performance.now() > endMs) return 1;
      }
    }
    // Big keys stay until it is known how they may be moved.
    if (!mayBeBig) await sleep(WAIT_MS, move.signal);
    return count;
  }

  get #window(): number {
    return this.#context.throttle.isUnlimited && !this.#isLate ? WINDOW : 1;
  }

  /**
   * Makes one call that moves keys.
   *
   * @returns The replies that are no errors; keys that were not moved are left for the next call.
   */
  async #call(
    { database, slotId, slotIds, signal }: SlotMove,
    requests: readonly ((where: readonly Word[]) => readonly Word[])[],
  ): Promise<RedisValue[]> {
    const { moveLock, options, throttle, pair: { target }, progress } = this.#context;
    await sleep(throttle.restMs(), signal);
    signal.throwIfAborted();
    // A slot that was taken out meanwhile may move the other way by now.
    if (!slotIds.has(slotId)) return [];
    const isPatient = this.#isLate;
    const callMs = isPatient ? PATIENT_MS : CALL_TIMES * options.migrateMs;
    const { hostname, port } = parseAddress(target);
    const words = requests.map((request) => request([hostname, port, callMs]));
    let startedMs = 0;
    const call = moveLock(target).shared(() => {
      startedMs = performance.now();
      return this.#source.pipeline([["SELECT", database], ...words]);
    });
    this.#calls.add(call);
    let replies: RedisValue[];
    try {
      replies = await call;
    } catch (error) {
      // The source may still move the keys, or have given up.
      moveLock(target).lateCopies = "some";
      throw error;
    } finally {
      this.#calls.delete(call);
    }
    const tookMs = performance.now() - startedMs;
    const error = replies.find((reply) => reply instanceof RedisError);
    const moves = replies.slice(1).filter((reply) => !(reply instanceof RedisError));
    for (const reply of moves) {
      const moved = typeof reply === "number" ? reply : (reply as [number, number])[0];
      progress(slotId)?.moved(moved);
      if (moved === 0) continue;
      this.#closedTries = 0;
      throttle.called(moved, 0, this.#workMs(moved, tookMs / words.length));
    }
    if (error === undefined) this.#isWell();
    else await this.#failed(error, tookMs >= callMs, isPatient);
    return moves;
  }

  /** The time that a call has cost the servers, without the commands of others that came before it. */
  #workMs(keys: number, tookMs: number): number {
    this.#keyMs = Math.min(tookMs / keys, this.#keyMs * KEY_MS_GROWTH);
    return keys * this.#keyMs;
  }

  #isWell(): void {
    this.#closedTries = 0;
    this.#isLate = false;
  }

  /**
   * Handles a failed call.
   *
   * @throws {MoveError} When it should not be tried again at once.
   */
  async #failed(error: RedisError, isLate: boolean, wasPatient: boolean): Promise<void> {
    const { moveLock, pair: { source, target } } = this.#context;
    const mayRetry = error.code === "IOERR" &&
      (isLate ? !wasPatient : ++this.#closedTries <= CLOSED_TRIES);
    if (isLate) moveLock(target).lateCopies = "some";
    if (!mayRetry) {
      throw new MoveError(`keys cannot be moved from ${source} to ${target}: ${error.message}`);
    }
    if (!isLate) return;
    this.#isLate = true;
    await moveLock(target).exclusive(async () => {
      if (moveLock(target).lateCopies === "some") {
        await this.#endCopies(this.#source, this.#target, target);
      }
    });
  }

  async settled(slotId: number): Promise<void> {
    await Promise.allSettled([...this.#calls, this.#chunks?.settled(slotId)]);
  }

  close(): void {
    this.#source.close();
    this.#target.close();
    this.#chunks?.close();
  }
}
