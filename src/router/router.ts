/**
 * The data plane: 1024 slots, the servers behind them, the sessions in front. Here it is put together;
 * nothing in this folder imports it.
 *
 *      sessions ──► slots[slotId] ──► server ──► backend          fillSlot: drain ─► swap ─► open
 *
 * It knows nothing of configuration files, stores or coordinators: it is given options, filled slots
 * and accepted connections.
 *
 * @module
 */

import { DEFAULT_USER } from "../acl/user.ts";
import type { UsersUpdate } from "../acl/users.ts";
import { delay } from "@std/async/delay";
import { clock, HELD_UP_MS } from "../base/clock.ts";
import { sleep } from "../base/sleep.ts";
import type { SlotRule } from "../hash/placement.ts";
import { trimPools } from "../io/chunk_pool.ts";
import { clientHandles } from "../io/handled_conn.ts";
import { hangUp } from "../io/dial.ts";
import type { AcceptedConnection } from "../io/listen.ts";
import { atTurnEnd, type TurnWork } from "../io/turn.ts";
import { errorReply } from "../resp/encoder.ts";
import { Session } from "./client/session.ts";
import { PROTECTED } from "./client/protected_mode.ts";
import { updateUsers } from "./client/update_users.ts";
import type { UserLimit } from "./limits/user_limit.ts";
import type { NamedLimits } from "./limits/limit_cells.ts";
import type { ClusterMap } from "./cluster_map.ts";
import { LOADING, MAX_CLIENTS, RULES_CHANGED, TABLE_OLD } from "./errors.ts";
import type { RouterEvents } from "./events.ts";
import type { RouterOptions, UserReads } from "./options.ts";
import type { Serving } from "./serving.ts";
import { RouterShared } from "./shared.ts";
import { slotsMoved } from "./local/cluster.ts";
import { onlyWorker, type WorkerContext } from "./worker_context.ts";

/** How often deadlines of backends and slots are checked while any may come, in milliseconds. */
const TICK_MS = 250;
/** How often it is checked whether any may come, and the sessions' deadlines, in milliseconds. */
const QUIET_TICK_MS = 1_000;
/** How often buffers that nobody needs are freed, in milliseconds. */
const TRIM_MS = 4_000;
/** How long the end waits for lines of the access log that are being written, in milliseconds. */
const FLUSH_MS = 1_000;
/** How often a drain checks whether sessions are left, in milliseconds. */
const DRAIN_CHECK_MS = 5;
/** How often sessions are let go that are between two requests, in milliseconds. */
const LEAVE_CHECK_MS = 20;
/** Clients connect again as soon as they are let go: in how many steps, so that not all come at once. */
const LEAVE_STEPS = 50;
/**
 * How long a client must have sent nothing to be let go without a reply, in milliseconds: it may be sending just
 * then. Who sends more often is let go behind the next reply.
 */
const IDLE_MS = 1_000;

/** The data plane; see the drawing above. */
export class Router implements TurnWork {
  /** What its sessions share. */
  readonly shared: RouterShared;
  readonly sessions = new Map<number, Session>();
  isQueuedForTurnEnd = false;

  #timer: ReturnType<typeof setTimeout> | undefined;
  #tickDueMs = 0;
  #wasLate = false;
  #sessionsTickedMs = 0;
  #trimmedMs = 0;
  #isLeaving = false;

  /** @param options Belong to the router from now on, which may change them. */
  constructor(options: RouterOptions, events: RouterEvents, worker: WorkerContext = onlyWorker()) {
    this.shared = new RouterShared(options, events, worker, this.sessions);
    clientHandles.max = options.clientHandlesMax;
    this.shared.budget.onOver = () => atTurnEnd(this);
    this.#tickIn(TICK_MS);
  }

  // -- sessions -------------------------------------------------------------------------------

