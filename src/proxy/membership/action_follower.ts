/**
 * Follows the actions of a product: applies what is new, in order, and answers each.
 *
 *     baseline()                         follow()
 *        │ newest action before we         │ watch of actions' names
 *        │ were registered                 ▼
 *        └────────────► last ──────► every newer name, oldest first
 *                                          │ not for us ───────────────► next
 *                                          │ answered already ─────────► next
 *                                          ▼
 *                                     applyAction ──► in force ──► answer ──► next
 *                                          │
 *                                          └─ store unreachable ──► wait, try the same one again
 *
 * The answer goes out only when no request to an old owner is in flight any more: it is on this that
 * the dashboard relies.
 *
 * @module
 */

import { Backoff } from "../../base/backoff.ts";
import { logger } from "../../base/log.ts";
import { ClosedError, CoordinatorError } from "../../coordinator/errors.ts";
import type { Watch } from "../../coordinator/watch.ts";
import type { ActionRecord } from "../../model/action.ts";
import type { ProxyRecord } from "../../model/proxy.ts";
import {
  answerAction,
  isAnswered,
  loadAction,
  loadActionNames,
  watchActionNames,
} from "../../store/actions.ts";
import { compareSequence, sortSequence } from "../../store/sequence.ts";
import type { Store } from "../../store/store.ts";
import { isReceiver } from "./action_receivers.ts";

/** What the follower works for. */
export interface ActionReceiver {
  /** The proxy as it is registered now. */
  record(): ProxyRecord;
  /**
   * Brings an action into force.
   *
   * @returns When nothing of what it changes is in flight any more.
   * @throws {CoordinatorError} When the store cannot be read: the same action is tried again.
   */
  applyAction(action: ActionRecord): Promise<void>;
  /** An action is done with, for us or not, and all before it are. */
  finished(name: string): void;
}

/** Waits between two tries to reach the store. */
const RETRY = { firstMs: 50, maxMs: 3_000 };

const log = logger("proxy");

/** See the header. */
export class ActionFollower {
  readonly #store: Store;
  readonly #receiver: ActionReceiver;
  /** The newest action that is done with; nothing before the first, whose number is 0. */
  #last: string | undefined;
  #watch: Watch<readonly string[]> | undefined;
  #running: Promise<void> = Promise.resolve();
  #wake: (() => void) | undefined;

  /** Follows nothing yet. */
  constructor(store: Store, receiver: ActionReceiver) {
    this.#store = store;
    this.#receiver = receiver;
  }

  /** The newest action that is done with; `""` before the first. */
  get last(): string {
    return this.#last ?? "";
  }

  /**
   * Takes every action that is there as done with. To be called before the proxy registers: none of
   * them can be for it, and all of them are in what it will load.
   *
   * @throws {CoordinatorError} When the store cannot be read.
   */
  async baseline(): Promise<void> {
    this.#last = (await loadActionNames(this.#store)).at(-1);
  }

  /**
   * Begins to follow.
   *
   * @throws {ClosedError} When the coordinator is closed.
   */
  start(): void {
    this.#watch = watchActionNames(this.#store);
    this.#running = this.#follow(this.#watch);
  }

  /** Ends following; resolves when the action at hand, if any, is done with. */
  async stop(): Promise<void> {
    this.#watch?.close();
    this.#watch = undefined;
    this.#wake?.();
    await this.#running;
  }

  async #follow(watch: Watch<readonly string[]>): Promise<void> {
    for await (const names of watch) {
      for (const name of sortSequence(names)) {
        if (this.#watch !== watch) return;
        if (this.#last !== undefined && compareSequence(name, this.#last) <= 0) continue;
        await this.#finish(name);
      }
    }
  }

  /** Does one action, however often it takes. */
  async #finish(name: string): Promise<void> {
    const backoff = new Backoff(RETRY);
    while (this.#watch !== undefined) {
      try {
        await this.#doOnce(name);
        this.#last = name;
        this.#receiver.finished(name);
        return;
      } catch (error) {
        if (error instanceof ClosedError) return;
        if (!(error instanceof CoordinatorError)) {
          // Neither applied nor answered: the dashboard will notice, and the next action is due.
          log.error("action {name} failed: {error}", { name, error });
          this.#last = name;
          return;
        }
        log.warn("action {name} waits for the store: {error}", { name, error });
        await this.#pause(backoff.nextMs());
      }
    }
  }

  async #doOnce(name: string): Promise<void> {
    const action = await loadAction(this.#store, name);
    const own = this.#receiver.record();
    if (!isReceiver(action.receivers, own)) {
      log.debug("action {name} is not for us", { name });
      return;
    }
    if (await isAnswered(this.#store, name, own.id)) return;
    const began = performance.now();
    await this.#receiver.applyAction(action);
    await answerAction(this.#store, name, this.#receiver.record());
    const took = Math.round(performance.now() - began);
    log.info("action {name} {type} done in {took} ms", { name, type: action.type, took });
  }

  /** Waits, but not once {@linkcode ActionFollower.stop} was called. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
