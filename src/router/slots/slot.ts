/**
 * One of the 1024 slots: who owns its keys, and how many of its requests are in flight.
 *
 *                  fill, reset                all settled, or the deadline passed
 *      any state ───────────────► draining ──────────────────────────────────────► open
 *                                                                                  ├► migrating
 *                                                                                  ├► blocked
 *                                                                                  └► offline
 *
 * While a slot is draining or blocked its requests wait in a queue, bounded by slotWaitMs; requests for
 * other slots go on. Invariant: inFlight = requests of this slot sent to backends and not settled.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import type { Backend } from "../backends/backend.ts";
import type { Server } from "../backends/server.ts";
import { SLOT_NOT_READY, slotWaitedOut } from "../errors.ts";
import { failRequest, type FlightCounter, type Request } from "../request.ts";
import { MigratingForward } from "./migrating.ts";
import { sendTo } from "./route.ts";

/** Where a slot is in its life; see the drawing above. */
export type SlotState = "offline" | "open" | "migrating" | "draining" | "blocked";
/** Where a change of a slot ends. */
export type SettledState = Exclude<SlotState, "draining">;

/** Someone whose connection depends on who owns a slot. */
export interface SlotWatcher {
  /**
   * The slot is about to change hands. What it has in flight must be settled soon; `slot.enter` and
   * `slot.leave` make the change wait for more.
   */
  slotDraining(slot: Slot): void;
  /** The slot is in force again; {@linkcode Slot.server} may be another one. */
  slotSettled(slot: Slot): void;
}

/** One slot; see the drawing above. */
export class Slot implements FlightCounter {
  readonly id: number;
  state: SlotState = "offline";
  /** The server that owns the slot; null while it is offline. */
  server: Server | null = null;
  /** The server its keys are being moved away from; null when it is not migrating. */
  migrateFrom: Server | null = null;
  /** The version of the slots from which on `server` is its owner. */
  ownerSince = 0;
  /** When it came into force as it is, in clock milliseconds. */
  settledMs = 0;
  groupId = -1;
  migrateFromGroupId = -1;
  inFlight = 0;
  /** Requests sent so far. */
  requests = 0;
  /** The last split command that named it, and the group of keys that it put it in. */
  splitId = 0;
  splitGroup = 0;

  /** Longest wait of a request for it, and of it for its requests in flight, in milliseconds. */
  waitMs: number;
  #waitingHead: Request | null = null;
  #waitingTail: Request | null = null;
  #onDrained: (() => void) | null = null;
  #onOpen: (() => void)[] = [];
  /** Null while nobody watches, as it is for most. */
  #watchers: Set<SlotWatcher> | null = null;
  #migrating: MigratingForward | null = null;

  constructor(id: number, waitMs: number) {
    this.id = id;
    this.waitMs = waitMs;
  }

  /** Whether requests can be sent at this moment, without waiting. */
  get isOpen(): boolean {
    return this.state === "open";
  }

  /** Whether keys must be fetched from the old server before they are used. */
  get isMigrating(): boolean {
    return this.state === "migrating";
  }

  /**
   * Sends a request to the slot's server, or lets it wait. Copies `bytes[start, end)`; an offline slot
   * fails it. Unless the slot is open, the request must know its keys.
   */
  send(request: Request, bytes: Uint8Array, start: number, end: number): void {
    if (this.state === "open") {
      this.sendToOwner(request, bytes, start, end);
    } else if (this.state === "migrating") {
      this.#migrating!.send(request, bytes, start, end);
    } else if (this.state === "offline") {
      failRequest(request, SLOT_NOT_READY);
    } else {
      this.#hold(request, bytes.slice(start, end));
      if (this.#waitingTail === null) this.#waitingHead = request;
      else this.#waitingTail.nextSent = request;
      this.#waitingTail = request;
    }
  }

  #hold(request: Request, bytes: Uint8Array): void {
    request.state = "waiting";
    request.detours.waited = "slot";
    request.detours.openedMs = 0;
    request.slotId = this.id;
    request.ownBytes = bytes;
  }

