/**
 * CLIENT TRACKING of one client: it reads over links of its own, and hears what changes at every server.
 *
 *      commands ─► ways ─► tracked server, one for each that it uses ─► replies
 *      invalidations of all of them ─► the client, or the one that it redirects to
 *
 * All commands of a tracking client take its links, so that none overtakes another, and a reply and an
 * invalidation that follows it come in the order in which the server sent them.
 *
 * What no server tells is made up here, as an invalidation of everything (a null, as after FLUSHALL):
 *
 * - A slot changes hands. The old owner tells of keys that it gives away, but not of a key that it never had
 *   and the client knows to be missing. It is sent while the slot is blocked, before anybody can write at
 *   the new owner.
 * - A connection is lost: the server has forgotten what it tracked.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import { encodeRequest, type Protocol } from "../../resp/encoder.ts";
import { withoutProbeKeys } from "../../resp/probe_key.ts";
import { latin1, latin1Bytes } from "../../resp/latin1.ts";
import type { Server } from "../backends/server.ts";
import {
  acquireRequest,
  type FlightCounter,
  NO_INTEREST,
  type Request,
  type RouteBackend,
  type Ways,
} from "../request.ts";
import type { Slot } from "../slots/slot.ts";
import type { Client } from "./client.ts";
import { Extras, type TrackingState } from "./extras.ts";
import { INVALIDATE, invalidate, INVALIDATE_ALL } from "./invalidation.ts";
import { TrackedServer, type TrackedServerUser } from "./tracked_server.ts";
import type { Tracker } from "./trackers.ts";
import { mergedOptions, type TrackingOptions } from "./tracking_options.ts";

/** Pause before a server is asked again that a client wants to hear from, in milliseconds. */
const LISTEN_AGAIN_MS = 250;
/** How often it is checked whether a client's last reply has come, in milliseconds. */
const SETTLED_CHECK_MS = 10;
const CACHING = {
  yes: encodeRequest(["CLIENT", "CACHING", "YES"]),
  no: encodeRequest(["CLIENT", "CACHING", "NO"]),
};

/** See the drawing above. */
export class Tracking implements TrackingState, TrackedServerUser, Tracker, Ways {
  readonly client: Client;
  isBroken = false;
  isCaching = false;
  #options: TrackingOptions | null = null;
  readonly #servers = new Map<Server, TrackedServer>();
  /** Slots from which something may be cached since everything was invalidated for them. */
  readonly #read = new Set<FlightCounter>();
  /** Those of them that are changing, and whose they were. */
  readonly #changing = new Map<Slot, Server | null>();
  #isEnded = false;
  /** Whether the client was told to forget everything, and has asked for nothing since. */
  #isEmpty = false;
  /** Whether the client waits for CLIENT TRACKING ON: it has cached nothing since. */
  #isConfiguring = false;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  /** Invalidations on their way to another worker. */
  readonly #deliveries = new Set<Promise<void>>();
  /** As the tracking itself, but CLIENT CACHING comes before each request. */
  readonly #cachingWays: Ways = {
    at: (server, request) => {
      const tracked = this.#serverAt(server as Server);
      const connection = tracked.connection(request.database, request.protocol);
      const bytes = CACHING[this.#options!.isOptIn ? "yes" : "no"];
      tracked.send(acquireRequest(NO_INTEREST), bytes);
      this.#mark(request);
      return connection;
    },
  };

  private constructor(client: Client) {
    this.client = client;
    client.shared.trackers.add(this);
  }

  /** Begins to track for a client. */
  static start(client: Client): Tracking {
    const tracking = new Tracking(client);
    Extras.of(client).tracking = tracking;
    return tracking;
  }

  get options(): TrackingOptions {
    return this.#options!;
  }

