/**
 * Moves slots' keys between codis-servers, which know their slots.
 *
 *      for each database: SLOTSINFO ─► for each slot with keys
 *        2.8            SLOTSMGRTTAGSLOT, a few at once ─► [moved, remaining] … ─► remaining is 0
 *        3.2, chunks    SLOTSSCAN ─► small keys: SLOTSMGRTONE, a few at once
 *                                 └► big keys: SLOTSMGRTONE-ASYNC, one after the other (chunk_mover.ts)
 *
 * Each call but the last moves a key, or all keys of one tag together, and stops the source as long. The
 * target's copy is replaced. What happens when one fails:
 *
 *      IOERR, at once        codis-server keeps its connection to a target, and found it closed at the other
 *                            end: nothing was sent. The next call opens another one
 *      IOERR, after its time the copy may lie in a socket: the target's connections that may bring it are
 *                            ended, for which it must answer; then the key is moved again
 *      anything else         is of a server, not of a key: the task rests and goes on where it was
 *
 * Connections of the target are ended only in doubt: among them are those that the source kept, which
 * other proxies' moves use as well. One that was ended is used up by a key of our own.
 *
 * @module
 */

import { parseAddress } from "../../base/address.ts";
import { sleep } from "../../base/sleep.ts";
import type { RedisConnection, Word } from "../../redis/connection.ts";
import { databasesIn, readInfo } from "../../redis/info.ts";
import { RedisError, type RedisValue } from "../../redis/reply.ts";
import { ChunkMover, keysOfSlot, sorted } from "./chunks.ts";
import { type MoveContext, MoveError, type RoundResult, type SlotMover } from "./mover.ts";
import { becomeOnlyMover, endRestores } from "./late_copy_guard.ts";
import { TRIAL_DATABASE, TRIAL_MS, trialKey } from "../../resp/probe_key.ts";

/** Codis 2.0's timeout of SLOTSMGRTTAGSLOT, in milliseconds: for a call that goes alone. */
const PATIENT_MS = 30_000;
/** Timeout of other calls, in times of a stock server's: all keys of a tag go in one. */
const CALL_TIMES = 1.5;
/** Calls under way at once, and commands of one, where nothing limits the speed: a target that hangs stops all. */
const LANES = 2;
const WINDOW = 4;
/** Longest reply, in milliseconds: Codis 2.0's 5 s were less than what it allowed the server. */
const REPLY_MS = PATIENT_MS + 5_000;
/** Longest reply of a target, in milliseconds. */
const TARGET_REPLY_MS = 5_000;
/** How often a call is tried again that finds connections closed: several may be, one by one. */
const CLOSED_TRIES = 4;
/** How long a proxy has to tell whether it follows moves in chunks, in milliseconds. */
const UNTOLD_MS = 15_000;
/** Pause before another look at big keys that must stay, in milliseconds. */
const WAIT_MS = 100;
/** Growth per call of what a key is taken to need: later ones may be larger. */
const KEY_MS_GROWTH = 1.1;
/** How long one pass takes at most before it tells which slots are clean, in milliseconds. */
const PASS_MS = 1_000;

/** What is moved: a slot's keys of one database. */
export interface SlotMove {
  readonly database: number;
  readonly slotId: number;
  /** Looked at again before each call. */
  readonly slotIds: ReadonlySet<number>;
  /** When to tell which slots are clean, in monotonic milliseconds. */
  readonly endMs: number;
  readonly signal: AbortSignal;
  /** Whether big keys may be moved now. */
  readonly mayBeBig: boolean;
}

