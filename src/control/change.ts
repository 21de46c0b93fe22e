/**
 * The one way in which a dashboard changes the store: all of a change, or nothing of it.
 *
 *     checked: every fenced proxy is online
 *        │
 *        ▼                     fits one transaction?
 *     written together with ───── no: first what is to be done, then the writes, piece by piece
 *     what is to be done
 *        ▼
 *     announced ─► confirmed ─► what was to be done is removed
 *
 * From the moment that "what is to be done" is stored, the change happens: this dashboard finishes it,
 * however often the store fails meanwhile, or the next one does (`recover`). Doing it twice does no
 * harm: entries are set to what they are to be, and proxies read them again. Changes are made one after
 * the other.
 *
 * @module
 */

import { logger } from "../base/log.ts";
import type { ChangeView } from "../api/cluster_view.ts";
import { ConnectionLossError, NodeExistsError, NoNodeError } from "../coordinator/errors.ts";
import type { Operation } from "../coordinator/coordinator.ts";
import type { ProxyRecord } from "../model/proxy.ts";
import { checkFences, loadFences } from "../store/fences.ts";
import { loadProxies } from "../store/proxies.ts";
import { readIfThere, type Store } from "../store/store.ts";
import type { ClusterChange, EntryWrite } from "./control.ts";
import { UnconfirmedError } from "./errors.ts";
import { GUARDED_MAX, type Leadership } from "./leadership.ts";
import type { Publisher } from "./publish.ts";
import { encodeIntent, type Intent, loadIntent, type Promotion } from "./intent.ts";

/** Wait before a change that the store interrupted is taken up again, in milliseconds. */
const RETRY_MS = 1_000;

const log = logger("dashboard");

/** See the header. */
export class ChangeLog {
  readonly #store: Store;
  readonly #leadership: Leadership;
  readonly #publisher: Publisher;
  #turn: Promise<unknown> = Promise.resolve();
  #now: Omit<ChangeView, "waiting_for"> | null = null;
  readonly #resumePromotion: (promotion: Promotion) => Promise<ClusterChange | undefined>;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Writes what `leadership` lets it, and tells proxies through `publisher`.
   *
   * @param resumePromotion Decides what becomes of a promotion that was begun: the change that ends
   * it, or none when it is undone.
   */
  constructor(
    store: Store,
    leadership: Leadership,
    publisher: Publisher,
    resumePromotion: (promotion: Promotion) => Promise<ClusterChange | undefined>,
  ) {
    this.#store = store;
    this.#leadership = leadership;
    this.#publisher = publisher;
    this.#resumePromotion = resumePromotion;
  }

  /** The change that is being made, if one is. */
  get current(): ChangeView | null {
    return this.#now === null
      ? null
      : { ...this.#now, waiting_for: this.#publisher.confirmer.waitingFor };
  }

  /** As `Control.change`. */
  change(change: ClusterChange): Promise<void> {
    return this.#inTurn(change.summary, async () => {
      if (change.mayMiss !== true) await this.#checkTellable(change);
      await this.#carryOut(change, "create");
    });
  }

  /**
   * Stores what is to be done before anything is done, calls `body`, and makes the change it returns;
   * when it rejects, or returns none, what was to be done is not any more.
   */
  changeAfter(
    summary: string,
    intent: Intent,
    body: () => Promise<ClusterChange | undefined>,
  ): Promise<void> {
    return this.#inTurn(summary, async () => {
      await this.#checkFences();
      const path = this.#store.paths.intent;
      await this.#leadership.transact([{ create: path, data: encodeIntent(intent) }]);
      await this.#orForget(body);
    });
  }

  /** Finishes what was begun and not finished, by this dashboard or by another one. */
  recover(): Promise<void> {
    return this.#inTurn("", () => Promise.resolve());
  }

  /** Begins nothing any more of its own accord. */
  stop(): void {
    clearTimeout(this.#retryTimer);
  }

  async #finishLeft(): Promise<void> {
    const left = await loadIntent(this.#store);
    if (left === undefined) return;
    const isChange = left.kind === "change";
    const summary = isChange ? left.change.summary : `promotion of ${left.addr}`;
    log.warn("finishing what was begun: {summary}", { summary });
    this.#now = { summary, since: left.at };
    try {
      if (isChange) await this.#carryOut(left.change, "write");
      else await this.#orForget(() => this.#resumePromotion(left));
    } catch (error) {
      // It is done all the same, and was told.
      if (!(error instanceof UnconfirmedError)) throw error;
    }
  }

  async #orForget(body: () => Promise<ClusterChange | undefined>): Promise<void> {
    let change: ClusterChange | undefined;
    try {
      change = await body();
    } catch (error) {
      await this.#forget();
      throw error;
    }
    if (change === undefined) await this.#forget();
    else await this.#carryOut(change, "write");
  }

  async #checkFences(): Promise<readonly ProxyRecord[]> {
    const proxies = await loadProxies(this.#store);
    checkFences(await loadFences(this.#store), proxies);
    return proxies;
  }

  /** @throws {StoreError} When a proxy that may be serving cannot be told. */
  async #checkTellable(
    { announcements }: Pick<ClusterChange, "announcements">,
  ): Promise<void> {
    if (!announcements.some(({ mustConfirm }) => mustConfirm)) return;
    const proxies = await this.#checkFences();
    // From here on clients of the slots wait until every proxy has confirmed.
    if (!announcements.some(({ type }) => type === "slot_premigrate")) return;
    await this.#publisher.checkPresent(proxies);
  }

  /** @param note Whether what is to be done is stored anew, or replaces what is there. */
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
      for (const piece of pieces) await this.#write(piece);
    }
    try {
      await this.#publisher.publish(change.announcements);
    } catch (error) {
      // Done all the same; with any other error the store knows what is still to be done.
      if (error instanceof UnconfirmedError) await this.#forget();
      throw error;
    }
    await this.#forget();
  }

  /** Sets entries to what they are to be, whatever they are. */
  async #write(piece: readonly EntryWrite[], ...more: Operation[]): Promise<void> {
    for (;;) {
      const operations = await Promise.all(piece.map((write) => this.#operationFor(write)));
      const needed = operations.filter((operation) => operation !== undefined);
      try {
        return await this.#leadership.transact([...needed, ...more]);
      } catch (error) {
        const isOurs = (error instanceof NodeExistsError || error instanceof NoNodeError) &&
          piece.some(({ path }) => path === error.path);
        // Somebody made or removed the entry since we looked: look again.
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

  async #forget(): Promise<void> {
    try {
      await this.#leadership.transact([{ delete: this.#store.paths.intent }]);
    } catch (error) {
      if (!(error instanceof NoNodeError)) throw error;
    }
  }

  /** The store failed in the middle: what was begun is finished as soon as it can be. */
  #retryLater(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => {
      if (!this.#leadership.isLeading) return;
      this.recover().catch((error) => log.warn("not finished yet: {error}", { error }));
    }, RETRY_MS);
  }

  #inTurn(summary: string, body: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(async () => {
      try {
        await this.#finishLeft();
        if (summary !== "") this.#now = { summary, since: Date.now() };
        await body();
      } catch (error) {
        if (error instanceof ConnectionLossError) this.#retryLater();
        throw error;
      } finally {
        this.#now = null;
      }
    });
    this.#turn = done.catch(() => {});
    return done;
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