  /**
   * Takes an accepted connection; over max_clients it is answered with an error and closed.
   *
   * @returns When it is not served: settles when it is closed.
   */
  accept(connection: AcceptedConnection): void | Promise<void> {
    clock.tick();
    const { options, worker, totals, events, protectedMode } = this.shared;
    const isKnown = connection.certificateName !== undefined;
    if (!isKnown && protectedMode.isRefused(connection.remoteAddr)) {
      totals.rejectedConnections++;
      return closeAfter(connection.write(PROTECTED), connection);
    }
    if (this.sessions.size + worker.sessionsElsewhere() >= options.maxClients) {
      return closeAfter(this.refuse(connection), connection);
    }
    const limit = this.#limitAtOnce;
    if (limit?.isFull) {
      limit.refused();
      return closeAfter(this.refuse(connection), connection);
    }
    totals.connections++;
    const session = new Session(worker.nextSessionId(), connection, this.shared, (closed) => {
      this.sessions.delete(closed.id);
      this.#countSessions();
      events.sessionClosed(closed);
    });
    this.sessions.set(session.id, session);
    this.#countSessions();
    events.sessionOpened(session);
    session.start();
    if (this.#isLeaving) session.leave();
  }

  /** The limit of the user that clients are as soon as they connect; null for mostly none. */
  get #limitAtOnce(): UserLimit | null {
    const { users, userLimits } = this.shared;
    return users.default.needsNoLogin ? userLimits.of(DEFAULT_USER) : null;
  }

  /** Counts a connection for which there is no room, and that cannot be told so; the caller closes it. */
  drop(): Promise<void> {
    this.shared.totals.rejectedConnections++;
    return Promise.resolve();
  }

  /** Answers a connection that there are too many, in Redis's words; the caller closes it. */
  async refuse(connection: AcceptedConnection): Promise<void> {
    this.drop();
    await connection.write(errorReply(MAX_CLIENTS));
  }

