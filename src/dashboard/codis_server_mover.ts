/**
 * Moves slots' keys between codis-servers, which know their slots: SLOTSMGRTTAGSLOT until none is left.
 *
 *      for each database: a few SLOTSMGRTTAGSLOT at once ─► [moved, remaining] … ─► remaining is 0
 *
 * Each moves one key, or all keys of one tag together, and stops the source as long. The target's copy
 * is replaced. What happens when a call fails:
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

import { parseAddress } from "../base/address.ts";
import { sleep } from "../base/sleep.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { databasesIn, readInfo } from "../redis/info.ts";
import { RedisError, type RedisValue } from "../redis/reply.ts";
import { type KeyMover, type MoveContext, MoveError, type PassResult } from "./key_mover.ts";
import { becomeOnlyMover, endRestores } from "./restore_fence.ts";
import { TRIAL_DATABASE, TRIAL_MS, trialKey } from "./trial_key.ts";

/** Codis 2.0's timeout of SLOTSMGRTTAGSLOT, in milliseconds: for a call that goes alone. */
const PATIENT_MS = 30_000;
/** Timeout of other calls, in times of a stock server's: all keys of a tag go in one. */
const CALL_TIMES = 2.5;
/** Commands under way at once where nothing limits the speed: a target that hangs stops all of them. */
const WINDOW = 4;
/** Longest reply, in milliseconds: Codis 2.0's 5 s were less than what it allowed the server. */
const REPLY_MS = PATIENT_MS + 5_000;
/** Longest reply of a target, in milliseconds. */
const TARGET_REPLY_MS = 5_000;
/** How often a call is tried again that finds connections closed: several may be, one by one. */
const CLOSED_TRIES = 4;
/** Growth per call of what a key is taken to need: later ones may be larger. */
const KEY_MS_GROWTH = 1.1;
/** How long one pass takes at most before it tells which slots are clean, in milliseconds. */
const PASS_MS = 1_000;

/** See the header. */
export class CodisServerMover implements KeyMover {
  readonly kind = "codis-server";
  readonly #context: MoveContext;
  readonly #source: RedisConnection;
  readonly #target: RedisConnection;
  #call: Promise<unknown> = Promise.resolve();
  /** Calls in a row that found the source's connection closed. */
  #closedTries = 0;
  /** What one key needs, at the best of late, in milliseconds. */
  #keyMs = Infinity;
  /** Whether the last call took as long as its timeout. */
  #isLate = false;

  private constructor(context: MoveContext, source: RedisConnection, target: RedisConnection) {
    this.#context = context;
    this.#source = source;
    this.#target = target;
  }

  /**
   * Connects to both servers; any other mover of the source's keys ends.
   *
   * @throws {RedisUnreachableError | RedisError}
   */
  static async open(context: MoveContext): Promise<CodisServerMover> {
    const { control, pair } = context;
    const target = await control.redis(pair.target, TARGET_REPLY_MS);
    try {
      const source = await control.redis(pair.source, REPLY_MS);
      try {
        await becomeOnlyMover(source);
        return new CodisServerMover(context, source, target);
      } catch (error) {
        source.close();
        throw error;
      }
    } catch (error) {
      target.close();
      throw error;
    }
  }

  async tryOut(): Promise<void> {
    const { source, target } = this.#context.pair;
    const error = await this.#trial(this.#source, this.#target, target);
    if (error !== undefined) {
      throw new MoveError(`${source} cannot give keys to ${target}: ${error}`);
    }
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

  async fence(isInDoubt: boolean): Promise<void> {
    const { gate, pair: { source, target } } = this.#context;
    const isDoubtful = (addr: string) =>
      gate(addr).doubt === "some" || (isInDoubt && gate(addr).doubt === "unknown");
    if (isDoubtful(target)) await this.#endCopies(this.#source, this.#target, target);
    if (isDoubtful(source)) await this.#endCopies(this.#target, this.#source, source);
  }

  /** Ends what may come late to a server; from then on its connections are those of now. */
  async #endCopies(from: RedisConnection, to: RedisConnection, toAddr: string): Promise<void> {
    await endRestores(to, true);
    this.#context.gate(toAddr).doubt = "none";
    // What keeps it is found out by whoever moves the next key.
    await this.#trial(from, to, toAddr);
  }

