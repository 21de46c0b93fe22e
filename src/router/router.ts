/**
 * The data plane: 1024 slots, the servers behind them, the sessions in front.
 *
 *      sessions ──► slots[slotId] ──► server ──► backend          fillSlot: drain ─► swap ─► open
 *
 * It knows nothing of configuration files, stores or coordinators: it is given options, filled slots
 * and accepted connections.
 *
 * @module
 */

import { clock, HELD_UP_MS } from "../base/clock.ts";
import { COMMANDS } from "../command/command_table.ts";
import { isOlder, TABLE_VERSION } from "../command/redis_version.ts";
import { SLOT_COUNT } from "../hash/slot_id.ts";
import { hangUp } from "../io/dial.ts";
import { trimPools } from "../io/chunk_pool.ts";
import type { AcceptedConnection } from "../io/listen.ts";
import { AuthThrottle } from "./local/auth.ts";
import { atTurnEnd, type TurnWork } from "../io/turn.ts";
import type { Backend } from "./backends/backend.ts";
import { BackendPool, type Server } from "./backends/backend_pool.ts";
import { ByteBudget } from "./client/byte_budget.ts";
import { LOADING, MAX_CLIENTS, TABLE_OLD } from "./errors.ts";
import { errorReply } from "../resp/encoder.ts";
import type { RouterOptions } from "./options.ts";
import { aloneSeat, type RouterSeat } from "./worker_context.ts";
import { Resp3Question } from "./backends/resp3_support.ts";
import { ReplySizes } from "./client/reply_sizes.ts";
import { Session } from "./client/session.ts";
import { Slot } from "./slots/slot.ts";
import { SlotMoves } from "./slots/slot_moves.ts";
import type { SlotFill, SlotTable } from "./slot_table.ts";
import { CommandStats, newTotals } from "./stats.ts";

/** How often deadlines of backends and slots are looked at while any may come, in milliseconds. */
const TICK_MS = 250;
/** How often it is looked whether any may come, and at the sessions' deadlines, in milliseconds. */
const QUIET_TICK_MS = 1_000;

/** How often buffers that nobody needs are freed, in milliseconds. */
const TRIM_MS = 4_000;

/** What the data plane reports, for the log. */
export interface RouterEvents {
  backendReady(backend: Backend): void;
  backendLost(backend: Backend, cause: string, wasReady: boolean): void;
  sessionOpened(session: Session): void;
  sessionClosed(session: Session): void;
  /** A session held more reply bytes than session_max_buffer and is being closed. */
  sessionOverflowed(session: Session): void;
  /** A session held most when all held more than proxy_max_buffer, and is being closed. */
  sessionEvicted(session: Session): void;
  sessionTimedOut(session: Session, reason: string): void;
  /** An address gave so many wrong passwords since this was last told of it; this session the last. */
  authsRefused(session: Session, address: string, count: number): void;
  /** A slot change did not wait any longer for requests in flight. */
  slotDrainTimedOut(slotId: number, backends: readonly Backend[]): void;
}

/** A server that owns slots, or still has keys of some. */
export interface Master {
  readonly server: Server;
  /** The group it stands for. */
  readonly groupId: number;
}

/** The data plane; see the drawing above. */
export class Router implements SlotTable, TurnWork {
  readonly options: RouterOptions;
  readonly events: RouterEvents;
  /** Its place beside the proxy's other routers. */
  readonly seat: RouterSeat;
  readonly slots: readonly Slot[];
  readonly stats = new CommandStats(COMMANDS.length);
  readonly totals = newTotals();
  readonly replySizes = new ReplySizes(COMMANDS.length);
  readonly budget: ByteBudget;
  readonly pool: BackendPool;
  readonly sessions = new Map<number, Session>();
  readonly authThrottle = new AuthThrottle();
  /** Whether the servers know RESP3. */
  readonly resp3: Resp3Question;
  /** Which slots have changed servers. */
  readonly moves = new SlotMoves();
  isQueuedForTurnEnd = false;
  /** When the router was made, in clock milliseconds. */
  readonly startedMs = clock.tick();
  /** Slot changes so far: the version of the table. */
  tableVersion = 0;
  /** Whether no session may dispatch requests now: the table is in doubt. */
  isHeld = false;
  /** Whether there is no table yet: only what Redis answers while it loads is answered. */
  isLoading = false;
  /** Why no request for a server is served now, as an error text; empty when they are. */
  refusal = "";

  #masters: Master[] | null = null;
  readonly #changing: Promise<void>[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tickDueMs = 0;
  #wasLate = false;
  #sessionsTickedMs = 0;
  #trimmedMs = 0;

