/**
 * Keys that a client watches in one slot, over a link of its own to the slot's server.
 *
 *      WATCH ─► watching ─┬─ EXEC over the link ────────────► given back
 *                         ├─ UNWATCH, DISCARD, RESET ───────► UNWATCH over the link ─► given back
 *                         ├─ the slot changes hands ─┐
 *                         └─ the server is lost ─────┴─────► touched: EXEC answers nil
 *
 * @module
 */

import { encodeRequest, PING, type Protocol } from "../../resp/encoder.ts";
import type { Link, LinkUser } from "../backends/link.ts";
import { LinkCall } from "../backends/link_call.ts";
import type { Slot, SlotWatcher } from "../slots/slot.ts";
import type { Transaction } from "./transaction.ts";

const UNWATCH = encodeRequest(["UNWATCH"]);

/** What a connection must be in for the client's commands. */
interface Manner {
  readonly database: number;
  readonly protocol: Protocol;
}

/** See the drawing above. */
export class WatchedSlot implements LinkUser, SlotWatcher {
  readonly slot: Slot;
  /** Whether the keys may have changed, so that EXEC answers nil. */
  isTouched = false;
  #link: Link | null;
  /** What the connection is in now. */
  #database: number;
  #protocol: Protocol;

  constructor(slot: Slot) {
    this.slot = slot;
    this.#link = null;
    this.#database = 0;
    this.#protocol = 2;
  }

  /** Its connection; null while it has none. */
  get link(): Link | null {
    return this.#link;
  }

  /** Takes a link to the slot's server, and begins to follow the slot. */
  begin(link: Link): void {
    this.#link = link;
    this.#database = link.database;
    this.#protocol = link.protocol;
    this.slot.watch(this);
  }

  /**
   * Puts the connection into the client's database and protocol.
   *
   * @param done Called once, with the server's error if there is one.
   */
  adapt(to: Manner, done: (error: string) => void): void {
    const words: string[][] = [];
    if (to.protocol !== this.#protocol) words.push(["HELLO", `${to.protocol}`]);
    if (to.database !== this.#database) words.push(["SELECT", `${to.database}`]);
    const next = (i: number) => {
      if (i === words.length || this.#link === null) return done("");
      new LinkCall(this.slot, (_reply, error) => error === "" ? next(i + 1) : done(error))
        .send(this.#link, encodeRequest(words[i]!));
    };
    this.#protocol = to.protocol;
    this.#database = to.database;
    next(0);
  }

  /** The server watches no key for the connection any more: gives it back. */
  end(): void {
    this.slot.unwatch(this);
    const link = this.#link;
    this.#link = null;
    if (link === null) return;
    link.giveBack(link.database === this.#database && link.protocol === this.#protocol);
  }

  /** The client does not want to know any more. */
  cancel(): void {
    this.slot.unwatch(this);
    if (this.#link === null) return;
    new LinkCall(null, () => this.end()).send(this.#link, UNWATCH);
  }

  slotDraining(): void {
    this.isTouched = true;
    this.slot.unwatch(this);
    if (this.#link !== null && this.#link.inFlight === 0) this.#breakOff();
  }

  slotSettled(): void {}

  pushed(): void {}

  lost(): void {
    this.isTouched = true;
    this.slot.unwatch(this);
    this.#link = null;
  }

  clientClosed(): void {
    this.slot.unwatch(this);
    const link = this.#link;
    if (link === null) return;
    if (link.inFlight === 0) return this.#breakOff();
    // What is on its way is left to the server: a transaction ends the link, a WATCH does not.
    link.ask(PING, () => {
      if (this.#link === link) this.#breakOff();
    });
  }

  #breakOff(): void {
    const link = this.#link!;
    this.#link = null;
    link.breakOff();
  }
}

/** What clients have that watch nothing. */
export const NO_WATCHES: readonly WatchedSlot[] = [];

/** A client that watches keys. */
export interface Watcher {
  watches: readonly WatchedSlot[];
  transaction: Transaction | null;
}

/** Ends all watching of a client, as UNWATCH does. */
export function unwatchAll(client: Watcher): void {
  if (client.watches.length === 0) return;
  for (const watch of client.watches) watch.cancel();
  client.watches = NO_WATCHES;
}

/** Drops a client's transaction, and with it what it watches. */
export function endTransaction(client: Watcher): void {
  client.transaction?.end();
  client.transaction = null;
  unwatchAll(client);
}