  configure(wanted: TrackingOptions, done: (error: string) => void): void {
    this.#options = mergedOptions(this.#options, wanted);
    this.isBroken = false;
    this.client.ways = this;
    // All clients that broadcast hear of must be heard of; who reads opens them as it reads.
    if (wanted.isBroadcast) { for (const server of this.#masters()) this.#serverAt(server); }
    this.#isConfiguring = true;
    let left = 1;
    let failure = "";
    const configured = (error: string) => {
      if (error !== "") failure = error;
      if (--left > 0) return;
      this.#isConfiguring = false;
      done(failure);
    };
    for (const tracked of [...this.#servers.values()]) {
      left++;
      tracked.configure(wanted, (error) => {
        if (!tracked.isReady) this.#listenAgain(tracked);
        configured(error);
      });
    }
    queueMicrotask(() => configured(""));
  }

  speak(protocol: Protocol, done: () => void): void {
    let left = this.#servers.size + 1;
    const spoken = () => {
      if (--left === 0) done();
    };
    for (const tracked of [...this.#servers.values()]) tracked.speak(protocol, spoken);
    spoken();
  }

  #masters(): Server[] {
    return this.client.shared.slots.masters().map(({ server }) => server);
  }

  #serverAt(server: Server): TrackedServer {
    let tracked = this.#servers.get(server);
    if (tracked === undefined) {
      tracked = new TrackedServer(server, this);
      this.#servers.set(server, tracked);
    }
    return tracked;
  }

  // -- commands ---------------------------------------------------------------------------------

  at(server: { readonly address: string }, request: Request): RouteBackend {
    this.#mark(request);
    return this.#serverAt(server as Server).connection(request.database, request.protocol);
  }

  #mark({ slot, slots }: Request): void {
    this.#isEmpty = false;
    if (slot !== null) this.#read.add(slot);
    if (slots !== null) { for (const each of slots) this.#read.add(each); }
  }

  cacheNext(): void {
    this.isCaching = true;
    this.client.ways = this.#cachingWays;
  }

  readUntracked(keys: readonly string[]): void {
    const { client } = this;
    const text = `*${keys.length}\r\n` + keys.map((key) => `$${key.length}\r\n${key}\r\n`).join("");
    if (this.options.redirect === 0) {
      // Behind the reply, which nothing has come of.
      if (client.protocol === 3) client.replies.answer(latin1Bytes(INVALIDATE + text));
      return;
    }
    const tell = () => {
      if (this.#isEnded) return;
      if (client.depth === 0) this.#deliver(latin1Bytes(text));
      else this.#later(tell, SETTLED_CHECK_MS);
    };
    tell();
  }

  #later(run: () => void, ms: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
  }

  dispatched(): void {
    if (!this.isCaching || this.#isEnded) return;
    const { lastCommand, transaction } = this.client;
    if (transaction !== null || lastCommand?.name.startsWith("client|")) return;
    this.isCaching = false;
    this.client.ways = this;
  }

  // -- invalidations ------------------------------------------------------------------------------

  pushed(push: Uint8Array): void {
    const head = latin1(push, 0, Math.min(push.length, INVALIDATE.length));
    if (head !== INVALIDATE) return;
    const keys = push.subarray(INVALIDATE.length);
    const theirs = withoutProbeKeys(keys);
    // With broadcast, servers tell of the key, too, that a migration tries the way with.
    if (theirs === keys || latin1(theirs, 0, 2) !== "*0") this.#deliver(theirs);
  }

  /** Tells the client that nothing that it has cached may be used any more. */
  invalidateAll(): void {
    this.#deliver(INVALIDATE_ALL);
  }

  /** @param keys The array of keys, or a null, as RESP3 encodes it. */
  #deliver(keys: Uint8Array): void {
    if (this.#isEnded) return;
    const { client } = this;
    const { redirect, isBroadcast } = this.options;
    if (!isBroadcast && latin1(keys, 0, 1) === "_") {
      if (this.#isEmpty) return; // each server tells of FLUSHALL
      this.#isEmpty = client.depth === 0;
    }
    if (redirect === 0) {
      if (client.protocol === 3) {
        client.replies.pushInOrder(concat([latin1Bytes(INVALIDATE), keys]));
      }
      return;
    }
    if (invalidate(client.shared.clients, redirect, keys)) return;
    const { peers } = client.shared.worker;
    if (peers === null) return this.#targetIsGone(redirect);
    const delivery = peers.invalidate(redirect, latin1(keys, 0, keys.length)).then((isThere) => {
      if (!isThere) this.#targetIsGone(redirect);
    }, () => {}).finally(() => this.#deliveries.delete(delivery));
    this.#deliveries.add(delivery);
  }

  hearAll(done: () => void): void {
    let left = this.#servers.size + 1;
    const heard = () => {
      if (--left > 0) return;
      if (this.#deliveries.size === 0) done();
      else Promise.all(this.#deliveries).then(done);
    };
    for (const tracked of [...this.#servers.values()]) tracked.hearAll(heard);
    heard();
  }

  #targetIsGone(id: number): void {
    if (this.#isEnded) return;
    this.isBroken = true;
    if (this.client.protocol !== 3) return;
    this.client.replies.pushInOrder(
      latin1Bytes(`>2\r\n$21\r\ntracking-redir-broken\r\n:${id}\r\n`),
    );
  }

  // -- servers ------------------------------------------------------------------------------------

  isBack(): void {
    // Who reads gets nothing to cache from a server that does not track.
    if (this.options.isBroadcast && !this.#isConfiguring) this.invalidateAll();
  }

  isLost(tracked: TrackedServer): void {
    this.invalidateAll();
    this.#listenAgain(tracked);
  }

  /** A client that broadcast is heard for hears from all servers, whether it asks them or not. */
  #listenAgain(tracked: TrackedServer): void {
    if (this.#isEnded || !this.options.isBroadcast) return;
    this.#later(() => {
      if (this.#isEnded || !this.#masters().includes(tracked.server)) return;
      this.#listen(tracked);
    }, LISTEN_AGAIN_MS);
  }

  #listen(tracked: TrackedServer): void {
    tracked.hear(() => {
      if (!tracked.isReady) this.#listenAgain(tracked);
    });
  }

  slotDraining(slot: Slot): void {
    if (this.#read.has(slot)) this.#changing.set(slot, slot.server);
  }

  slotSettled(slot: Slot): void {
    if (this.options.isBroadcast) return this.#listenTo(slot);
    const before = this.#changing.get(slot);
    if (before === undefined) return;
    this.#changing.delete(slot);
    if (slot.state !== "blocked" && slot.server === before) return;
    this.invalidateAll();
    if (slot.inFlight === 0) this.#read.delete(slot);
    this.#closeUnused();
  }

  #listenTo({ server }: Slot): void {
    if (server !== null && !this.#servers.has(server)) {
      this.#listen(this.#serverAt(server));
    }
    this.#closeUnused();
  }

  /** Servers that own nothing any more have nothing to tell. */
  #closeUnused(): void {
    for (const [server, tracked] of this.#servers) {
      if (server.uses > 0) continue;
      this.#servers.delete(server);
      tracked.close();
    }
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.client.shared.trackers.delete(this);
    for (const timer of this.#timers) clearTimeout(timer);
    for (const tracked of this.#servers.values()) tracked.close();
    this.#servers.clear();
  }
}