  constructor(options: RouterOptions, events: RouterEvents, seat: RouterSeat = aloneSeat()) {
    this.options = options;
    this.events = events;
    this.seat = seat;
    this.budget = new ByteBudget(options.proxyBufferBytesMax, seat);
    this.budget.onOver = () => atTurnEnd(this);
    this.resp3 = new Resp3Question(() => this.masters(), options.backendDialMs);
    this.pool = new BackendPool(options, {
      backendReady: (backend) => {
        events.backendReady(backend);
        this.resp3.look();
      },
      backendLost: (backend, cause, wasReady) => {
        events.backendLost(backend, cause, wasReady);
        this.resp3.look();
      },
    });
    this.slots = Array.from({ length: SLOT_COUNT }, (_, id) => new Slot(id, options.slotWaitMs));
    this.#tickIn(TICK_MS);
  }

  // -- sessions -------------------------------------------------------------------------------

  /** Takes an accepted connection; over max_clients it is told so and closed. */
  accept(connection: AcceptedConnection): void {
    clock.tick();
    if (this.sessions.size + this.seat.sessionsElsewhere() >= this.options.maxClients) {
      this.refuse(connection).catch(() => {}).finally(() => hangUp(connection));
      return;
    }
    this.totals.connections++;
    const session = new Session(this.seat.nextSessionId(), connection, this);
    this.sessions.set(session.id, session);
    this.#countSessions();
    this.events.sessionOpened(session);
    session.start();
  }

  /** Tells a connection that there is no room for it, in Redis's words; the caller closes it. */
  async refuse(connection: AcceptedConnection): Promise<void> {
    this.totals.rejectedConnections++;
    await connection.write(errorReply(MAX_CLIENTS));
  }

  sessionClosed(session: Session): void {
    this.sessions.delete(session.id);
    this.#countSessions();
    this.events.sessionClosed(session);
  }