  /**
   * Takes a request back that a connection was given, and has not sent: it waits before all others, if the slot
   * is draining. Takes `bytes`.
   *
   * @returns Whether it does.
   */
  takeBack(request: Request, bytes: Uint8Array): boolean {
    if (this.state !== "draining") return false;
    request.slot = request.backend = request.sentIn = null;
    // Its keys were of no interest while the slot was open.
    request.usesUnnamedKeys ||= request.keys === null;
    this.#hold(request, bytes);
    request.nextSent = this.#waitingHead;
    this.#waitingHead = request;
    this.#waitingTail ??= request;
    this.leave();
    return true;
  }

  /** Sends a request to the owner, whatever the state. Copies `bytes[start, end)`. */
  sendToOwner(request: Request, bytes: Uint8Array, start: number, end: number): void {
    request.slot = this;
    sendTo(this.server!, request, bytes, start, end);
  }

  /**
   * Fetches a key of a migrating slot for a request that is not sent by `send`.
   *
   * @param ready Called later, unless the key is there already, with the error if there was one.
   * @returns Whether the key is there already.
   */
  fetchKey(database: number, key: Uint8Array, ready: (error: string) => void): boolean {
    return this.#migrating === null || this.#migrating.fetchKey(database, key, ready);
  }

  enter(): void {
    this.requests++;
    this.inFlight++;
  }

  leave(): void {
    if (--this.inFlight === 0 && this.#onDrained !== null) this.#onDrained();
  }

  /** Calls `callback` once when the slot is no longer draining or blocked. */
  whenOpen(callback: () => void): void {
    this.#onOpen.push(callback);
  }

  /** Notifies `watcher` of each change of the slot from now on. */
  watch(watcher: SlotWatcher): void {
    (this.#watchers ??= new Set()).add(watcher);
  }

  /** Ends {@linkcode watch}. */
  unwatch(watcher: SlotWatcher): void {
    this.#watchers?.delete(watcher);
    if (this.#watchers?.size === 0) this.#watchers = null;
  }

  /**
   * Holds new requests back and waits until none is in flight.
   *
   * @returns True, or false when the deadline passed first.
   */
  drain(): Promise<boolean> {
    this.state = "draining";
    for (const watcher of [...this.#watchers ?? []]) watcher.slotDraining(this);
    if (this.inFlight === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#onDrained = null;
        resolve(false);
      }, this.waitMs);
      this.#onDrained = () => {
        this.#onDrained = null;
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  /** The backends that carry requests of this slot: a drain past its deadline breaks them off. */
  carriers(backends: Iterable<Backend>): Backend[] {
    return [...backends].filter((backend) => backend.carriesSlot(this.id));
  }

  /** Ends a change: the slot is in `state` now, and what waits is sent accordingly. */
  settle(state: SettledState): void {
    this.state = state;
    this.settledMs = clock.tick();
    const crossing = this.#migrating?.takeWaiting() ?? [];
    this.#migrating = state === "migrating"
      ? new MigratingForward(this, this.migrateFrom!, this.server!)
      : null;
    // What was on its way across comes before what has waited since.
    let request = this.#waitingHead;
    this.#waitingHead = this.#waitingTail = null;
    // What blocks has been here before what waits, and has its turn before.
    for (const watcher of [...this.#watchers ?? []]) watcher.slotSettled(this);
    for (const { request: first, bytes } of crossing) this.send(first, bytes, 0, bytes.length);
    while (request !== null) {
      const next: Request | null = request.nextSent;
      request.nextSent = null;
      this.#sendWaiting(request);
      request = next;
    }
    if (state === "blocked") return;
    const callbacks = this.#onOpen;
    this.#onOpen = [];
    for (const callback of callbacks) callback();
  }

  #sendWaiting(request: Request): void {
    const bytes = request.ownBytes!;
    request.ownBytes = null;
    request.detours.openedMs = clock.nowMs;
    if (request.owner.isGone) {
      failRequest(request, SLOT_NOT_READY); // nobody reads the answer
    } else {
      this.send(request, bytes, 0, bytes.length);
    }
  }

  /** Fails requests that have waited too long; called a few times a second. */
  tick(): void {
    this.#migrating?.tick(this.waitMs);
    while (
      this.#waitingHead !== null && clock.nowMs - this.#waitingHead.startedMs > this.waitMs
    ) {
      const request = this.#waitingHead;
      this.#waitingHead = request.nextSent;
      if (this.#waitingHead === null) this.#waitingTail = null;
      request.nextSent = null;
      request.ownBytes = null;
      failRequest(request, slotWaitedOut(this.id, this.waitMs));
    }
  }
}
