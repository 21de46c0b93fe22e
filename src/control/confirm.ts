/**
 * Waits until every proxy has confirmed an action, and decides about those that do not.
 *
 *     action stored ──► every online proxy confirms ──► done
 *                         │ late ──► asked over HTTP what it waits for
 *                         │ late, Codis 2.0, or the action is gone ──► action sent again
 *                         │ gone, and started again: it reads what is stored now ──► as confirmed
 *                         │ gone, or its HTTP port refuses connections ──► UnconfirmedError
 *                         │ hangs while a failover waits ──► UnconfirmedError, at once
 *                         └ silent for too long ──► marked offline, UnconfirmedError
 *
 * For up to 3 s after it was marked online, a Codis 2.0 proxy does not read actions, and never sees those
 * of that time. Slots would be blocked until the time is up, so it gets the action again. So does every proxy when
 * the action is gone: the store was set back to an older copy, or it was removed by hand.
 *
 * @module
 */

import type { ChangeView, EventView } from "../api/cluster_view.ts";
import { logger } from "../base/log.ts";
import { repeat } from "../base/repeat.ts";
import { SYSTEM_TIMERS, type Timers } from "../base/timers.ts";
import { isSameLife, type ProxyRecord } from "../model/proxy.ts";
import { loadActionText, loadAnswers } from "../store/actions.ts";
import { loadProxy } from "../store/proxies.ts";
import type { Store } from "../store/store.ts";
import { UnconfirmedError } from "./errors.ts";
import { LEAVE_MS, takeOffline } from "./proxies.ts";

/** What confirming needs of its surroundings. */
export interface ConfirmContext {
  /** Whether a proxy is one of ours, which applies every action; false when that is not known. */
  isOurs(proxy: ProxyRecord): boolean;
  /** Whether a proxy's process seems to be gone, although its session has not ended yet. */
  seemsGone(proxy: ProxyRecord): Promise<boolean>;
  /** Whether a proxy does not answer, while a failover waits until changes are made. */
  holdsUpFailover(proxy: ProxyRecord): boolean;
  /** What a late proxy waits for, in words. */
  reasonOf(proxy: ProxyRecord): Promise<string>;
  report(level: EventView["level"], text: string): void;
  /** Called before the store is written: rejects when this dashboard does not lead. */
  checkLead(): Promise<void>;
}

/** Times of a confirmation, in milliseconds. */
export interface ConfirmTimes {
  /** Longest time that proxies may take to confirm. @default 30000 */
  readonly confirmMs?: number;
  /** When a proxy is late, and is asked why. @default 3000 */
  readonly lateMs?: number;
  /** Longest time that a proxy may take to leave after it was marked offline. @default 15000 */
  readonly leaveMs?: number;
}

/** An action that proxies must confirm. */
export interface SentAction {
  /** Its name in the store. */
  readonly name: string;
  readonly type: string;
  /** Stores the same action for fewer proxies; resolves with its name. */
  resend(receivers: readonly ProxyRecord[]): Promise<string>;
}

/** Codis 2.0's. */
const CONFIRM_MS = 30_000;
const LATE_MS = 3_000;
/** Time between two questions to a late proxy, in milliseconds. */
const ASK_MS = 2_000;
/** Time between two rounds that check whether silent proxies are still there, in milliseconds. */
const ROUND_MS = 300;
/** Time until a Codis 2.0 proxy gets an action again, and between two times, in milliseconds. */
const RESEND_MS = 1_000;
/** How often an action is sent again: more than the seconds in which a proxy may have missed it. */
const RESEND_MAX = 6;
/** Rounds in a row that must find that a process seems to be gone. */
const GONE_ROUNDS = 3;
/** Actions whose confirmations are remembered, for the page. */
const REMEMBERED_MAX = 200;

/** Why a proxy cannot confirm any more. */
const GONE = "it is gone";
const HOLDS_UP = "it does not answer, and a failover does not wait for it";

const log = logger("dashboard");

/** See the header. */
export class Confirmer {
  readonly store: Store;
  readonly context: ConfirmContext;
  readonly timers: Timers;
  readonly times: ConfirmTimes;
  /** Why each late proxy has not confirmed, by its id. */
  readonly late: Map<string, string> = new Map();
  /** How long after its action each confirmation was seen, in milliseconds, by action and proxy. */
  readonly #seen = new Map<string, Map<string, number>>();

  /** Reads answers in `store`. */
  constructor(
    store: Store,
    context: ConfirmContext,
    times: ConfirmTimes = {},
    timers = SYSTEM_TIMERS,
  ) {
    this.store = store;
    this.context = context;
    this.times = times;
    this.timers = timers;
  }