  #countSessions(): void {
    const { size } = this.sessions;
    this.seat.hasSessions(size);
    this.budget.shareAmong(size);
  }

  /**
   * Closes sessions, the one that holds most replies first, while all routers together hold more than
   * they may and this one more than its share. Runs at the end of a turn.
   */
  runAtTurnEnd(): void {
    while (this.budget.isOver && this.budget.isAboveShare) {
      let most: Session | undefined;
      for (const session of this.sessions.values()) {
        if (session.unsentBytes > (most?.unsentBytes ?? 0)) most = session;
      }
      if (most === undefined) return;
      this.totals.evictedSessions++;
      this.events.sessionEvicted(most);
      most.close();
    }
    if (this.budget.isOver) this.seat.pressOthers();
  }

  /** Bytes received from clients, of closed sessions and open ones. */
  get inputBytes(): number {
    let bytes = this.totals.inputBytes;
    for (const session of this.sessions.values()) bytes += session.inputBytes;
    return bytes;
  }

  // -- slots ----------------------------------------------------------------------------------

  /**
   * Puts a slot's owner in force. New requests of the slot wait meanwhile; requests of other slots
   * do not notice.
   *
   * @returns When every request of the slot that was in flight is settled and the new owner serves.
   * What is not settled within slotWaitMs is failed, and its connection closed, first.
   */
  fillSlot(fill: SlotFill): Promise<void> {
    return this.#change(fill.slotId, async (slot) => {
      await this.#drain(slot);
      const server = this.pool.acquire(fill.backendAddr);
      const migrateFrom = fill.migrateFromAddr === ""
        ? null
        : this.pool.acquire(fill.migrateFromAddr);
      this.moves.filled(fill);
      this.#releaseServers(slot);
      slot.server = server;
      slot.migrateFrom = migrateFrom;
      slot.groupId = fill.groupId;
      slot.migrateFromGroupId = migrateFrom === null ? -1 : fill.migrateFromGroupId;
      slot.settle(fill.isBlocked ? "blocked" : migrateFrom === null ? "open" : "migrating");
    });
  }

  /** Takes a slot's owner away: its requests are answered with an error from now on. */
  resetSlot(slotId: number): Promise<void> {
    return this.#change(slotId, async (slot) => {
      await this.#drain(slot);
      this.#releaseServers(slot);
      slot.server = slot.migrateFrom = null;
      slot.groupId = slot.migrateFromGroupId = -1;
      slot.settle("offline");
    });
  }

  inForce(version: number): void {
    this.moves.inForce(version);
  }

  loaded(version: number, doubtful: readonly number[] = []): void {
    this.moves.loaded(version, doubtful);
  }

  /** Runs changes of one slot one after the other. */
  #change(slotId: number, change: (slot: Slot) => Promise<void>): Promise<void> {
    const slot = this.slots[slotId];
    if (slot === undefined) return Promise.reject(new RangeError(`no slot has number ${slotId}`));
    const done = (this.#changing[slotId] ?? Promise.resolve()).then(async () => {
      await change(slot);
      this.#masters = null;
      this.tableVersion++;
    });
    this.#changing[slotId] = done.catch(() => {});
    return done;
  }

  async #drain(slot: Slot): Promise<void> {
    if (slot.state === "offline" && slot.inFlight === 0) return;
    if (await slot.drain()) return;
    const carriers = [slot.server, slot.migrateFrom]
      .flatMap((server) => server === null ? [] : slot.carriers(server.backends()));
    this.events.slotDrainTimedOut(slot.id, carriers);
    for (const backend of carriers) backend.breakOff(`slot ${slot.id} changes hands`);
  }

  #releaseServers(slot: Slot): void {
    if (slot.server !== null) this.pool.release(slot.server);
    if (slot.migrateFrom !== null) this.pool.release(slot.migrateFrom);
  }

  /** The servers in use, by group: every one that owns a slot or has keys of a migrating one. */
  masters(): readonly Master[] {
    if (this.#masters !== null) return this.#masters;
    const groups = new Map<Server, number>();
    for (const slot of this.slots) {
      if (slot.server !== null) groups.set(slot.server, slot.groupId);
      if (slot.migrateFrom !== null) groups.set(slot.migrateFrom, slot.migrateFromGroupId);
    }
    this.#masters = [...groups]
      .map(([server, groupId]) => ({ server, groupId }))
      .sort((a, b) => a.groupId - b.groupId);
    return this.#masters;
  }

  /** Answers requests with -LOADING from now on: there is no table yet. */
  beginLoading(): void {
    this.isLoading = true;
    this.refusal = LOADING;
  }

  /** Serves requests after {@linkcode beginLoading}: every slot was filled. */
  endLoading(): void {
    if (!this.isLoading) return;
    this.isLoading = false;
    this.refusal = "";
  }

  /**
   * Finds out the lowest version of Redis among the servers; those not asked yet are asked now.
   *
   * @param answer Called once; with the version of our own commands when no server tells any.
   */
  askVersion(answer: (version: string) => void): void {
    const servers = this.masters().map((master) => master.server);
    const unknown = servers.filter((server) => !server.version.isSettled);
    let left = unknown.length;
    if (left === 0) return answer(this.lowestVersion);
    for (const server of unknown) {
      server.version.ask(() => {
        if (--left === 0) answer(this.lowestVersion);
      });
    }
  }

  /** What {@linkcode askVersion} has found out so far. */
  get lowestVersion(): string {
    const known = this.masters().map(({ server }) => server.version.text)
      .filter((text) => text !== "");
    return known.length === 0 ? TABLE_VERSION : known.reduce((a, b) => isOlder(b, a) ? b : a);
  }

  /** Lets requests wait: the table may be old. Those in flight are not touched. */
  holdRequests(): void {
    this.isHeld = true;
  }

  /** Answers requests with an error after {@linkcode holdRequests}: the table is old. */
  refuseRequests(): void {
    this.refusal = TABLE_OLD;
    this.#release();
  }

  /** Lets requests go on after {@linkcode holdRequests} or {@linkcode refuseRequests}. */
  resumeRequests(): void {
    this.refusal = this.isLoading ? LOADING : "";
    this.#release();
  }

  #release(): void {
    if (!this.isHeld) return;
    this.isHeld = false;
    for (const session of this.sessions.values()) session.resume();
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
    let isQuiet = this.pool.tick();
    for (const slot of this.slots) {
      if (slot.state === "open") continue;
      slot.tick();
      isQuiet = false;
    }
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
    this.pool.keepAlive();
  }

  /**
   * Lets every session finish what it has in flight, bounded.
   *
   * @param graceMs How long to wait, in milliseconds; then sessions are closed as they are.
   */
  async drainSessions(graceMs: number): Promise<void> {
    const deadline = performance.now() + graceMs;
    for (const session of [...this.sessions.values()]) session.drain();
    while (this.sessions.size > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (const session of [...this.sessions.values()]) session.close();
  }

  /** Closes everything; the router is of no use afterwards. */
  close(): void {
    clearTimeout(this.#timer);
    this.authThrottle.stop();
    for (const session of [...this.sessions.values()]) session.close();
    this.resp3.stop();
    this.pool.close();
  }
}
