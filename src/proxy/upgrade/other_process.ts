/**
 * The other process of this proxy, while a new one takes over from an old one, and both serve clients.
 *
 *     action ──► old: in force ──► told to the new ─┐
 *            └─► new: in force ──► told to the old ─┴─► each knows of both ──► answered
 *
 * The old one waits for the new one from the moment on at which that may serve, not while it still reads the table.
 * To the coordinator, both are one proxy: same id, same address, same life, one entry, one fence. So an action
 * is answered only when it is in force in both, and the entry and the fence are removed by who is left. Until the
 * new one may serve, that is the old one, which then does not let it serve any more.
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
  /** Called when there is none any more; who has left waits for it. */
  onGone: () => void | Promise<void> = () => {};
  readonly #timers: Timers;
  readonly #waiters = new Set<Waiter>();
  #life = "";
  #tell: ((action: string) => void) | undefined;
  /** Whether actions must be in force there, too: it may serve. */
  #mayServe = false;
  /** Whether it may not from now on, if it did not before. */
  #isKeptOut = false;
  #hasLeft = false;
  /** The newest action that is in force there; `""` for none. */
  #applied = "";

  constructor(timers: Timers = SYSTEM_TIMERS) {
    this.#timers = timers;
  }

  /** Whether there is one. */
  get isThere(): boolean {
    return this.#tell !== undefined;
  }

  /** What proves its end; `undefined`: there is none. */
  get life(): string | undefined {
    return this.isThere ? this.#life : undefined;
  }

  /** Whether there was one, which is gone: what it had at the coordinator is this one's now. */
  get hasLeft(): boolean {
    return this.#hasLeft && !this.isThere;
  }

  /**
   * There is one from now on.
   *
   * @param mayServe Whether it may be serving already.
   * @param life What proves its end.
   * @param tell Tells it that an action, and all before it, are in force here.
   */
  joined(mayServe: boolean, life: string, tell: (action: string) => void): void {
    this.#mayServe = mayServe;
    this.#life = life;
    this.#applied = "";
    this.#tell = tell;
  }

  /** The newest action that is in force there, as far as it has said; `""` for none. */
  get newestApplied(): string {
    return this.#applied;
  }

  /** Waits for at most `ms` milliseconds until there is none any more; returns whether there is none. */
  async untilGone(ms: number): Promise<boolean> {
    const untilMs = this.#timers.nowMs() + ms;
    while (this.isThere && this.#timers.nowMs() < untilMs) {
      await new Promise<void>((resolve) => void this.#timers.after(GONE_CHECK_MS / 2, resolve));
    }
    return !this.isThere;
  }

  /**
   * It may serve from now on.
   *
   * @throws {Error} When it was kept from that.
   */
  serves(): void {
    if (this.#isKeptOut) throw new Error("it is ending");
    this.#mayServe = true;
  }

  /**
   * Keeps one that may not serve yet from ever doing so beside this one, which ends.
   *
   * @returns Whether none serves beside this one, and none will.
   */
  keepOut(): boolean {
    if (this.isThere && this.#mayServe) return false;
    this.#isKeptOut = true;
    return true;
  }

  /** It serves nobody any more, or never has; resolves when it may end, and with it what is its own. */
  async left(): Promise<void> {
    if (this.#tell === undefined) return;
    this.#tell = undefined;
    this.#hasLeft = true;
    for (const { resolve } of this.#waiters) resolve();
    this.#waiters.clear();
    await this.onGone();
  }

  /** It cannot be reached any more: it counts until it is surely gone. */
  lost(): void {
    if (this.#tell === undefined) return;
    if (isSurelyGone(this.#life)) {
      log.warn("the other process of this proxy is gone");
      return void this.left();
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
   * Waits until an action is in force in the other process, too; not at all when there is none that may serve.
   *
   * @throws {ClosedError} When it is given up.
   */
  untilApplied(name: string, signal: AbortSignal): Promise<void> {
    const isWaitedFor = this.isThere && this.#mayServe && !this.#isApplied(name);
    if (!isWaitedFor) return Promise.resolve();
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
