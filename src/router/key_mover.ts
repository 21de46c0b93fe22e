/**
 * Moves single keys of a migrating slot to their new server before a command uses them.
 *
 *      key ─► moved before? ─► on its way? ─ wait ─► ask the source ─► everyone who waits goes on
 *
 * codis-server moves a key, and every key of the same tag, with SLOTSMGRTTAGONE; stock Redis moves
 * the named keys with MIGRATE. Which one a server is, its answer to the first move tells. However
 * many sessions name a key, it is asked for once at a time, and never again after it was moved: from
 * the moment a slot is migrating nobody writes to the source any more.
 *
 * The source stays authoritative: only after it has said that the key is gone from it (or never was
 * there) may a command for the key reach the target. A move that fails fails the commands that
 * wait for it, and the next command tries again.
 *
 * @module
 */

import { encodeRequest } from "../resp/encoder.ts";
import type { Server } from "./backend_pool.ts";
import { moveFailed } from "./errors.ts";
import { acquireRequest, recycleRequest, type ReplyTaker, type Request } from "./request.ts";
import type { Slot } from "./slot.ts";

/** Codis 2.0's timeout of SLOTSMGRTTAGONE, in milliseconds. */
const TAG_MOVE_MS = 3_000;
/** How long MIGRATE may wait for the target at any moment, in milliseconds. */
const MIGRATE_MS = 10_000;
/** Moved keys that a slot remembers; past it, it forgets and asks again. */
const MOVED_KEYS_MAX = 65_536;

const COLON = 58;
const PLUS = 43;

/** Called when a key may be used: with an empty string, or with the error that kept it. */
export type Moved = (error: string) => void;

/** One question to the source, for one key or several. */
interface Move {
  readonly database: number;
  readonly keys: readonly string[];
  /** Whether it is stock Redis's MIGRATE, not codis-server's command. */
  readonly isMigrate: boolean;
  /** The source's answer so far. */
  answer: string;
}

/** The moves of one migrating slot. */
export class KeyMover implements ReplyTaker {
  readonly #slot: Slot;
  readonly #source: Server;
  readonly #target: Server;
  readonly #moved = new Set<string>();
  readonly #waiting = new Map<string, Moved[]>();
  readonly #moves = new Map<Request, Move>();

  constructor(slot: Slot, source: Server, target: Server) {
    this.#slot = slot;
    this.#source = source;
    this.#target = target;
  }

  /**
   * Sees to it that keys are at the target.
   *
   * @param keys The keys as latin1 strings, one character per byte.
   * @param moved Called once per key that is not known to be there; not at all for the others.
   * @returns How many times `moved` will be called; 0 when every key is there.
   */
  move(database: number, keys: readonly string[], moved: Moved): number {
    let count = 0;
    const asked: string[] = [];
    for (const key of keys) {
      const id = idOf(database, key);
      if (this.#moved.has(id)) continue;
      count++;
      const waiting = this.#waiting.get(id);
      if (waiting !== undefined) {
        waiting.push(moved);
      } else {
        this.#waiting.set(id, [moved]);
        asked.push(key);
      }
    }
    if (asked.length > 0) this.#ask(database, asked);
    return count;
  }

  /** Sends the source's own kind of question. */
  #ask(database: number, keys: readonly string[]): void {
    if (this.#source.mover === "stock") {
      return this.#askStock(database, keys);
    }
    const { hostname, port } = this.#target;
    for (const key of keys) {
      this.#send(
        { database, keys: [key], isMigrate: false, answer: "" },
        ["SLOTSMGRTTAGONE", hostname, String(port), String(TAG_MOVE_MS), bytesOf(key)],
      );
    }
  }

  #askStock(database: number, keys: readonly string[]): void {
    const { hostname, port, options } = this.#target;
    const { backendUser, backendPassword } = options;
    const auth = backendPassword === ""
      ? []
      : backendUser === ""
      ? ["AUTH", backendPassword]
      : ["AUTH2", backendUser, backendPassword];
    const where = [hostname, String(port), "", String(database), String(MIGRATE_MS)];
    this.#send(
      { database, keys, isMigrate: true, answer: "" },
      ["MIGRATE", ...where, "REPLACE", ...auth, "KEYS", ...keys.map(bytesOf)],
    );
  }

  #send(move: Move, words: readonly (string | Uint8Array)[]): void {
    const request = acquireRequest();
    request.taker = this;
    request.slot = this.#slot;
    this.#slot.enter();
    this.#moves.set(request, move);
    const bytes = encodeRequest(words);
    this.#source.backend(move.database, 2).push(request, bytes, 0, bytes.length);
  }

  partReplied(
    part: Request,
    bytes: Uint8Array,
    start: number,
    end: number,
    isLast: boolean,
  ): void {
    const move = this.#moves.get(part)!;
    move.answer += latin1(bytes, start, end);
    if (!isLast) return;
    const type = part.replyType;
    this.#take(part);
    this.#answered(move, type);
    this.#slot.leave();
  }

  partFailed(part: Request, text: string): void {
    const move = this.#moves.get(part)!;
    this.#take(part);
    this.#settle(move, text);
    this.#slot.leave();
  }

  /** Gives the request back; the slot counts the move until its outcome was acted on. */
  #take(part: Request): void {
    this.#moves.delete(part);
    part.state = "settled";
    part.slot = null;
    recycleRequest(part);
  }

  #answered(move: Move, type: number): void {
    const text = move.answer.slice(1).trim();
    // An integer from codis-server, however many keys moved; +OK or +NOKEY from stock Redis.
    if (type === COLON || type === PLUS) {
      if (type === COLON) this.#source.mover = "codis";
      return this.#settle(move, "");
    }
    if (!move.isMigrate && /^ERR unknown command/i.test(text)) {
      this.#source.mover = "stock";
      return this.#askStock(move.database, move.keys);
    }
    this.#settle(move, moveFailed(this.#slot.id, this.#source.address, text));
  }

  #settle(move: Move, error: string): void {
    for (const key of move.keys) {
      const id = idOf(move.database, key);
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === "") {
        if (this.#moved.size >= MOVED_KEYS_MAX) this.#moved.clear();
        this.#moved.add(id);
      }
      for (const moved of waiting ?? []) moved(error);
    }
  }
}

function idOf(database: number, key: string): string {
  return `${database}:${key}`;
}

/** Bytes as a string of one character per byte, which can be the key of a map. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
