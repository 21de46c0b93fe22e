/**
 * One Redis server and the connections to it.
 *
 *     server ── database × protocol ─► backend    (shared, opened at first use; another one while a script
 *        │       (× backend_connections)            runs over it, see long_scripts.ts)
 *        ├────── private backends                 (lent to one client or key move at a time)
 *        └────── mover backends                   (of another user, that moves keys)
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import { Histogram } from "../../base/histogram.ts";
import type { Protocol } from "../../resp/encoder.ts";
import type { BudgetWaiter } from "../client/byte_budget.ts";
import { DATABASES, type RouterOptions } from "../options.ts";
import { Backend } from "./backend.ts";
import type { BackendHost } from "./backend_host.ts";
import { Circuit } from "./circuit.ts";
import { FastestReply } from "./fastest_reply.ts";
import { NO_DATABASE } from "./handshake.ts";
import { LateCopyGuard } from "./late_copies.ts";
import { LostAddress } from "./lost_address.ts";
import { DEMOTED, HELD, LOST, Outage } from "./outage.ts";
import type { Lateness } from "./reply_deadline.ts";
import { ReplySemaphore } from "./reply_semaphore.ts";
import { ServerCommands } from "./server_commands.ts";
import { ServerFunctions } from "./server_functions.ts";
import { ServerVersion } from "./server_version.ts";
import { UnblockSupport } from "./unblock_support.ts";
import { UploadTurns } from "./upload_turns.ts";

/**
 * Private backends of one server that carry something large at once, such as an upload; more clients wait.
 */
export const LARGE_LOADS_MAX = 32;
/** Idle private backends kept open at most; those who block again and again find one. */
const PRIVATE_BACKENDS_KEPT = 64;
/** Those of them that are kept however long nobody wants one, or after something large. */
const PRIVATE_BACKENDS_UNUSED = 4;
/** How long the others wait for a user, in milliseconds. */
const PRIVATE_BACKEND_UNUSED_MS = 10_000;
/** How long an answer is waited for, in milliseconds, from a server that has not answered before. */
const ANSWER_MS_MIN = 200;

/** What happens to backends, for the log. */
export interface BackendEvents {
  backendReady(backend: Backend): void;
  backendLost(backend: Backend, cause: string, wasReady: boolean): void;
  /** Requests for a server are refused from now on: it does not answer in time. */
  circuitOpened(server: Server): void;
  /** They are sent again, after so many milliseconds. */
  circuitClosed(server: Server, openMs: number): void;
}

/** A server that owns slots, or still has keys of some. */
export interface Master {
  readonly server: Server;
  /** The group it stands for. */
  readonly groupId: number;
}

/** One Redis server; see the drawing above. */
export class Server implements BackendHost<Backend> {
  readonly address: string;
  readonly hostname: string;
  readonly port: number;
  readonly options: RouterOptions;
  /** Slots that name it, as owner or as migration source. */
  uses = 0;
  /** Whether it knows RESP3: `unknown` until a connection asked. */
  resp3: "unknown" | "yes" | "no" = "unknown";
  /** How it gives keys away, `chunks` being Codis 3.2's: `unknown` until it was asked to. */
  mover: "unknown" | "chunks" | "codis" | "stock" = "unknown";
  /** Active while a key that was sent to it by a move may still be on its way. */
  readonly lateCopies = new LateCopyGuard(this);
  readonly circuit = new Circuit(
    (openMs) => this.#circuitChanged(openMs),
    () => this.#connectionForTries(),
  );
  readonly lostAddress = new LostAddress(this);
  readonly version = new ServerVersion(this);
  /** Whether it can be told to unblock a connection. */
  readonly unblocking = new UnblockSupport(this);
  readonly commands = new ServerCommands(this);
  readonly functions = new ServerFunctions(this);
  /** Its outages, for commands that outlast them. */
  readonly outages = {
    lost: new Outage(this, LOST),
    demoted: new Outage(this, DEMOTED),
    held: new Outage(this, HELD),
  };
  /** How much of large replies it is asked for at once. */
  readonly largeReplies: ReplySemaphore;
  /** The same for clients of whose replies little is known. */
  readonly newcomerReplies: ReplySemaphore;
  /** Of a replica that serves reads, its master: there they are counted, and others wait for them. */
  readsOf: Server | null = null;
  /** Its answer to HELLO when it knows none. */
  helloError = "";
  /** When a byte came from it last, over any connection; clock milliseconds. */
  heardMs = 0;
  /** Connections lost since the server was first used. */
  losses = 0;
  /** The shared ones of them: those of one client are also broken off when it leaves. */
  sharedLosses = 0;
  /** The times from when requests were sent to it until their replies were whole. */
  readonly times = new Histogram();
  readonly fastestReply = new FastestReply();

