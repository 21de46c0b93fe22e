/**
 * The other process of this proxy, while a new one takes over from an old one, and both serve clients.
 *
 *     action ──► old: in force ──► told to the new ─┐
 *            └─► new: in force ──► told to the old ─┴─► each knows of both ──► answered
 *
 * To the coordinator, both are one proxy: same id, same address, same life, one entry, one fence. So an action
 * is answered only when it is in force in both, and the entry and the fence are removed by who is left.
 * The other one counts until it has said that it serves nobody any more, or is surely gone
 * (`base/process_life.ts`); that a connection to it has ended proves nothing.
 *
 * @module
 */

import { logger } from "../../base/log.ts";
import { isSurelyGone } from "../../base/process_life.ts";
import { SYSTEM_TIMERS, type Timers } from "../../base/timers.ts";
import { ClosedError } from "../../coordinator/errors.ts";
import { compareSequence } from "../../store/sequence.ts";

/** Time between two checks whether a process is gone, in milliseconds. */
const GONE_CHECK_MS = 100;

const log = logger("proxy");

interface Waiter {
  readonly name: string;
  resolve(): void;
}

/** See the header. At first there is none. */
export class OtherProcess {
  /** Called when there is none any more. */
  onGone: () => void = () => {};
  readonly #timers: Timers;
  readonly #waiters = new Set<Waiter>();
  #life = "";
  #tell: ((action: string) => void) | undefined;
  /** The newest action that is in force there; `""` for none. */
  #applied = "";

  constructor(timers: Timers = SYSTEM_TIMERS) {
    this.#timers = timers;
  }

  /** Whether it may be serving clients. */
  get isThere(): boolean {
    return this.#tell !== undefined;
  }

  /**
   * There is one from now on.
   *
   * @param life What proves its end.
   * @param tell Tells it that an action, and all before it, are in force here.
   */
  joined(life: string, tell: (action: string) => void): void {
    this.#life = life;
    this.#applied = "";
    this.#tell = tell;
  }

  /** It serves nobody any more, or never has. */
  left(): void {
    if (this.#tell === undefined) return;
    this.#tell = undefined;
    for (const { resolve } of this.#waiters) resolve();
    this.#waiters.clear();
    this.onGone();
  }

  /** It cannot be reached any more: it counts until it is surely gone. */
  lost(): void {
    if (this.#tell === undefined) return;
    if (isSurelyGone(this.#life)) {
      log.warn("the other process of this proxy is gone");
      return this.left();
    }
    this.#timers.after(GONE_CHECK_MS, () => this.lost());
  }

  /** An action, and all before it, are in force here. */
  haveApplied(action: string): void {
    if (action !== "") this.#tell?.(action);
  }

  /** An action, and all before it, are in force there. */
  hasApplied(action: string): void {
    this.#applied = action;
    for (const waiter of this.#waiters) {
      if (!this.#isApplied(waiter.name)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }

  #isApplied(name: string): boolean {
    return this.#applied !== "" && compareSequence(name, this.#applied) <= 0;
  }

  /**
   * Waits until an action is in force in the other process, too; not at all when there is none.
   *
   * @throws {ClosedError} When it is given up.
   */
  untilApplied(name: string, signal: AbortSignal): Promise<void> {
    if (!this.isThere || this.#isApplied(name)) return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { name, resolve };
    const giveUp = () => {
      this.#waiters.delete(waiter);
      reject(new ClosedError(name, "wait for"));
    };
    this.#waiters.add(waiter);
    if (signal.aborted) giveUp();
    signal.addEventListener("abort", giveUp);
    return promise.finally(() => signal.removeEventListener("abort", giveUp));
  }
}
