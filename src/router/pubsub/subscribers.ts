/**
 * The clients of a router that subscribe, and the servers that they are connected to: all masters, so that a
 * message reaches them wherever it is published.
 *
 *      a server is about to serve its first slot ─► all join it ─► it serves
 *      a server has no slots any more ────────────► all leave it, when what it sent has come
 *      a server is lost ─► one tries again, later and later ─► it is there ─► the others follow
 *
 * @module
 */

import { Backoff } from "../../base/backoff.ts";
import { clock } from "../../base/clock.ts";
import type { Server } from "../backends/server.ts";
import type { SlotFill } from "../slot_table.ts";
import type { RouterSlots, SlotsListener } from "../slots/router_slots.ts";

/** How long it takes until a change of the slots is looked at, in milliseconds: many come at once. */
const LOOK_MS = 20;

/** A client that subscribes. */
export interface Subscriber {
  /**
   * Connects to a server and subscribes there.
   *
   * @param ended Called once, later or at once, with the cause if it did not succeed, else with nothing.
   */
  join(server: Server, ended: (failure: string) => void): void;
  /** Takes what a server has sent, and disconnects from it; `ended` is called once. */
  leave(server: Server, ended: () => void): void;
}

/** What is reported, for the log. */
export interface SubscriberEvents {
  /** Subscribed clients have lost a server: what is published there now does not reach them. */
  subscriptionsLost(address: string, cause: string): void;
  /** They are subscribed there again. */
  subscriptionsBack(address: string, clients: number, lostMs: number): void;
}

/** A server that is lost. */
interface Outage {
  readonly sinceMs: number;
  readonly backoff: Backoff;
  readonly waiting: Set<Subscriber>;
  timer: ReturnType<typeof setTimeout> | undefined;
  cause: string;
}

/** A server that subscribers are connected to. */
interface Place {
  /** Resolves when all have joined it, or have waited long enough. */
  joining: Promise<void>;
  outage: Outage | null;
}

/** See the drawing above. */
export class Subscribers implements SlotsListener {
  readonly #slots: RouterSlots;
  /** How long a server that is about to serve is waited for. */
  patienceMs: number;
  readonly #events: SubscriberEvents;
  readonly #totals: { lostSubscriptions: number };
  readonly #all = new Set<Subscriber>();
  readonly #places = new Map<Server, Place>();
  /** How many slots are about to be owned by a server, by its address. */
  readonly #filling = new Map<string, number>();
  /** The servers that may serve blocked slots next, by the slot. */
  readonly #expected = new Map<number, readonly string[]>();
  #lookTimer: ReturnType<typeof setTimeout> | undefined;

  /** @param patienceMs How long a server that is about to serve is waited for. */
  constructor(
    slots: RouterSlots,
    patienceMs: number,
    events: SubscriberEvents,
    totals: { lostSubscriptions: number },
  ) {
    this.#totals = totals;
    this.#slots = slots;
    this.patienceMs = patienceMs;
    this.#events = events;
  }

  /** How many there are. */
  get size(): number {
    return this.#all.size;
  }