  /** Proxies that are late, and why. */
  get waitingFor(): ChangeView["waiting_for"] {
    return [...this.late].map(([proxy_id, reason]) => ({ proxy_id, reason }));
  }

  /** How long after an action each confirmation was seen, in milliseconds, by proxy. */
  afterMs(action: string): ReadonlyMap<string, number> {
    return this.#seen.get(action) ?? new Map();
  }

  /**
   * Waits until every one of the proxies has confirmed an action.
   *
   * @param withinMs How long is waited, when later confirmations are of no use.
   * @throws {UnconfirmedError} When one does not in time, or is gone. Those that are there were marked
   * offline, unless it was waited for a shorter time.
   */
  async untilConfirmed(
    action: SentAction,
    proxies: readonly ProxyRecord[],
    withinMs?: number,
  ): Promise<void> {
    const confirmation = new Confirmation(this, action, proxies, this.#remember(action.name));
    await confirmation.run(withinMs ?? this.times.confirmMs ?? CONFIRM_MS);
    const { silent, gone } = confirmation;
    if (silent.length + gone.size === 0) return;
    const named = this.#named(silent, gone);
    if (withinMs === undefined) await this.#giveUp(action, silent, named);
    for (const { id } of silent) this.late.delete(id);
    throw new UnconfirmedError(`${action.type} was not confirmed by ${named}`);
  }

  #named(silent: readonly ProxyRecord[], gone: ReadonlyMap<string, string>): string {
    return [
      ...silent.map(({ id }) => ({ id, reason: this.late.get(id) ?? "" })),
      ...[...gone].map(([id, reason]) => ({ id, reason })),
    ].map(({ id, reason }) => reason === "" ? id : `${id} (${reason})`).join(", ");
  }

  #remember(name: string): Map<string, number> {
    const seen = new Map<string, number>();
    this.#seen.set(name, seen);
    if (this.#seen.size > REMEMBERED_MAX) this.#seen.delete(this.#seen.keys().next().value!);
    return seen;
  }

  /** Marks silent proxies offline, as Codis 2.0, but waits no longer than a bound for them to leave. */
  async #giveUp(
    { name, type }: SentAction,
    silent: readonly ProxyRecord[],
    named: string,
  ): Promise<never> {
    await this.context.checkLead();
    await Promise.all(silent.map((proxy) => this.#takeOffline(proxy)));
    for (const { id } of silent) this.late.delete(id);
    const ids = silent.map(({ id }) => id).join(", ");
    const end = silent.length === 0 ? "" : `; marked offline: ${ids}`;
    // Codis 2.0's text comes first.
    const text = `receiver timeout: ${type} (action ${name}) was not confirmed by ${named}${end}`;
    this.context.report("error", text);
    throw new UnconfirmedError(text);
  }

  async #takeOffline(proxy: ProxyRecord): Promise<void> {
    try {
      await takeOffline(this.store, proxy, this.times.leaveMs ?? LEAVE_MS, this.timers);
    } catch (error) {
      this.context.report("warning", `${(error as Error).message}`);
    }
  }
}

/** One action on its way to be confirmed. */
class Confirmation {
  /** The proxies that have not confirmed, and may do so yet. */
  silent: readonly ProxyRecord[];
  /** The proxies that will never confirm, by id, and why. */
  readonly gone: Map<string, string> = new Map();
  readonly #owner: Confirmer;
  readonly #action: SentAction;
  /** When each confirmation was seen, in milliseconds after the start. */
  readonly #seen: Map<string, number>;
  readonly #startMs: number;
  /** How often in a row each proxy has seemed to be gone. */
  readonly #goneRounds = new Map<string, number>();
  /** The names of the same action, sent again. */
  readonly #resent: string[] = [];
  #isOver = false;

  constructor(
    owner: Confirmer,
    action: SentAction,
    proxies: readonly ProxyRecord[],
    seen: Map<string, number>,
  ) {
    this.silent = proxies;
    this.#owner = owner;
    this.#action = action;
    this.#seen = seen;
    this.#startMs = owner.timers.nowMs();
  }

