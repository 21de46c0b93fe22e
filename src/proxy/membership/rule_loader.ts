/**
 * Brings slot rules from the store into force.
 *
 *      stored rules ──► all workers ──► requests are served
 *      pending ones ──► requests held ─► all in flight settled ─► confirmed
 *                           └── holdMs ──► the change is given up in the store; refused until that is done
 *
 * Between two rules no request is under way at any proxy: a key is never used at two servers. The hold is
 * short. If the dashboard that started the change does not end it, a proxy does. The entry in the store is
 * compared and set, so either the change is committed everywhere, or given up everywhere.
 *
 * @module
 */

import { Backoff } from "../../base/backoff.ts";
import { logger } from "../../base/log.ts";
import { sleep } from "../../base/sleep.ts";
import { SYSTEM_TIMERS, type Timers } from "../../base/timers.ts";
import { Turns } from "../../base/turns.ts";
import { BadVersionError, ClosedError } from "../../coordinator/errors.ts";
import type { SlotRule } from "../../hash/placement.ts";
import { areSameRules } from "../../model/slot_rule.ts";
import type { Serving } from "../../router/serving.ts";
import type { SlotTable } from "../../router/slot_table.ts";
import { giveUpSlotRules, loadSlotRules } from "../../store/slot_rules.ts";
import type { Store } from "../../store/store.ts";

/** Longest time that requests are held for a change of rules, in milliseconds. */
export const RULES_HOLD_MS = 6_000;

/** When requests are refused, if the change cannot be given up by then, in milliseconds. */
const REFUSE_MS = 500;
/** Waits between two tries to reach the store. */
const RETRY = { firstMs: 100, maxMs: 1_000 };

const log = logger("proxy");

/** See the header. */
export class RuleLoader {
  readonly #store: Store;
  readonly #table: SlotTable;
  readonly #setServing: (serving: Serving) => void;
  readonly #timers: Timers;
  readonly #holdMs: number;
  #rules: readonly SlotRule[] = [];
  readonly #turns = new Turns(1);
  /** Cancels the bound; requests are held, or refused, as long as it is set. */
  #endHold: (() => void) | undefined;
  readonly #stopping = new AbortController();

  /**
   * Loads nothing yet.
   *
   * @param setServing Says whether requests are served, as far as rules are concerned.
   */
  constructor(
    store: Store,
    table: SlotTable,
    setServing: (serving: Serving) => void,
    timers: Timers = SYSTEM_TIMERS,
    holdMs: number = RULES_HOLD_MS,
  ) {
    this.#store = store;
    this.#table = table;
    this.#setServing = setServing;
    this.#timers = timers;
    this.#holdMs = holdMs;
  }

  /**
   * Puts in force what the store says: rules, or the hold before they change.
   *
   * @returns When the rules are in force, or no request is in flight.
   * @throws {CoordinatorError | RecordError} When the rules cannot be read; they stay as they were.
   */
  load(): Promise<void> {
    return this.#turns.take(() => this.#loadNow());
  }

  /** Ends a hold's bound; what is held stays held. */
  stop(): void {
    this.#stopping.abort();
    this.#endHold?.();
  }

  async #loadNow(): Promise<void> {
    const { rules, pending } = await loadSlotRules(this.#store);
    // A proxy that was away may have missed changes before this one.
    await this.#putInForce(rules);
    if (pending === undefined) return this.#release();
    this.#hold();
    await this.#table.settleAll();
  }

  async #putInForce(rules: readonly SlotRule[]): Promise<void> {
    if (areSameRules(rules, this.#rules)) return;
    await this.#table.setRules(rules);
    this.#rules = rules;
    log.info("slot rules in force: {count}", { count: rules.length });
  }

  #hold(): void {
    if (this.#endHold !== undefined) return;
    log.info("slot rules are about to change: holding requests");
    this.#endHold = this.#timers.after(this.#holdMs, () => this.#giveUp());
    this.#setServing("held");
  }

  #release(): void {
    if (this.#endHold === undefined) return;
    this.#endHold();
    this.#endHold = undefined;
    this.#setServing("serving");
  }

  /** The dashboard has not ended the change in time. */
  async #giveUp(): Promise<void> {
    log.error("slot rules: the dashboard has not finished the change, giving it up");
    const cancel = this.#timers.after(REFUSE_MS, () => this.#setServing("refused"));
    try {
      await this.#retryGivingUp();
    } finally {
      cancel();
    }
  }

  async #retryGivingUp(): Promise<void> {
    const backoff = new Backoff(RETRY);
    while (this.#endHold !== undefined && !this.#stopping.signal.aborted) {
      try {
        const stored = await loadSlotRules(this.#store);
        if (stored.pending !== undefined) await giveUpSlotRules(this.#store, stored);
        await this.load();
      } catch (error) {
        if (error instanceof ClosedError) return;
        if (!(error instanceof BadVersionError)) {
          log.error("slot rules cannot be read, refusing requests until they are: {error}", {
            error,
          });
        }
        await sleep(backoff.nextMs(), this.#stopping.signal, this.#timers);
      }
    }
  }
}