  readonly #events: BackendEvents;
  /** By connection of a slot, protocol and database. */
  readonly #shared: (Backend | undefined)[];
  /** How many there are for each database and protocol. */
  readonly #connections: number;
  /** By database; none while clients' user moves keys, too. */
  readonly #movers: (Backend | undefined)[] = new Array(DATABASES).fill(undefined);
  /** Shared backends over which nothing more is sent, because a script keeps the server from reading it. */
  readonly #heldUp = new Map<number, Backend>();
  /** When one of them was seen last, in clock milliseconds. */
  #heldUpMs = -Infinity;
  #privates = new Set<Backend>();
  #idlePrivates: Backend[] = [];
  /** Those who wait for a private backend, each once. */
  readonly #privateQueue = new Set<BudgetWaiter>();
  /** Private backends that carry something large, and who waits to lend another one. */
  readonly #loaded = new Set<Backend>();
  readonly #loadQueue = new Set<BudgetWaiter>();
  readonly #uploads = new UploadTurns();
  /** Clients that waited for a private backend in vain. */
  privateRefusals = 0;
  /** When {@linkcode sightedSilentMs} asked first of the times after which nothing was heard; clock ms. */
  #askedSinceMs = 0;
  /** Since when it has been known that no connection is ready, in clock milliseconds. */
  #unreadySinceMs: number | undefined;

  constructor(address: string, options: RouterOptions, events: BackendEvents) {
    this.address = address;
    const colon = address.lastIndexOf(":");
    this.hostname = address.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
    this.port = Number(address.slice(colon + 1));
    this.options = options;
    this.#connections = options.backendConnections;
    this.#shared = new Array(2 * DATABASES * this.#connections).fill(undefined);
    this.#events = events;
    this.largeReplies = new ReplySemaphore(options.proxyBufferBytesMax);
    this.newcomerReplies = new ReplySemaphore(options.proxyBufferBytesMax);
  }

  /** The options are others now. */
  optionsChanged(): void {
    const { proxyBufferBytesMax } = this.options;
    for (const each of [this.largeReplies, this.newcomerReplies]) each.limitTo(proxyBufferBytesMax);
  }

  get isAwaited(): boolean {
    return hasWaiters(this) || (this.readsOf !== null && hasWaiters(this.readsOf));
  }

