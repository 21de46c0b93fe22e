/**
 * Moves slots' keys between codis-servers, which know their slots: SLOTSMGRTTAGSLOT until none is left.
 *
 *      for each database: a few SLOTSMGRTTAGSLOT at once ─► [moved, remaining] … ─► remaining is 0
 *
 * Each moves one key, or all keys of one tag together, and stops the source as long. The target's copy
 * is replaced: a copy that comes late is guarded against by ending the target's connections that may
 * bring it, before keys are moved again. Every error is of a server, not of a key: the task rests a while
 * and goes on where it was.
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

/** Codis 2.0's timeout of SLOTSMGRTTAGSLOT, in milliseconds. */
const TAG_SLOT_MS = 30_000;
/** Longest reply, in milliseconds: Codis 2.0's 5 s were less than what it allowed the server. */
const REPLY_MS = TAG_SLOT_MS + 5_000;
/** Commands under way at once where nothing limits the speed. */
const WINDOW = 8;
/** How long one pass takes at most before it tells which slots are clean, in milliseconds. */
const PASS_MS = 1_000;

/** See the header. */
export class CodisServerMover implements KeyMover {
  readonly kind = "codis-server";
  readonly #context: MoveContext;
  readonly #source: RedisConnection;
  readonly #target: RedisConnection;
  #call: Promise<unknown> = Promise.resolve();

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
    const target = await control.redis(pair.target, REPLY_MS);
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
    const { hostname, port } = parseAddress(this.#context.pair.target);
    const key = trialKey();
    const [, , moved] = await this.#source.pipeline([
      ["SELECT", TRIAL_DATABASE],
      ["SET", key, "", "PX", TRIAL_MS],
      ["SLOTSMGRTONE", hostname, port, TRIAL_MS, key],
      ["DEL", key],
    ]);
    if (moved instanceof RedisError) throw new MoveError(this.#errorText(moved));
    await this.#target.pipeline([["SELECT", TRIAL_DATABASE], ["DEL", key]]);
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
    await endRestores(this.#target, isInDoubt);
    await endRestores(this.#source, isInDoubt);
  }

  async pass(slotIds: ReadonlySet<number>, signal: AbortSignal): Promise<PassResult> {
    const endMs = performance.now() + PASS_MS;
    const clean: number[] = [];
    const databases = databasesIn(await readInfo(this.#source, "keyspace"));
    for (const slotId of [...slotIds]) {
      if (performance.now() > endMs) break;
      let left = 0;
      for (const { database } of databases) {
        await this.#source.call("SELECT", database);
        left += await this.#moveSlot(slotId, slotIds, endMs, signal);
      }
      if (left === 0 && slotIds.has(slotId)) clean.push(slotId);
    }
    return { clean, stuck: new Map(), refused: new Map() };
  }

  /** @returns Keys left in the selected database; more than 0 only when there was no time. */
  async #moveSlot(
    slotId: number,
    slotIds: ReadonlySet<number>,
    endMs: number,
    signal: AbortSignal,
  ): Promise<number> {
    const { pair, pace, progress, gate } = this.#context;
    for (;;) {
      await sleep(pace.restMs(), signal);
      signal.throwIfAborted();
      // Of a slot that was taken away meanwhile, keys may go the other way by now.
      if (!slotIds.has(slotId)) return 0;
      const window = pace.isUnlimited ? WINDOW : 1;
      const startedMs = performance.now();
      const call = gate(pair.target).send(() => this.#ask(slotId, window));
      this.#call = call;
      const replies = await call;
      let left = 0;
      for (const reply of replies) {
        if (reply instanceof RedisError) throw new MoveError(this.#errorText(reply));
        const [moved, remaining] = reply as [number, number];
        left = remaining;
        progress(slotId)?.moved(moved);
        if (moved > 0) pace.called(moved, 0, (performance.now() - startedMs) / window);
      }
      const counted = progress(slotId);
      if (counted !== undefined) counted.keysLeft = left;
      if (left === 0 || performance.now() > endMs) return left;
    }
  }

  #ask(slotId: number, window: number): Promise<RedisValue[]> {
    const { hostname, port } = parseAddress(this.#context.pair.target);
    const words = ["SLOTSMGRTTAGSLOT", hostname, port, TAG_SLOT_MS, slotId];
    return this.#source.pipeline(Array.from({ length: window }, () => words));
  }

  #errorText(error: RedisError): string {
    const { source, target } = this.#context.pair;
    return `${source} cannot give keys to ${target}: ${error.message}`;
  }

  async settled(): Promise<void> {
    await this.#call.catch(() => {});
  }

  close(): void {
    this.#source.close();
    this.#target.close();
  }
}