  async pass(slotIds: ReadonlySet<number>, signal: AbortSignal): Promise<PassResult> {
    const endMs = performance.now() + PASS_MS;
    const begun = [...slotIds];
    const unclean = new Set<number>();
    const databases = databasesIn(await readInfo(this.#source, "keyspace"));
    for (const { database } of databases) {
      await this.#source.call("SELECT", database);
      const counts = keysBySlot(await this.#source.call("SLOTSINFO"));
      for (const slotId of begun) {
        const count = counts.get(slotId) ?? 0;
        if (count === 0 || !slotIds.has(slotId)) continue;
        const counted = this.#context.progress(slotId);
        if (counted !== undefined) counted.keysLeft = count;
        const left = performance.now() > endMs ||
          await this.#moveSlot(slotId, slotIds, endMs, signal) > 0;
        if (left) unclean.add(slotId);
      }
    }
    const clean = begun.filter((slotId) => slotIds.has(slotId) && !unclean.has(slotId));
    return { clean, stuck: new Map(), refused: new Map() };
  }

  /** @returns Keys left in the selected database; more than 0 only when there was no time. */
  async #moveSlot(
    slotId: number,
    slotIds: ReadonlySet<number>,
    endMs: number,
    signal: AbortSignal,
  ): Promise<number> {
    const { options, pace, progress } = this.#context;
    for (;;) {
      await sleep(pace.restMs(), signal);
      signal.throwIfAborted();
      // Of a slot that was taken away meanwhile, keys may go the other way by now.
      if (!slotIds.has(slotId)) return 0;
      const count = pace.isUnlimited && !this.#isLate ? WINDOW : 1;
      const callMs = this.#isLate ? PATIENT_MS : CALL_TIMES * options.migrateMs;
      const startedMs = performance.now();
      const replies = await this.#ask(slotId, count, callMs);
      const tookMs = performance.now() - startedMs;
      let left = Infinity;
      let error: RedisError | undefined;
      for (const reply of replies) {
        if (reply instanceof RedisError) {
          error ??= reply;
          continue;
        }
        const [moved, remaining] = reply as [number, number];
        left = remaining;
        progress(slotId)?.moved(moved);
        if (moved > 0) pace.called(moved, 0, this.#workMs(moved, tookMs / count));
      }
      if (error !== undefined) await this.#failed(error, tookMs >= callMs);
      else this.#isWell();
      const counted = progress(slotId);
      if (counted !== undefined && left !== Infinity) counted.keysLeft = left;
      if (left === 0 || performance.now() > endMs) return left;
    }
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
  async #failed(error: RedisError, isLate: boolean): Promise<void> {
    const { gate, pair: { source, target } } = this.#context;
    const mayAgain = error.code === "IOERR" &&
      (isLate ? !this.#isLate : ++this.#closedTries <= CLOSED_TRIES);
    if (isLate) gate(target).doubt = "some";
    if (!mayAgain) {
      throw new MoveError(`${source} cannot give keys to ${target}: ${error.message}`);
    }
    if (!isLate) return;
    this.#isLate = true;
    await gate(target).alone(() => this.#endCopies(this.#source, this.#target, target));
  }

  async #ask(slotId: number, count: number, callMs: number): Promise<RedisValue[]> {
    const { gate, pair: { target } } = this.#context;
    const { hostname, port } = parseAddress(target);
    const words = ["SLOTSMGRTTAGSLOT", hostname, port, callMs, slotId];
    const requests = Array.from({ length: count }, () => words);
    const call = gate(target).send(() => this.#source.pipeline(requests));
    this.#call = call;
    try {
      return await call;
    } catch (error) {
      // The source may be at it, or have given it up.
      gate(target).doubt = "some";
      throw error;
    }
  }

  async settled(): Promise<void> {
    await this.#call.catch(() => {});
  }

  close(): void {
    this.#source.close();
    this.#target.close();
  }
}

/** The keys of each slot that has any, from the reply of SLOTSINFO. */
function keysBySlot(reply: RedisValue): Map<number, number> {
  return new Map(reply as [number, number][]);
}