  /** The shared backend of a slot, database and protocol; made, not yet connected, at first use. */
  backend(database: number, protocol: Protocol, slotId = 0): Backend {
    let index = protocol === 3 ? DATABASES + database : database;
    if (this.#connections > 1) index += this.connectionOf(slotId) * 2 * DATABASES;
    return this.#shared[index] ??= new Backend(this, database, protocol);
  }

  /** Which of its connections requests of a slot go over: 0, 1, … */
  connectionOf(slotId: number): number {
    return slotId % this.#connections;
  }

  /** The backend over which keys are moved: clients' own, or that of a user that may do more. */
  moverBackend(database: number): Backend {
    if (this.options.moverLogin === undefined) return this.backend(database, 2);
    return this.#movers[database] ??= new Backend(this, database, 2, false, true);
  }

  /** Whether a script keeps it from answering over a shared backend. */
  get isHeldUp(): boolean {
    return this.#heldUp.size > 0;
  }

  get runsLongScripts(): boolean {
    return clock.nowMs - this.#heldUpMs < this.options.backendTimeoutMs;
  }

  /**
   * Puts new backends in the place of shared ones whose script has run for so long, and closes old ones that
   * have been answered everything.
   */
  replaceHeldUp(ms: number): void {
    for (const [index, backend] of this.#heldUp) {
      if (backend.inFlight > 0) continue;
      this.#heldUp.delete(index);
      backend.close();
    }
    for (const [index, backend] of this.#shared.entries()) {
      if (backend?.isHeldUp(ms) !== true || this.#heldUp.has(index)) continue;
      this.#heldUp.set(index, backend);
      this.#shared[index] = undefined;
    }
    if (this.isHeldUp) this.#heldUpMs = clock.nowMs;
  }

  /** All backends, shared and private. */
  *backends(): Generator<Backend> {
    for (const backend of this.#shared) if (backend !== undefined) yield backend;
    for (const backend of this.#movers) if (backend !== undefined) yield backend;
    yield* this.#heldUp.values();
    yield* this.#privates;
  }

  /**
   * Lends a backend that carries nobody else's requests.
   *
   * @param waiter Resumed later, once, when none is free now: then ask again. Until then it may
   * {@linkcode leavePrivateQueue}.
   * @param isLoad Whether it is to carry something large: only a few may at once.
   * @returns The backend, or null when too many are in use.
   */
  borrowPrivate(
    database: number,
    protocol: Protocol,
    waiter: BudgetWaiter,
    isLoad = false,
  ): Backend | null {
    if (isLoad && this.#loaded.size >= LARGE_LOADS_MAX) {
      this.#loadQueue.add(waiter);
      return null;
    }
    const backend = this.#takePrivate(database, protocol, waiter);
    if (isLoad && backend !== null) this.#loaded.add(backend);
    return backend;
  }

  #takePrivate(database: number, protocol: Protocol, waiter: BudgetWaiter): Backend | null {
    // One that waits for the answer to a keep-alive PING would give a subscriber that answer for its own.
    const index = this.#idlePrivates.findLastIndex((backend) =>
      backend.database === database && backend.protocol === protocol && backend.inFlight === 0
    );
    if (index >= 0) return this.#idlePrivates.splice(index, 1)[0]!;
    if (this.#privates.size >= this.options.privateConnectionsMax) {
      const idle = this.#idlePrivates.shift();
      if (idle === undefined) {
        this.#privateQueue.add(waiter);
        return null;
      }
      idle.close();
    }
    const backend = new Backend(this, database, protocol, true);
    this.#privates.add(backend);
    return backend;
  }

  /**
   * Opens a backend for one request that must overtake all others; with as little as can be between it
   * and the server. It is closed when given back.
   */
  openAlone(): Backend {
    const backend = new Backend(this, NO_DATABASE, 2, true);
    this.#privates.add(backend);
    return backend;
  }

  /**
   * Takes a private backend back; one that is not clean is closed.
   *
   * @param mayKeep Whether another client may have it, as far as the one knows that gives it back.
   */
  returnPrivate(backend: Backend, mayKeep = true): void {
    if (backend.state === "closed") return;
    if (!mayKeep || backend.database === NO_DATABASE) return backend.close();
    // An answer that came before the request was complete leaves the connection in mid-request.
    const isClean = backend.state === "ready" && backend.inFlight === 0 &&
      backend.queuedBytes === 0 && backend.onDrain === null;
    backend.onDrain = null;
    const keptMax = this.#loaded.has(backend) ? PRIVATE_BACKENDS_UNUSED : PRIVATE_BACKENDS_KEPT;
    this.#loadEnded(backend);
    if (isClean && this.uses > 0 && this.#idlePrivates.length < keptMax) {
      backend.idleSinceMs = clock.nowMs;
      this.#idlePrivates.push(backend);
      callNext(this.#privateQueue);
    } else {
      backend.close();
    }
  }

  /** A connection asked HELLO 3: an empty error means that the server knows it. */
  learnedResp3(error: string): void {
    this.resp3 = error === "" ? "yes" : "no";
    this.helloError = error;
  }

  /**
   * How long it has not answered, in milliseconds; 0 while it does, or owes nothing. Makes sure that it is asked
   * something: the next call knows more.
   *
   * @param breakMs From when on what is in flight is broken off: the server is about to be replaced.
   */
  sightedSilentMs(breakMs: number): number {
    const silentMs = this.#silentMs();
    if (silentMs < breakMs) return silentMs;
    this.#unreadySinceMs ??= clock.nowMs - silentMs;
    for (const backend of [...this.backends()]) {
      if (!backend.owesReply || clock.nowMs - backend.progressMs < ANSWER_MS_MIN) continue;
      backend.breakOff(`no answer for ${Math.round(silentMs)} ms`);
    }
    return silentMs;
  }

  #silentMs(): number {
    const asked = this.backend(0, 2);
    asked.warm();
    asked.keepAlive();
    let isReady = false;
    let silentMs = 0;
    for (const backend of this.backends()) {
      if (backend.state !== "ready") continue;
      isReady = true;
      if (backend.owesReply) silentMs = Math.max(silentMs, clock.nowMs - backend.progressMs);
    }
    if (!isReady) silentMs = clock.nowMs - (this.#unreadySinceMs ??= clock.nowMs);
    // That a connection is there says nothing, nor that it owes nothing: only what is heard does.
    if (this.#askedSinceMs <= this.heardMs) this.#askedSinceMs = clock.nowMs;
    silentMs = Math.max(silentMs, clock.nowMs - this.#askedSinceMs);
    return Math.min(silentMs, clock.nowMs - this.heardMs);
  }

  becameReady(backend: Backend): void {
    this.#unreadySinceMs = undefined;
    this.#events.backendReady(backend);
  }

  lost(backend: Backend, cause: string, wasReady: boolean): void {
    if (wasReady) this.losses++;
    if (wasReady && !backend.isPrivate) this.sharedLosses++;
    if (wasReady && ![...this.backends()].some(({ state }) => state === "ready")) {
      this.#unreadySinceMs ??= clock.nowMs;
    }
    this.circuit.lost(backend);
    this.#events.backendLost(backend, cause, wasReady);
    if (this.#isSilent && !backend.isPrivate) this.#breakOffBlocked(cause);
  }

  isLate(backend: Backend, cause: string, lateness: Lateness): void {
    // A script keeps it from answering, or what is late blocks other connections no more than this one.
    if (this.isHeldUp || this.runsLongScripts) return;
    if (lateness === "slow") this.circuit.open(cause, backend);
    else if (this.#isSilent) this.circuit.open(cause, null);
  }

  /** A connection over which it can be asked whether it answers; null while that is being opened. */
  #connectionForTries(): Backend | null {
    const shared = this.backend(0, 2);
    shared.warm();
    return shared.state === "ready" ? shared : null;
  }

  #circuitChanged(openMs: number): void {
    const { isOpen } = this.circuit;
    if (isOpen) this.#events.circuitOpened(this);
    else this.#events.circuitClosed(this, openMs);
    for (const backend of [...this.backends()]) backend.circuitChanged(isOpen);
  }

  /** Whether nothing has come from it for so long that a connection is given up. */
  get #isSilent(): boolean {
    const { backendTimeoutMs } = this.options;
    return backendTimeoutMs > 0 && clock.nowMs - this.heardMs > backendTimeoutMs;
  }

  /** What blocks has no deadline of its own: it ends with the others. */
  #breakOffBlocked(cause: string): void {
    for (const backend of [...this.#privates]) {
      if (backend.linked?.mayBlock === true) backend.breakOff(cause);
    }
  }

  closed(backend: Backend): void {
    this.circuit.lost(backend);
    if (!this.#privates.delete(backend)) return;
    this.#idlePrivates = this.#idlePrivates.filter((idle) => idle !== backend);
    this.#loadEnded(backend);
    callNext(this.#privateQueue);
  }

  takeUploadTurn(backend: Backend, waiter: BudgetWaiter): boolean {
    return this.#uploads.take(backend, waiter);
  }

  #loadEnded(backend: Backend): void {
    this.#uploads.leave(backend);
    if (this.#loaded.delete(backend)) callNext(this.#loadQueue);
  }

  /** The waiter does not want a private backend any more. */
  leavePrivateQueue(waiter: BudgetWaiter): void {
    this.#privateQueue.delete(waiter);
    this.#loadQueue.delete(waiter);
  }

  /** Whether somebody waits for a private backend, because as many are in use as there may be. */
  get isPrivateSpent(): boolean {
    return this.#privateQueue.size > 0;
  }

  /** Private backends that somebody uses. */
  get privatesInUse(): number {
    return this.#privates.size - this.#idlePrivates.length;
  }

  /** Closes private backends that nobody has wanted for a while; called every few seconds. */
  closeUnused(): void {
    while (this.#idlePrivates.length > PRIVATE_BACKENDS_UNUSED) {
      const oldest = this.#idlePrivates[0]!;
      if (clock.nowMs - oldest.idleSinceMs < PRIVATE_BACKEND_UNUSED_MS) return;
      oldest.close();
    }
  }

  /** Closes all connections. */
  close(): void {
    this.lateCopies.stop();
    this.version.stop();
    this.commands.stop();
    this.functions.stop();
    for (const backend of [...this.backends()]) backend.close();
    this.#shared.fill(undefined);
    this.#movers.fill(undefined);
    this.#heldUp.clear();
  }
}

function hasWaiters({ largeReplies, newcomerReplies }: Server): boolean {
  return largeReplies.isAwaited || newcomerReplies.isAwaited;
}

/** Calls the first of a queue; one that does not want what is free calls the next one. */
function callNext(queue: Set<BudgetWaiter>): void {
  for (const waiter of queue) {
    queue.delete(waiter);
    return waiter.resume();
  }
}