  /** Resolves when all have confirmed or are gone, or the time is up. */
  async run(limitMs: number): Promise<void> {
    const { store: { coordinator, paths }, timers, times, late } = this.#owner;
    const all = this.silent;
    const watch = coordinator.watchChildren(paths.response(this.#action.name));
    const cancels = [
      timers.after(limitMs, () => watch.close()),
      // Its answer must come before the time is up.
      this.#askFrom(Math.min(times.lateMs ?? LATE_MS, limitMs / 3)),
      repeat(RESEND_MS, () => this.#resend(), timers),
      repeat(ROUND_MS, async () => {
        await this.#round();
        if (this.silent.length === 0) watch.close();
      }, timers),
    ];
    try {
      for await (const ids of watch) {
        for (const id of ids) this.#confirm(id);
        if (this.silent.length === 0) break;
      }
    } finally {
      this.#isOver = true;
      watch.close();
      for (const cancel of cancels) cancel();
      for (const { id } of all) {
        if (this.silent.every((proxy) => proxy.id !== id)) late.delete(id);
      }
    }
  }

  #confirm(id: string): void {
    if (this.silent.every((proxy) => proxy.id !== id)) return;
    this.#seen.set(id, Math.round(this.#owner.timers.nowMs() - this.#startMs));
    this.#owner.late.delete(id);
    this.silent = this.silent.filter((proxy) => proxy.id !== id);
  }

  // -- late proxies --

  /** Asks silent proxies why, `ms` milliseconds from now and again and again. */
  #askFrom(ms: number): () => void {
    const { timers } = this.#owner;
    let cancel = timers.after(ms, async () => {
      await this.#ask();
      if (!this.#isOver) cancel = repeat(ASK_MS, () => this.#ask(), timers);
    });
    return () => cancel();
  }

  async #ask(): Promise<void> {
    const { context, late } = this.#owner;
    await Promise.all(this.silent.map(async (proxy) => {
      const isNew = !late.has(proxy.id);
      if (isNew) late.set(proxy.id, "asking it why");
      const reason = await context.reasonOf(proxy);
      if (!late.has(proxy.id)) return;
      late.set(proxy.id, reason);
      if (isNew) context.report("warning", `proxy ${proxy.id} has not confirmed yet: ${reason}`);
    }));
  }

  /** Sends the action again to those that may not have seen it; all others have confirmed it. */
  async #resend(): Promise<void> {
    const { context } = this.#owner;
    if (this.#resent.length >= RESEND_MAX) return;
    try {
      const isGone = await this.#isGone();
      const receivers = this.silent.filter((proxy) => isGone || !context.isOurs(proxy));
      if (receivers.length === 0) return;
      await context.checkLead();
      this.#resent.push(await this.#action.resend(receivers));
    } catch (error) {
      log.debug("{type} was not sent again: {error}", { type: this.#action.type, error });
    }
  }

  /** Whether the action, as it was sent last, is not in the store any more. */
  async #isGone(): Promise<boolean> {
    const { store, context } = this.#owner;
    const { type, name: first } = this.#action;
    const name = this.#resent.at(-1) ?? first;
    if (await loadActionText(store, name) !== undefined) return false;
    context.report(
      "warning",
      `action ${name} (${type}) is gone from the coordinator before all proxies have confirmed it: it was set back ` +
        "to an older copy, or the action was removed by hand; sending it again",
    );
    return true;
  }

  // -- proxies that are gone --

  async #round(): Promise<void> {
    const ended = await this.#ended();
    const confirmed = await this.#answersToResent();
    if (this.#isOver) return;
    for (const id of confirmed) this.#confirm(id);
    for (const { id } of this.silent) {
      const reason = ended.get(id);
      if (reason) this.gone.set(id, reason);
    }
    this.silent = this.silent.filter(({ id }) => !ended.has(id));
  }

  /** The ids of the proxies that have answered the action when it was sent again. */
  async #answersToResent(): Promise<string[]> {
    const { store } = this.#owner;
    try {
      return (await Promise.all(this.#resent.map((name) => loadAnswers(store, name)))).flat();
    } catch (error) {
      log.debug("answers cannot be read: {error}", { error });
      return [];
    }
  }

  /** The silent proxies that will not confirm, by id, and why; `""`: it need not any more. */
  async #ended(): Promise<Map<string, string>> {
    const ended = new Map<string, string>();
    await Promise.all(this.silent.map(async (proxy) => {
      try {
        const reason = await this.#endOf(proxy);
        if (reason !== undefined) ended.set(proxy.id, reason);
      } catch (error) {
        log.debug("proxy {id} cannot be read: {error}", { id: proxy.id, error });
      }
    }));
    return ended;
  }

  async #endOf(proxy: ProxyRecord): Promise<string | undefined> {
    const { store, context } = this.#owner;
    const now = await loadProxy(store, proxy.id);
    if (now === undefined) return GONE;
    // Another process at the same address reads what is stored now.
    if (!isSameLife(now, proxy)) return now.addr === proxy.addr ? "" : GONE;
    if (context.holdsUpFailover(proxy)) return HOLDS_UP;
    const rounds = await context.seemsGone(proxy) ? (this.#goneRounds.get(proxy.id) ?? 0) + 1 : 0;
    this.#goneRounds.set(proxy.id, rounds);
    return rounds >= GONE_ROUNDS ? `${GONE}, and its session has not ended yet` : undefined;
  }
}