  #countSessions(): void {
    const { size } = this.sessions;
    this.shared.worker.hasSessions(size);
    this.shared.budget.shareAmong(size);
  }

  /**
   * Closes sessions, the one that holds most replies first, while all routers together hold more than
   * they may and this one more than its share. Runs at the end of a turn.
   */
  runAtTurnEnd(): void {
    const { budget, totals, events, worker } = this.shared;
    while (budget.isOver && budget.isAboveShare) {
      let most: Session | undefined;
      for (const session of this.sessions.values()) {
        if (session.unsentBytes > (most?.unsentBytes ?? 0)) most = session;
      }
      if (most === undefined) return;
      totals.evictedSessions++;
      events.sessionEvicted(most);
      most.close();
    }
    if (budget.isOver) worker.pressOthers();
  }

  /** The proxies are others now, or this one leaves: clients that want to hear of that are told where to go. */
  setCluster(map: ClusterMap): void {
    this.shared.cluster = map;
    if (map.leftAt === undefined || map.nodes.length === 0) return;
    for (const session of this.sessions.values()) {
      if (session.info.hearsOfSlots) session.sendOn(slotsMoved(session, map.leftAt));
    }
  }

  /**
   * Lets clients go, each behind a reply, or when it is idle. Those stay that are in a transaction or blocked,
   * or that send without a pause. A subscriber misses what is said until it is back, whenever it goes.
   *
   * @returns When none is left, or after `timeoutMs` milliseconds.
   */
  async leaveSessions(timeoutMs: number): Promise<void> {
    const startMs = performance.now();
    const all = [...this.sessions.values()];
    const count = Math.ceil(all.length / LEAVE_STEPS);
    let [checkedMs, readMs] = [startMs, startMs];
    this.#isLeaving = true;
    while (this.sessions.size > 0 && performance.now() - startMs < timeoutMs) {
      const nowMs = clock.tick();
      // What came while this thread was held up has not been read yet.
      if (nowMs - checkedMs > 2 * LEAVE_CHECK_MS) readMs = nowMs;
      checkedMs = nowMs;
      for (const session of all.splice(0, count)) session.leave();
      if (nowMs - readMs >= LEAVE_CHECK_MS) {
        for (const session of [...this.sessions.values()]) session.goIfIdle(IDLE_MS);
      }
      await delay(LEAVE_CHECK_MS);
    }
  }

  /**
   * Lets every session finish what it has in flight, bounded.
   *
   * @param graceMs How long to wait, in milliseconds; then sessions are closed as they are.
   */
  async drainSessions(graceMs: number): Promise<void> {
    const deadline = performance.now() + graceMs;
    for (const session of [...this.sessions.values()]) session.drain();
    while (this.sessions.size > 0 && performance.now() < deadline) await delay(DRAIN_CHECK_MS);
    for (const session of [...this.sessions.values()]) session.close();
    await this.#flushReports();
  }

  async #flushReports(): Promise<void> {
    const late = new AbortController();
    await Promise.race([this.shared.flushReports(), sleep(FLUSH_MS, late.signal)]);
    late.abort();
  }

  // -- whether requests are served --------------------------------------------------------------

  /** Answers requests with -LOADING from now on: there is no table yet. */
  beginLoading(): void {
    this.shared.isLoading = true;
    this.shared.refusal = LOADING;
  }

  /** Serves requests after {@linkcode beginLoading}: every slot was filled. */
  endLoading(): void {
    if (!this.shared.isLoading) return;
    this.shared.isLoading = false;
    this.shared.refusal = "";
  }

  /** Says whether requests are served from now on. */
  setServing(serving: Serving): void {
    const { shared } = this;
    if (serving === "held") {
      shared.isHeld = true;
      return;
    }
    shared.refusal = serving === "refused" ? TABLE_OLD : shared.isLoading ? LOADING : "";
    if (!shared.isHeld) return;
    shared.isHeld = false;
    for (const session of [...this.sessions.values()]) {
      session.resume();
      session.blocked?.served();
    }
  }

  /** Places keys by other rules. What sessions started under the old ones ends. */
  async setRules(rules: readonly SlotRule[]): Promise<void> {
    await this.shared.slots.setRules(rules);
    for (const session of [...this.sessions.values()]) {
      session.transaction?.abort(RULES_CHANGED);
      if (session.links.length > 0) session.close();
    }
  }

  /** Users have other limits now. */
  limitUsers(limits: readonly NamedLimits[]): void {
    this.shared.userLimits.set(limits);
    for (const session of this.sessions.values()) session.userChanged();
  }

  /** Clients of users read from elsewhere now. */
  setUserReads(reads: readonly UserReads[]): void {
    this.shared.userReads = new Map(reads.map(({ name, readFrom }) => [name, readFrom]));
    for (const session of this.sessions.values()) session.userChanged();
  }

  /** The users are others now: of clients that may not stay, the connections are closed. */
  updateUsers(update: UsersUpdate): void {
    updateUsers(this.shared, this.sessions.values(), update);
  }

  /** Takes other options. What is begun goes on as it is; passwords count for clients that log in. */
  setOptions(next: RouterOptions): void {
    const { shared } = this;
    const { readFrom } = shared.options;
    clientHandles.max = next.clientHandlesMax;
    shared.setOptions(next);
    shared.budget.shareAmong(this.sessions.size);
    if (next.readFrom === readFrom) return;
    for (const session of this.sessions.values()) session.userChanged();
  }

  // -- time -----------------------------------------------------------------------------------

  #tickIn(ms: number): void {
    this.#tickDueMs = performance.now() + ms;
    this.#timer = setTimeout(() => this.#tick(), ms);
  }

  #tick(): void {
    const nowMs = clock.tick();
    // What came while we were held up has not been read yet, and nobody is late for that.
    this.#wasLate = !this.#wasLate && nowMs - this.#tickDueMs > HELD_UP_MS;
    if (this.#wasLate) return this.#tickIn(TICK_MS);
    this.#timer = setTimeout(() => this.#check(), 0); // what has come is read first
  }

  #check(): void {
    const nowMs = clock.tick();
    const isQuiet = this.shared.slots.tick();
    if (nowMs - this.#sessionsTickedMs >= QUIET_TICK_MS - TICK_MS / 2) {
      this.#sessionsTickedMs = nowMs;
      for (const session of this.sessions.values()) session.tick();
      if (nowMs - this.#trimmedMs >= TRIM_MS) {
        this.#trimmedMs = nowMs;
        trimPools();
      }
    }
    // The clock must not take a rest of ours for a pause of the process.
    const quietMs = Math.max(TICK_MS, Math.min(QUIET_TICK_MS, clock.pauseMs / 4));
    this.#tickIn(isQuiet ? quietMs : TICK_MS);
  }

  /** Sends a PING to every idle connection. */
  keepAlive(): void {
    clock.tick();
    this.shared.slots.pool.keepAlive();
  }

  /** Closes everything; the router is of no use afterwards. */
  close(): void {
    clearTimeout(this.#timer);
    this.shared.authThrottle.stop();
    this.shared.slowLog.loop.stop();
    for (const session of [...this.sessions.values()]) session.close();
    this.shared.userLimits.stop();
    this.shared.resp3.stop();
    this.shared.longScripts.stop();
    this.shared.subscribers.stop();
    this.shared.subscribing.stop();
    this.shared.slots.replicas.stop();
    this.shared.slots.pool.close();
  }
}

/** Closes a connection when something was written to it, or cannot be. */
async function closeAfter(
  writing: Promise<unknown>,
  connection: AcceptedConnection,
): Promise<void> {
  await writing.catch(() => {});
  hangUp(connection);
}
