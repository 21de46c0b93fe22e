/**
 * The last minutes of the cluster: requests, waits and sessions for the page's charts, and the load of
 * every slot for rebalancing.
 *
 * @module
 */

import type { HistoryView } from "../api/cluster_view.ts";
import { SLOT_COUNT } from "../hash/slot_id.ts";

/** Steps of the history that are kept: five minutes. */
const HISTORY_STEPS = 300;
/** Rounds over which the load of slots is averaged: a minute. */
const LOAD_ROUNDS = 60;

type Lists = Omit<HistoryView, "step_ms">;

/** One step of the history: the time in Unix milliseconds, and the values at that time. */
export type HistoryStep = { readonly [K in keyof Lists]: Lists[K][number] };

/** One list for each value, oldest first. */
export class History {
  readonly #stepMs: number;
  readonly #lists: { readonly [K in keyof Lists]: Lists[K][number][] } = {
    at: [],
    ops: [],
    p50_ms: [],
    p99_ms: [],
    sessions: [],
  };

  /** @param stepMs Time between two steps, in milliseconds. */
  constructor(stepMs: number) {
    this.#stepMs = stepMs;
  }

  /** The history as the API answers it. Borrows the lists until the next step is added. */
  get view(): HistoryView {
    return { step_ms: this.#stepMs, ...this.#lists };
  }

  /** Adds the newest step, and forgets the oldest one when there are too many. */
  add(step: HistoryStep): void {
    const lists = this.#lists;
    lists.at.push(step.at);
    lists.ops.push(step.ops);
    lists.p50_ms.push(step.p50_ms);
    lists.p99_ms.push(step.p99_ms);
    lists.sessions.push(step.sessions);
    for (const list of Object.values(lists)) if (list.length > HISTORY_STEPS) list.shift();
  }
}

/** Requests per second of each slot, on average over the last minute as far as it was monitored. */
export class SlotLoad {
  readonly #opsBySlot: number[] = new Array<number>(SLOT_COUNT).fill(0);
  /** Rounds that the average is made of. */
  #rounds = 0;

  /** The average, by slot number. Borrows the list until the next round is added. */
  get opsBySlot(): readonly number[] {
    return this.#opsBySlot;
  }

  /** Starts a new average. */
  restart(): void {
    this.#rounds = 0;
  }

  /** Adds one round. */
  add(opsBySlot: readonly number[]): void {
    this.#rounds = Math.min(LOAD_ROUNDS, this.#rounds + 1);
    opsBySlot.forEach((ops, slotId) => {
      this.#opsBySlot[slotId]! += (ops - this.#opsBySlot[slotId]!) / this.#rounds;
    });
  }
}
