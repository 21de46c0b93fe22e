/**
 * How requests cross a slot whose keys are being moved: first the keys, then the request.
 *
 *      request ─► its session's lane ─► keys moved? ──────────► head of the lane, all keys there ─► target
 *                        └────────────► moves asked for at once ────────▲          └ its key is big ─► source
 *
 * A lane keeps the requests of one session in order; those of others go on. Moves of all that wait are under
 * way together. A big key of a codis-server that moves keys in chunks stays at the source until the
 * dashboard has moved it, and is used there (source_call.ts).
 *
 * @module
 */

import { findCommand } from "../../command/command_table.ts";
import { KeyIndexes, keyIndexes } from "../../command/key.ts";
import { RequestParser } from "../../resp/request_parser.ts";
import { KeyMover, latin1 } from "./key_fetch.ts";
import type { Request } from "../request.ts";
import type { Server } from "../backends/backend_pool.ts";
import type { Session } from "../client/session.ts";
import type { Slot } from "./slot.ts";
import { failRequest } from "../backends/backend.ts";
import { type Outcome, SourceCall } from "./source_call.ts";

/** Pause before a key that is on its way in chunks is asked for again, in milliseconds. */
const BUSY_MS = 20;

/** A request on its way across. */
interface Crossing {
  readonly request: Request;
  readonly bytes: Uint8Array;
  readonly lane: Lane;
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

/** What one session has on its way. */
interface Lane {
  readonly line: Crossing[];
  isMoving: boolean;
}

/** The way across one migrating slot; see the drawing above. */
export class MigratingForward {
  readonly #slot: Slot;
  readonly #source: Server;
  readonly #mover: KeyMover;
  /** Everything that has not crossed, in the order in which it came. */
  readonly #all = new Set<Crossing>();
  readonly #lanes = new Map<Session | null, Lane>();
  /** Requests whose key is on its way in chunks, by database and key. */
  readonly #busy = new Map<string, Crossing[]>();
  #busyTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(slot: Slot, source: Server, target: Server) {
    this.#slot = slot;
    this.#source = source;
    this.#mover = new KeyMover(slot, source, target);
  }

  /** Sends a request once its keys are at the target. Copies `bytes[start, end)` if it must wait. */
  send(request: Request, bytes: Uint8Array, start: number, end: number): void {
    let lane = this.#lanes.get(request.session);
    if (lane === undefined) this.#lanes.set(request.session, lane = { line: [], isMoving: false });
    const copy = bytes.slice(start, end);
    const keys = keysOf(copy);
    const crossing: Crossing = {
      request,
      bytes: copy,
      lane,
      key: keys.length === 1 ? keys[0] : undefined,
      missing: 0,
      error: "",
      state: "waiting",
      mustMove: false,
    };
    request.state = "waiting";
    lane.line.push(crossing);
    this.#all.add(crossing);
    this.#move(crossing, keys);
    this.#advance(lane);
  }

  #move(crossing: Crossing, keys: readonly string[]): void {
    const mayStay = crossing.key !== undefined && !crossing.mustMove;
    crossing.missing = this.#mover.move(crossing.request.database, keys, mayStay, (error) => {
      crossing.missing--;
      if (error !== "") crossing.error = error;
      this.#advance(crossing.lane);
    });
  }

  /** Sees to it that one key is at the target, for a request that is sent by other ways. */
  fetchKey(database: number, key: Uint8Array, ready: (error: string) => void): boolean {
    return this.#mover.move(database, [latin1(key, 0, key.length)], false, ready) === 0;
  }

  /** Takes out, in order, the requests that have not crossed yet: the slot changes hands. */
  takeWaiting(): { request: Request; bytes: Uint8Array }[] {
    this.#mover.stop();
    clearTimeout(this.#busyTimer);
    this.#busy.clear();
    const waiting = [...this.#all].filter(({ state }) => state === "waiting");
    this.#all.clear();
    this.#lanes.clear();
    return waiting;
  }

  /** Sends what is at the head of a lane and ready. */
  #advance(lane: Lane): void {
    if (lane.isMoving) return; // a failure that comes at once comes back here
    lane.isMoving = true;
    for (let head = lane.line[0]; head !== undefined; head = lane.line[0]) {
      if (head.missing > 0 || head.state !== "waiting" || !this.#slot.isMigrating) break;
      if (this.#isBusy(head)) break;
      const { request, bytes, error, key } = head;
      if (error !== "") {
        this.#crossed(head);
        request.state = "sent";
        failRequest(request, error);
      } else if (
        key !== undefined && !head.mustMove && this.#mover.isBig(request.database, key)
      ) {
        this.#askSource(head, key);
      } else {
        this.#crossed(head);
        this.#slot.sendToOwner(request, bytes, 0, bytes.length);
      }
    }
    lane.isMoving = false;
  }

  /** It is on its final way; what becomes of it is told to its session. */
  #crossed(crossing: Crossing): void {
    const { lane, request } = crossing;
    crossing.state = "crossed";
    this.#all.delete(crossing);
    lane.line.shift();
    if (lane.line.length === 0 && this.#lanes.get(request.session) === lane) {
      this.#lanes.delete(request.session);
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

  #answered(crossing: Crossing, key: string, outcome: Outcome): void {
    const { lane, request: { database } } = crossing;
    if (outcome === "taken") {
      this.#crossed(crossing);
    } else {
      crossing.state = "waiting";
      if (outcome === "moved") this.#mover.arrived(database, key);
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
    this.#advance(lane);
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
    for (const { lane } of waiting) this.#advance(lane);
  }
}

const PARSER = new RequestParser();
const KEYS = new KeyIndexes();

/** The keys of an encoded request, each once, as latin1 strings. */
function keysOf(bytes: Uint8Array): string[] {
  PARSER.next();
  if (PARSER.parse(bytes, 0, bytes.length) !== "request") return [];
  const command = findCommand(PARSER);
  const keys = new Set<string>();
  if (command !== undefined) {
    const count = keyIndexes(command, PARSER, KEYS);
    for (let i = 0; i < count; i++) {
      const key = KEYS.values[i]!;
      keys.add(latin1(PARSER.bytes, PARSER.start(key), PARSER.end(key)));
    }
  }
  PARSER.next();
  return [...keys];
}