/** See the header. */
export class CodisServerMover implements SlotMover {
  readonly kind = "codis-server";
  readonly #context: MoveContext;
  readonly #source: RedisConnection;
  readonly #target: RedisConnection;
  /** Only where both servers move keys in chunks. */
  readonly #chunks: ChunkMover | undefined;
  readonly #calls = new Set<Promise<unknown>>();
  /** Calls in a row that found the source's connection closed. */
  #closedTries = 0;
  /** Since when a proxy has not told whether it follows moves in chunks, in monotonic milliseconds. */
  #untoldMs = Infinity;
  /** What one key needs, at the best of late, in milliseconds. */
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
    const opened: RedisConnection[] = [];
    try {
      opened.push(await control.redis(pair.target, TARGET_REPLY_MS));
      opened.push(await control.redis(pair.source, REPLY_MS));
      const [target, source] = opened as [RedisConnection, RedisConnection];
      await becomeOnlyMover(source);
      const chunks = await ChunkMover.open(context, source, target);
      return new CodisServerMover(context, source, target, chunks);
    } catch (error) {
      for (const redis of opened) redis.close();
      throw error;
    }
  }

  async tryOut(): Promise<void> {
    const { source, target } = this.#context.pair;
    const error = await this.#trial(this.#source, this.#target, target);
    if (error !== undefined) {
      throw new MoveError(`${source} cannot give keys to ${target}: ${error}`);
    }
    await this.#chunks?.tryOut();
  }

  /**
   * Moves a key of our own from one server to another, over the connection that the one may have kept:
   * when that was closed, it is used up, and the next one opened.
   *
   * @returns What keeps it.
   */
  async #trial(
    from: RedisConnection,
    to: RedisConnection,
    toAddr: string,
  ): Promise<string | undefined> {
    const { hostname, port } = parseAddress(toAddr);
    const key = trialKey();
    for (let tries = 0;; tries++) {
      const [, , moved] = await from.pipeline([
        ["SELECT", TRIAL_DATABASE],
        ["SET", key, "", "PX", TRIAL_MS],
        ["SLOTSMGRTONE", hostname, port, TRIAL_MS, key],
        ["DEL", key],
      ]);
      if (!(moved instanceof RedisError)) break;
      if (moved.code !== "IOERR" || tries === CLOSED_TRIES) return moved.message;
    }
    await to.pipeline([["SELECT", TRIAL_DATABASE], ["DEL", key]]);
    return undefined;
  }

  /** Nothing to clear: what the target has is replaced, as in Codis. */
  clearTarget(): Promise<ReadonlyMap<number, string>> {
    return Promise.resolve(new Map());
  }

  /** Nothing: codis-server moves a slot's keys as it meets them, and does not say which. */
  survey(): Promise<ReadonlyMap<number, string>> {
    return Promise.resolve(new Map());
  }

  async fence(isInDoubt: boolean, turning: readonly number[]): Promise<void> {
    const { moveLock, pair: { source, target } } = this.#context;
    const isDoubtful = (addr: string) =>
      moveLock(addr).lateCopies === "some" ||
      (isInDoubt && moveLock(addr).lateCopies === "unknown");
    if (isDoubtful(target)) await this.#endCopies(this.#source, this.#target, target);
    if (isDoubtful(source)) await this.#endCopies(this.#target, this.#source, source);
    await this.#chunks?.dropRests(turning);
  }

  /** Ends what may come late to a server; from then on its connections are those of now. */
  async #endCopies(from: RedisConnection, to: RedisConnection, toAddr: string): Promise<void> {
    await endRestores(to, true);
    this.#context.moveLock(toAddr).lateCopies = "none";
    // What keeps it is found out by whoever moves the next key.
    await this.#trial(from, to, toAddr);
  }

  async pass(slotIds: ReadonlySet<number>, signal: AbortSignal): Promise<RoundResult> {
    const endMs = performance.now() + PASS_MS;
    const begun = [...slotIds];
    const unclean = new Set<number>();
    const follows = await this.#doProxiesFollow();
    const chunks = follows === "no" ? undefined : this.#chunks;
    for (const { database } of databasesIn(await readInfo(this.#source, "keyspace"))) {
      const counts = await this.#counts(database);
      const line = begun.filter((slotId) => (counts.get(slotId) ?? 0) > 0);
      for (const slotId of line) {
        const counted = this.#context.progress(slotId);
        if (counted !== undefined) counted.keysLeft = counts.get(slotId)!;
      }
      const lane = async () => {
        for (let slotId = line.shift(); slotId !== undefined; slotId = line.shift()) {
          const mayBeBig = follows === "yes";
          const move = { database, slotId, slotIds, endMs, signal, mayBeBig };
          if (!await this.#moveSlot(move, chunks)) unclean.add(slotId);
        }
      };
      const lanes = await Promise.allSettled(Array.from({ length: LANES }, lane));
      for (const { reason } of lanes as { reason?: unknown }[]) if (reason) throw reason;
    }
    const clean = begun.filter((slotId) => slotIds.has(slotId) && !unclean.has(slotId));
    return { clean, stuck: new Map(), refused: new Map() };
  }

  /** Whether proxies follow moves in chunks; one that does not tell is taken for one that does not. */
  async #doProxiesFollow(): Promise<"yes" | "no" | "unknown"> {
    if (this.#chunks === undefined) return "no";
    const follows = await this.#context.control.movesInChunks();
    if (follows !== "unknown") this.#untoldMs = Infinity;
    else this.#untoldMs = Math.min(this.#untoldMs, performance.now());
    return performance.now() - this.#untoldMs > UNTOLD_MS ? "no" : follows;
  }

  /** Keys of a database at the source, by slot. */
  async #counts(database: number): Promise<Map<number, number>> {
    const [selected, counts] = await this.#source.pipeline([["SELECT", database], ["SLOTSINFO"]]);
    for (const reply of [selected, counts]) if (reply instanceof RedisError) throw reply;
    return new Map(counts as [number, number][]);
  }

  /** @returns Whether no key is left in the database; else there was no time. */
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
      const { small, big } = await sorted(this.#source, database, keys);
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
    // They stay until it is known how to move them.
    if (!mayBeBig) await sleep(WAIT_MS, move.signal);
    return count;
  }

  get #window(): number {
    return this.#context.throttle.isUnlimited && !this.#isLate ? WINDOW : 1;
  }

  /**
   * Moves keys, with all that follows.
   *
   * @returns The replies that are no errors; what was not moved is left for the next time.
   */
  async #call(
    { database, slotId, slotIds, signal }: SlotMove,
    requests: readonly ((where: readonly Word[]) => readonly Word[])[],
  ): Promise<RedisValue[]> {
    const { moveLock, options, throttle, pair: { target }, progress } = this.#context;
    await sleep(throttle.restMs(), signal);
    signal.throwIfAborted();
    // Of a slot that was taken away meanwhile, keys may go the other way by now.
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
      // The source may be at it, or have given it up.
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
      if (moved > 0) throttle.called(moved, 0, this.#workMs(moved, tookMs / words.length));
    }
    if (error === undefined) this.#isWell();
    else await this.#failed(error, tookMs >= callMs, isPatient);
    return moves;
  }

  /** What a call has cost the servers: others' commands before it are no work of ours. */
  #workMs(keys: number, tookMs: number): number {
    this.#keyMs = Math.min(tookMs / keys, this.#keyMs * KEY_MS_GROWTH);
    return keys * this.#keyMs;
  }

  #isWell(): void {
    this.#closedTries = 0;
    this.#isLate = false;
  }

  /**
   * Sees to what a failed call leaves.
   *
   * @throws {MoveError} When it is not to be tried again at once.
   */
  async #failed(error: RedisError, isLate: boolean, wasPatient: boolean): Promise<void> {
    const { moveLock, pair: { source, target } } = this.#context;
    const mayAgain = error.code === "IOERR" &&
      (isLate ? !wasPatient : ++this.#closedTries <= CLOSED_TRIES);
    if (isLate) moveLock(target).lateCopies = "some";
    if (!mayAgain) {
      throw new MoveError(`${source} cannot give keys to ${target}: ${error.message}`);
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
