/**
 * SUBSCRIBEs and UNSUBSCRIBEs that are on their way to the servers, in all workers of a proxy.
 *
 *      SUBSCRIBE read ─► begun ─► connects, sent ─► every server has acknowledged ─► ended
 *      PUBLISH read ─► begun before it for its channel, not ended? ─► it waits ─► sent
 *
 * With one Redis a SUBSCRIBE is in force as soon as it was read, and programs count on it: they send it,
 * and without waiting for its answer do over another connection what makes somebody publish. Here a
 * subscriber may have to connect first, so a PUBLISH that was read later must not overtake it.
 *
 * Channels are counted by their slots, which is near enough: a PUBLISH may wait for another channel's
 * SUBSCRIBE, but for no longer than a connection to a server may take.
 *
 * @module
 */

import { SLOT_COUNT } from "../../hash/slot_id.ts";
import type { BudgetWaiter } from "../client/byte_budget.ts";

/** The cell of all patterns: a PUBLISH to any channel may match one. */
export const PATTERNS_CELL = SLOT_COUNT;
const CELLS = SLOT_COUNT + 1;
/** How often it is looked at whether a PUBLISH may go on, in milliseconds. */
const LOOK_MS = 1;

/** How many numbers each worker has for it: for each cell how many were started, then how many have ended. */
export const SUBSCRIBING_NUMBERS = 2 * CELLS;

/** The numbers of all workers of a proxy, one worker after the other. */
export interface SubscribingCounts {
  readonly numbers: Int32Array;
  /** Which worker's are ours. */
  readonly index: number;
}

/** A worker has died: nothing of its is on its way any more. */
export function endSubscribing({ numbers, index }: SubscribingCounts): void {
  const first = index * SUBSCRIBING_NUMBERS;
  for (let cell = first; cell < first + CELLS; cell++) {
    Atomics.store(numbers, CELLS + cell, Atomics.load(numbers, cell));
  }
}

/** A client whose PUBLISH waits. */
interface Waiting {
  readonly sinceMs: number;
  /** Cells, and how many SUBSCRIBEs of each must have ended. */
  readonly targets: readonly (readonly [cell: number, begun: number])[];
}

/** See the header. */
export class Subscribing {
  readonly #numbers: Int32Array;
  /** Where ours begin. */
  readonly #first: number;
  /** How long a PUBLISH waits at most. */
  limitMs: number;
  readonly #waiting = new Map<BudgetWaiter, Waiting>();
  /** Clients that have waited, and not asked again yet. */
  #passed = new WeakSet<BudgetWaiter>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param counts All zeros at first.
   * @param limitMs How long a PUBLISH waits at most.
   */
  constructor({ numbers, index }: SubscribingCounts, limitMs: number) {
    this.#numbers = numbers;
    this.#first = index * SUBSCRIBING_NUMBERS;
    this.limitMs = limitMs;
  }

  /** A SUBSCRIBE or UNSUBSCRIBE begins; the function that is returned is called once it has ended. */
  begin(cells: readonly number[]): () => void {
    for (const cell of cells) Atomics.add(this.#numbers, this.#first + cell, 1);
    let isEnded = false;
    return () => {
      if (isEnded) return;
      isEnded = true;
      for (const cell of cells) Atomics.add(this.#numbers, this.#first + CELLS + cell, 1);
    };
  }

  /**
   * Whether a client's PUBLISH must wait: then the client is resumed when to ask again.
   *
   * @param cells The slots of its channels.
   */
  holds(client: BudgetWaiter, cells: readonly number[]): boolean {
    if (this.#passed.delete(client)) return false;
    const targets: Waiting["targets"][number][] = [];
    for (const cell of [PATTERNS_CELL, ...cells]) {
      const begun = this.#sum(cell);
      if (!this.#hasEnded(cell, begun)) targets.push([cell, begun]);
    }
    if (targets.length === 0) return false;
    this.#waiting.set(client, { sinceMs: performance.now(), targets });
    this.#timer ??= setTimeout(() => this.#look(), LOOK_MS);
    return true;
  }

  #hasEnded(cell: number, begun: number): boolean {
    return ((this.#sum(CELLS + cell) - begun) | 0) >= 0; // both may wrap around
  }

  /** A number of all workers together. */
  #sum(at: number): number {
    let sum = 0;
    for (; at < this.#numbers.length; at += SUBSCRIBING_NUMBERS) {
      sum = (sum + Atomics.load(this.#numbers, at)) | 0;
    }
    return sum;
  }

  #look(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const [client, { sinceMs, targets }] of [...this.#waiting]) {
      const isOver = now - sinceMs > this.limitMs ||
        targets.every(([cell, begun]) => this.#hasEnded(cell, begun));
      if (!isOver) continue;
      this.#waiting.delete(client);
      this.#passed.add(client);
      client.resume();
    }
    if (this.#waiting.size > 0) this.#timer = setTimeout(() => this.#look(), LOOK_MS);
  }

  /** The router stops. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting.clear();
    this.#passed = new WeakSet();
  }
}