  /** The servers that a subscriber is connected to, if they are there. */
  servers(): Server[] {
    return [...this.#places.keys()];
  }

  /** Why a server is lost; null while it is not. */
  outageCause(server: Server): string | null {
    return this.#places.get(server)?.outage?.cause ?? null;
  }

  /** A client subscribes from now on. */
  add(subscriber: Subscriber): void {
    this.#all.add(subscriber);
    if (this.#all.size > 1) return;
    for (const address of this.#wanted()) this.#place(address);
  }

  /** A client does not subscribe any more; it has no connections. */
  delete(subscriber: Subscriber): void {
    if (!this.#all.delete(subscriber)) return;
    for (const { outage } of this.#places.values()) outage?.waiting.delete(subscriber);
    if (this.#all.size === 0) this.#clear();
  }

  #clear(): void {
    clearTimeout(this.#lookTimer);
    this.#lookTimer = undefined;
    for (const [server, place] of this.#places) {
      clearTimeout(place.outage?.timer);
      this.#slots.pool.release(server);
    }
    this.#places.clear();
  }

  /** No client subscribes any more: the router stops. */
  stop(): void {
    this.#all.clear();
    this.#clear();
  }

  // -- servers come and go ----------------------------------------------------------------------

  #wanted(): Set<string> {
    const addresses = this.#slots.masters().map(({ server }) => server.address);
    const expected = new Set(this.#expected.values()); // mostly one list for all slots
    return new Set([...addresses, ...this.#filling.keys(), ...[...expected].flat()]);
  }

  #place(address: string): Place & { readonly server: Server } {
    const server = this.#slots.pool.acquire(address);
    const place = { server, joining: Promise.resolve(), outage: null };
    this.#places.set(server, place);
    return place;
  }

  /**
   * Lets all join a server before it serves, and those that a blocked slot may move to: when it moves, other
   * proxies may send messages there before this one knows.
   */
  beforeServing({ slotId, backendAddr, nextAddrs = [] }: SlotFill): Promise<void> | null {
    this.#filling.set(backendAddr, (this.#filling.get(backendAddr) ?? 0) + 1);
    if (nextAddrs.length > 0) this.#expected.set(slotId, nextAddrs);
    const joined = this.#joined(backendAddr);
    if (joined === null || nextAddrs.length === 0) return joined;
    return Promise.all([joined, ...nextAddrs.map((address) => this.#joined(address))]).then(
      () => {},
    );
  }

  serves({ slotId, backendAddr, nextAddrs = [] }: SlotFill): void {
    const left = this.#filling.get(backendAddr)! - 1;
    if (left > 0) this.#filling.set(backendAddr, left);
    else this.#filling.delete(backendAddr);
    if (nextAddrs.length === 0) this.#expected.delete(slotId);
  }

  /** Resolves when all have joined a server; null when there is nobody. */
  #joined(address: string): Promise<void> | null {
    if (this.#all.size === 0) return null;
    for (const [server, { joining }] of this.#places) {
      if (server.address === address) return joining;
    }
    const place = this.#place(address);
    place.joining = this.#joinAll(place.server, [...this.#all]);
    return place.joining;
  }

  #joinAll(server: Server, subscribers: readonly Subscriber[]): Promise<void> {
    return new Promise((resolve) => {
      let left = subscribers.length;
      const timer = setTimeout(resolve, this.patienceMs);
      for (const subscriber of subscribers) {
        subscriber.join(server, (failure) => {
          if (failure !== "") this.lost(server, subscriber, failure);
          if (--left > 0) return;
          clearTimeout(timer);
          resolve();
        });
      }
    });
  }

  changed(): void {
    if (this.#all.size === 0) return;
    this.#lookTimer ??= setTimeout(() => this.#look(), LOOK_MS);
  }

  #look(): void {
    this.#lookTimer = undefined;
    const wanted = this.#wanted();
    for (const server of [...this.#places.keys()]) {
      if (!wanted.delete(server.address)) this.#leave(server);
    }
    for (const address of wanted) this.#joined(address);
  }

  #leave(server: Server): void {
    clearTimeout(this.#places.get(server)?.outage?.timer);
    this.#places.delete(server);
    let left = this.#all.size;
    for (const subscriber of [...this.#all]) {
      subscriber.leave(server, () => {
        if (--left === 0) this.#slots.pool.release(server);
      });
    }
  }

  // -- servers are lost -------------------------------------------------------------------------

  /** A subscriber has lost a server, or could not join it: it will be asked to join again. */
  lost(server: Server, subscriber: Subscriber, cause: string): void {
    const place = this.#places.get(server);
    if (place === undefined || !this.#all.has(subscriber)) return;
    this.#totals.lostSubscriptions++;
    if (place.outage === null) {
      this.#events.subscriptionsLost(server.address, cause);
      place.outage = {
        sinceMs: clock.nowMs,
        backoff: new Backoff({ firstMs: 50, maxMs: 2_000 }),
        waiting: new Set(),
        timer: undefined,
        cause,
      };
      this.#retryLater(server, place.outage);
    }
    place.outage.cause = cause;
    place.outage.waiting.add(subscriber);
  }

  #retryLater(server: Server, outage: Outage): void {
    outage.timer = setTimeout(() => this.#retry(server, outage), outage.backoff.nextMs());
  }

  #retry(server: Server, outage: Outage): void {
    clock.tick();
    const place = this.#places.get(server);
    if (place?.outage !== outage) return;
    const [first, ...others] = outage.waiting;
    if (first === undefined) {
      place.outage = null;
      return;
    }
    outage.waiting.delete(first);
    first.join(server, (failure) => {
      if (place.outage !== outage) return;
      if (failure !== "") {
        outage.cause = failure;
        if (this.#all.has(first)) outage.waiting.add(first);
        return this.#retryLater(server, outage);
      }
      place.outage = null;
      this.#events.subscriptionsBack(
        server.address,
        others.length + 1,
        clock.nowMs - outage.sinceMs,
      );
      for (const other of outage.waiting) {
        other.join(server, (failure) => {
          if (failure !== "") this.lost(server, other, failure);
        });
      }
    });
  }
}
