/**
 * How requests cross a slot whose keys are being moved: first the keys, then the request.
 *
 *      request ─► line ─► keys moved? ──────────────► head of the line, all keys there ─► target
 *                  └────► moves asked for at once ─────────▲
 *
 * The line keeps the slot's requests in order; moves of all that wait in it are under way together.
 *
 * @module
 */

import { findCommand } from "../command/command_table.ts";
import { KeyIndexes, keyIndexes } from "../command/key.ts";
import { RequestParser } from "../resp/request_parser.ts";
import { KeyMover, latin1 } from "./key_mover.ts";
import type { Request } from "./request.ts";
import type { Server } from "./backend_pool.ts";
import type { Slot } from "./slot.ts";
import { failRequest } from "./backend.ts";

/** A request on its way across. */
interface Crossing {
  readonly request: Request;
  readonly bytes: Uint8Array;
  /** Keys that are still to be moved. */
  missing: number;
  /** Why it cannot cross; empty while it can. */
  error: string;
}

/** The way across one migrating slot; see the drawing above. */
export class MigratingForward {
  readonly #slot: Slot;
  readonly #mover: KeyMover;
  readonly #line: Crossing[] = [];
  #isMoving = false;

  constructor(slot: Slot, source: Server, target: Server) {
    this.#slot = slot;
    this.#mover = new KeyMover(slot, source, target);
  }

  /** Sends a request once its keys are at the target. Copies `bytes[start, end)` if it must wait. */
  send(request: Request, bytes: Uint8Array, start: number, end: number): void {
    const crossing: Crossing = { request, bytes: bytes.slice(start, end), missing: 0, error: "" };
    request.state = "waiting";
    this.#line.push(crossing);
    const keys = keysOf(crossing.bytes);
    crossing.missing = this.#mover.move(request.database, keys, (error) => {
      crossing.missing--;
      if (error !== "") crossing.error = error;
      this.#advance();
    });
    this.#advance();
  }

  /** Sees to it that one key is at the target, for a request that is sent by other ways. */
  fetchKey(database: number, key: Uint8Array, ready: (error: string) => void): boolean {
    return this.#mover.move(database, [latin1(key, 0, key.length)], ready) === 0;
  }

  /** Takes out, in order, the requests that have not crossed yet: the slot changes hands. */
  takeWaiting(): { request: Request; bytes: Uint8Array }[] {
    this.#mover.stop();
    return this.#line.splice(0);
  }

  /** Sends what is at the head of the line and ready. */
  #advance(): void {
    if (this.#isMoving) return; // a failure that comes at once comes back here
    this.#isMoving = true;
    while (this.#line.length > 0 && this.#line[0]!.missing === 0 && this.#slot.isMigrating) {
      const { request, bytes, error } = this.#line.shift()!;
      if (error !== "") {
        request.state = "sent";
        failRequest(request, error);
      } else {
        this.#slot.sendToOwner(request, bytes, 0, bytes.length);
      }
    }
    this.#isMoving = false;
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
