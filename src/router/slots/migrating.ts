/**
 * How requests cross a slot whose keys are being moved: first the keys, then the request.
 *
 *      request ─► its client's queue ─► keys moved? ──────────► head of the queue, all keys there ─► target
 *                        └────────────► moves asked for at once ────────▲         └ its key is big ─► source
 *
 * A queue keeps the requests of one client in order; those of others go on. A request that may use keys which it
 * does not name waits until the slot has moved, unless codis-server moves whole tags. Moves of all that wait are under
 * way together. A big key of a codis-server that moves keys in chunks stays at the source until the
 * dashboard has moved it, and is used there (source_call.ts).
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import { otherDatabase } from "../../command/key.ts";
import { wholeSlotWaitedOut } from "../errors.ts";
import type { Server } from "../backends/server.ts";
import { latin1 } from "../../resp/latin1.ts";
import { RequestParser } from "../../resp/request_parser.ts";
import { DATABASES } from "../options.ts";
import { failRequest, type FlightCounter, type Request } from "../request.ts";
import { KeyFetch } from "./key_fetch.ts";
import { SourceCall, type SourceOutcome } from "./source_call.ts";

/** Pause before a key that is on its way in chunks is asked for again, in milliseconds. */
const BUSY_MS = 20;

/** A request on its way across. */
interface Crossing {
  readonly request: Request;
  readonly bytes: Uint8Array;
  readonly queue: ClientQueue;
  /** The only key, as latin1; nothing when there are several, or none. */
  readonly key: string | undefined;
  /** Keys that are still to be moved. */
  missing: number;
  /** Why it cannot cross; empty while it can. */
  error: string;
  /** Where it is: `waiting` also while its key is in chunks. */
  state: "waiting" | "asked" | "crossed";
  /** Whether its key must be moved, whatever its size: the source does not know the command. */
  mustMove: boolean;
}

/** What one client has on its way. */
interface ClientQueue {
  readonly crossings: Crossing[];
  isAdvancing: boolean;
}

/** A slot as its requests cross it. */
export interface CrossedSlot extends FlightCounter {
  readonly isMigrating: boolean;
  sendToOwner(request: Request, bytes: Uint8Array, start: number, end: number): void;
}

