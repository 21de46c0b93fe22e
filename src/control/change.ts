/**
 * The one way in which a dashboard changes the store: all of a change, or nothing of it.
 *
 *     checked: every fenced proxy is online
 *        │
 *        ▼                     fits one transaction?
 *     intent and entries ──────── no: first the intent, then the entries, piece by piece
 *     written together
 *        ▼
 *     announced to proxies ─► confirmed ─► intent deleted, or replaced by the change that comes `then`
 *
 * Once its intent is stored, the change will happen: this dashboard finishes it, however often the store
 * fails on the way, or the next dashboard does (`recover`). To do it twice is harmless: entries get the
 * same content, and proxies read them again. Changes are made one after the other.
 *
 * @module
 */

import { logger } from "../base/log.ts";
import { Turns } from "../base/turns.ts";
import type { ChangeView } from "../api/cluster_view.ts";
import { ConnectionLossError, NodeExistsError, NoNodeError } from "../coordinator/errors.ts";
import type { Operation } from "../coordinator/coordinator.ts";
import { parentOf } from "../coordinator/path.ts";
import type { ProxyRecord } from "../model/proxy.ts";
import { checkFences, loadFences } from "../store/fences.ts";
import { loadProxies } from "../store/proxies.ts";
import { readIfThere, type Store } from "../store/store.ts";
import { LEAVE_OUT } from "../store/unreadable.ts";
import type { ClusterChange, EntryWrite } from "./control.ts";
import { UnconfirmedError } from "./errors.ts";
import { GUARDED_MAX, type Leadership } from "./leadership.ts";
import type { Publisher } from "./publish.ts";
import { encodeIntent, type Intent, loadIntent, type Preparation } from "./intent.ts";

/** Wait before a change is retried that the store interrupted, in milliseconds. */
const RETRY_MS = 1_000;

const log = logger("dashboard");

/** See the header. */
export class ChangeLog {
  readonly #store: Store;
  readonly #leadership: Leadership;
  readonly #publisher: Publisher;
  readonly #turns = new Turns(1);
  #now: Omit<ChangeView, "waiting_for"> | null = null;
  readonly #resume: (prepared: Preparation) => Promise<ClusterChange | undefined>;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Writes as long as `leadership` is ours, and announces to proxies through `publisher`.
   *
   * @param resume Decides about an operation that was interrupted before its change: the change that ends
   * it, or none when it is undone.
   */
  constructor(
    store: Store,
    leadership: Leadership,
    publisher: Publisher,
    resume: (prepared: Preparation) => Promise<ClusterChange | undefined>,
  ) {
    this.#store = store;
    this.#leadership = leadership;
    this.#publisher = publisher;
    this.#resume = resume;
  }