/** The way of requests across one migrating slot; see the drawing above. */
export class MigratingForward {
  readonly #slot: CrossedSlot;
  readonly #source: Server;
  readonly #keys: KeyFetch;
  /** Everything that has not crossed, in the order in which it came. */
  readonly #all = new Set<Crossing>();
  readonly #queues = new Map<object | null, ClientQueue>();
  /** Requests whose key is on its way in chunks, by database and key. */
  readonly #busy = new Map<string, Crossing[]>();
  #busyTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(slot: CrossedSlot, source: Server, target: Server) {
    this.#slot = slot;
    this.#source = source;
    this.#keys = new KeyFetch(slot, source, target);
  }

  /** Sends a request once its keys are at the target. Copies `bytes[start, end)` if it must wait. */
  send(request: Request, bytes: Uint8Array, start: number, end: number): void {
    const { client } = request;
    let queue = this.#queues.get(client);
    if (queue === undefined) {
      this.#queues.set(client, queue = { crossings: [], isAdvancing: false });
    }
    const keys = request.keys ?? [];
    const other = otherDatabaseOf(request, bytes, start, end);
    const crossing: Crossing = {
      request,
      bytes: bytes.slice(start, end),
      queue,
      key: keys.length === 1 ? keys[0] : undefined,
      missing: 0,
      error: "",
      state: "waiting",
      // What is sent in one piece is executed in one place, and what is of two databases as well.
      mustMove: request.leads !== null || other >= 0,
    };
    request.state = "waiting";
    request.detours.waited = "key";
    request.slotId = this.#slot.id;
    queue.crossings.push(crossing);
    this.#all.add(crossing);
    this.#move(crossing, keys);
    if (other >= 0) this.#move(crossing, keys, other);
    this.#advance(queue);
  }

  #move(
    crossing: Crossing,
    keys: readonly string[],
    database = crossing.request.database,
  ): void {
    const mayStay = crossing.key !== undefined && !crossing.mustMove;
    crossing.missing += this.#keys.move(database, keys, mayStay, (error) => {
      crossing.missing--;
      if (error !== "") crossing.error = error;
      this.#advance(crossing.queue);
    });
  }

  /** Brings one key to the target, for a request that is not sent by {@linkcode send}. */
  fetchKey(database: number, key: Uint8Array, ready: (error: string) => void): boolean {
    return this.#keys.move(database, [latin1(key)], false, ready) === 0;
  }

  /** Takes out, in order, the requests that have not crossed yet: the slot changes hands. */
  takeWaiting(): { request: Request; bytes: Uint8Array }[] {
    this.#keys.stop();
    clearTimeout(this.#busyTimer);
    this.#busy.clear();
    const waiting = [...this.#all].filter(({ state }) => state === "waiting");
    this.#all.clear();
    this.#queues.clear();
    return waiting;
  }

  /** Sends what is at the head of a queue and ready. */
  #advance(queue: ClientQueue): void {
    if (queue.isAdvancing) return; // a failure that comes at once comes back here
    queue.isAdvancing = true;
    for (let head = queue.crossings[0]; head !== undefined; head = queue.crossings[0]) {
      if (head.missing > 0 || head.state !== "waiting" || !this.#slot.isMigrating) break;
      if (this.#isBusy(head)) break;
      if (head.error === "" && this.#needsWholeSlot(head)) break;
      const { request, bytes, error, key } = head;
      if (error !== "") {
        this.#crossed(head);
        failRequest(request, error);
      } else if (
        key !== undefined && !head.mustMove && this.#keys.isBig(request.database, key)
      ) {
        this.#askSource(head, key);
      } else {
        this.#crossed(head);
        this.#slot.sendToOwner(request, bytes, 0, bytes.length);
      }
    }
    queue.isAdvancing = false;
  }

  /** Whether it must wait until all keys of the slot are at the target. */
  #needsWholeSlot({ request }: Crossing): boolean {
    if (!request.usesUnnamedKeys) return false;
    return this.#source.mover !== "codis" || !this.#keys.movesTags;
  }

  /** Fails what has waited too long for the whole slot; called a few times a second. */
  tick(waitMs: number): void {
    for (const { crossings: [head] } of [...this.#queues.values()]) {
      if (head === undefined || !this.#needsWholeSlot(head) || head.state !== "waiting") continue;
      if (clock.nowMs - head.request.startedMs <= waitMs) continue;
      head.error = wholeSlotWaitedOut(this.#slot.id, waitMs);
      this.#advance(head.queue);
    }
  }

  /** It is on its way to a server, or failed: it is in no queue any more. */
  #crossed(crossing: Crossing): void {
    const { queue, request } = crossing;
    crossing.state = "crossed";
    this.#all.delete(crossing);
    queue.crossings.shift();
    if (queue.crossings.length === 0 && this.#queues.get(request.client) === queue) {
      this.#queues.delete(request.client);
    }
  }

  // -- big keys ---------------------------------------------------------------------------------

  #askSource(crossing: Crossing, key: string): void {
    const { request, bytes } = crossing;
    crossing.state = "asked";
    const call = new SourceCall(this.#slot, request, (outcome) => {
      this.#answered(crossing, key, outcome);
    });
    call.send(this.#source.backend(request.database, request.protocol), key, bytes);
  }

  #answered(crossing: Crossing, key: string, outcome: SourceOutcome): void {
    const { queue, request: { database } } = crossing;
    if (outcome === "taken") {
      this.#crossed(crossing);
    } else {
      crossing.state = "waiting";
      if (outcome === "moved") this.#keys.arrived(database, key);
      if (outcome === "unknown") {
        crossing.mustMove = true;
        this.#move(crossing, [key]);
      }
    }
    const id = `${database}:${key}`;
    if (outcome === "busy") this.#waitFor(id, crossing);
    // What only reads is answered all the time.
    else if (outcome !== "taken" || crossing.request.command?.isReadOnly !== true) {
      this.#release(id);
    }
    this.#advance(queue);
  }

  /** Whether it waits for its key to arrive; what only reads does not. */
  #isBusy({ request, key }: Crossing): boolean {
    return key !== undefined && request.command?.isReadOnly !== true &&
      this.#busy.has(`${request.database}:${key}`);
  }

  #waitFor(id: string, crossing: Crossing): void {
    const waiting = this.#busy.get(id);
    if (waiting === undefined) this.#busy.set(id, [crossing]);
    else if (!waiting.includes(crossing)) waiting.push(crossing);
    this.#busyTimer ??= setTimeout(() => {
      this.#busyTimer = undefined;
      for (const [first] of this.#busy.values()) {
        if (this.#slot.isMigrating && first!.state === "waiting") {
          this.#askSource(first!, first!.key!);
        }
      }
    }, BUSY_MS);
  }

  /** A key is where it was before, or has arrived. */
  #release(id: string): void {
    const waiting = this.#busy.get(id);
    if (waiting === undefined) return;
    this.#busy.delete(id);
    for (const { queue } of waiting) this.#advance(queue);
  }
}

/** The other database of which a request uses its keys; -1: of none. */
function otherDatabaseOf(
  { command, keys }: Request,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  if (keys === null || (command?.name !== "move" && command?.name !== "copy")) return -1;
  const parser = new RequestParser();
  if (parser.parse(bytes, start, end) !== "request") return -1;
  const database = otherDatabase(command, parser);
  return database < DATABASES ? database : -1;
}