  /** The change that is being made, if one is. */
  get current(): ChangeView | null {
    return this.#now === null
      ? null
      : { ...this.#now, waiting_for: this.#publisher.confirmer.waitingFor };
  }

  /** As `Control.change`. */
  change(change: ClusterChange): Promise<void> {
    return this.#enqueue(change.summary, async () => {
      if (change.mayMiss !== true) await this.#checkReachable(change);
      await this.#carryOut(change, "create");
    });
  }

  /**
   * Stores an intent, calls `body`, and makes the change that it returns. When `body` rejects, or returns
   * none, the intent is deleted.
   */
  changeAfter(
    summary: string,
    intent: Intent,
    body: () => Promise<ClusterChange | undefined>,
  ): Promise<void> {
    return this.#enqueue(summary, async () => {
      // A failover has its own rule for proxies that cannot be told: see `votes.ts`.
      const isFailover = intent.kind === "promote" && intent.is_failover === true;
      if (!isFailover) await this.#checkFences();
      const path = this.#store.paths.intent;
      await this.#leadership.transact([{ create: path, data: encodeIntent(intent) }]);
      await this.#orDeleteIntent(body);
    });
  }

  /** Finishes the change that this dashboard, or another one, has started and not finished. */
  recover(): Promise<void> {
    return this.#enqueue("", () => Promise.resolve());
  }

  /** Ends retries. */
  stop(): void {
    clearTimeout(this.#retryTimer);
  }

  async #finishInterrupted(): Promise<void> {
    const left = await loadIntent(this.#store);
    if (left === undefined) return;
    const isChange = left.kind === "change";
    const summary = isChange
      ? left.change.summary
      : left.kind === "promote"
      ? `promotion of ${left.addr}`
      : "change of slot rules";
    log.warn("a change was interrupted, finishing it: {summary}", { summary });
    this.#now = { summary, since: left.at };
    try {
      if (isChange) await this.#carryOut(left.change, "write");
      else await this.#orDeleteIntent(() => this.#resume(left));
    } catch (error) {
      // The change is in the store all the same, and the error was reported.
      if (!(error instanceof UnconfirmedError)) throw error;
    }
  }

  async #orDeleteIntent(body: () => Promise<ClusterChange | undefined>): Promise<void> {
    let change: ClusterChange | undefined;
    try {
      change = await body();
    } catch (error) {
      await this.#deleteIntent();
      throw error;
    }
    if (change === undefined) await this.#deleteIntent();
    else await this.#carryOut(change, "write");
  }

  async #checkFences(): Promise<readonly ProxyRecord[]> {
    const proxies = await loadProxies(this.#store, LEAVE_OUT);
    checkFences(await loadFences(this.#store), proxies);
    return proxies;
  }

  /** @throws {StoreError} When a proxy that may be serving cannot get the change. */
  async #checkReachable(
    { announcements }: Pick<ClusterChange, "announcements">,
  ): Promise<void> {
    if (!announcements.some(({ mustConfirm }) => mustConfirm)) return;
    const proxies = await this.#checkFences();
    // From here on clients of the slots wait until every proxy has confirmed.
    if (!announcements.some(({ type }) => type === "slot_premigrate")) return;
    await this.#publisher.checkPresent(proxies);
  }

  /** @param note Whether the intent is created, or replaces the one that is there. */
  async #carryOut(change: ClusterChange, note: "create" | "write"): Promise<void> {
    const path = this.#store.paths.intent;
    const data = encodeIntent({ kind: "change", at: Date.now(), change });
    const noted: Operation = note === "create" ? { create: path, data } : { write: path, data };
    const pieces = piecesOf(change.writes);
    const isSmall = pieces.length <= 1 && change.writes.length < GUARDED_MAX;
    if (isSmall && change.announcements.length === 0 && note === "create") {
      return await this.#write(pieces[0] ?? []);
    }
    if (isSmall) {
      await this.#write(pieces[0] ?? [], noted);
    } else {
      await this.#leadership.transact([noted]);
      await this.#writeAll(pieces);
    }
    try {
      await this.#publisher.publish(change.announcements, change.withinMs, change.mayMiss);
    } catch (error) {
      // The change is in the store all the same. After any other error the intent stays, for a retry.
      if (error instanceof UnconfirmedError) await this.#end(change);
      throw error;
    }
    await this.#end(change);
  }

  async #end({ then }: ClusterChange): Promise<void> {
    if (then === undefined) await this.#deleteIntent();
    else await this.#carryOut(then, "write");
  }

  /** All pieces at once, unless one has an entry that is below another: the order counts then. */
  async #writeAll(pieces: readonly (readonly EntryWrite[])[]): Promise<void> {
    const paths = new Set(pieces.flat().map(({ path }) => path));
    if (pieces.flat().some(({ path }) => paths.has(parentOf(path)))) {
      for (const piece of pieces) await this.#write(piece);
      return;
    }
    // None may be under way any more when the next change is made.
    const written = await Promise.allSettled(pieces.map((piece) => this.#write(piece)));
    for (const piece of written) if (piece.status === "rejected") throw piece.reason;
  }

  /** Gives entries their content, whatever they have now. */
  async #write(piece: readonly EntryWrite[], ...more: Operation[]): Promise<void> {
    for (;;) {
      const operations = await Promise.all(piece.map((write) => this.#operationFor(write)));
      const needed = operations.filter((operation) => operation !== undefined);
      try {
        return await this.#leadership.transact([...needed, ...more]);
      } catch (error) {
        const isOurs = (error instanceof NodeExistsError || error instanceof NoNodeError) &&
          piece.some(({ path }) => path === error.path);
        // The entry was created or deleted since we read it: read it again.
        if (!isOurs) throw error;
      }
    }
  }

  async #operationFor({ path, data }: EntryWrite): Promise<Operation | undefined> {
    const stored = await readIfThere(this.#store, path);
    if (stored === (data ?? undefined)) return undefined;
    if (data === null) return { delete: path };
    if (stored !== undefined) return { write: path, data };
    // Groups are the only entries of a change that have children.
    const isLeaf = !/\/servers\/group_\d+$/.test(path);
    return { create: path, data, isLeaf };
  }

  async #deleteIntent(): Promise<void> {
    try {
      await this.#leadership.transact([{ delete: this.#store.paths.intent }]);
    } catch (error) {
      if (!(error instanceof NoNodeError)) throw error;
    }
  }

  /** The store failed in the middle: the change is finished as soon as the store works again. */
  #retryLater(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => {
      if (!this.#leadership.isLeading) return;
      this.recover().catch((error) =>
        log.warn("the change is not finished yet, retrying: {error}", { error })
      );
    }, RETRY_MS);
  }

  #enqueue(summary: string, body: () => Promise<void>): Promise<void> {
    return this.#turns.take(async () => {
      try {
        await this.#finishInterrupted();
        if (summary !== "") this.#now = { summary, since: Date.now() };
        await body();
      } catch (error) {
        if (error instanceof ConnectionLossError) this.#retryLater();
        throw error;
      } finally {
        this.#now = null;
      }
    });
  }
}

/** Cuts writes into transactions: short enough, and no entry goes in one with what is below it. */
function piecesOf(writes: readonly EntryWrite[]): EntryWrite[][] {
  const pieces: EntryWrite[][] = [];
  let piece: EntryWrite[] = [];
  for (const write of writes) {
    const isAbove = write.data === null &&
      piece.some(({ path }) => path.startsWith(`${write.path}/`));
    if (piece.length === GUARDED_MAX || isAbove) {
      pieces.push(piece);
      piece = [];
    }
    piece.push(write);
  }
  if (piece.length > 0) pieces.push(piece);
  return pieces;
}
