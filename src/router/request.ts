/**
 * One command in flight, from its session to a backend and back.
 *
 *     session FIFO (next)      head ─► r1 ─► r2 ─► r3 ─► tail      replies leave in this order
 *     backend FIFO (nextSent)  sent ─► r1 ─► x7 ─► r3              replies arrive in this order
 *
 * A reply that arrives for the session's first request goes straight to the client; any other is
 * held in its request until its turn. Requests are pooled: one is free again when it is settled and
 * has left its session's FIFO.
 *
 * @module
 */

import type { Command } from "../command/command.ts";
import { copyBytes, enlarge, releaseChunk } from "../io/chunk_pool.ts";
import type { WriteBatch } from "../io/write_batch.ts";
import type { Backend } from "./backends/backend.ts";
import type { Gather } from "./dispatch/gather.ts";
import type { ReplyGate } from "./backends/reply_semaphore.ts";
import type { Session } from "./client/session.ts";
import type { Slot } from "./slots/slot.ts";

/** Requests kept for re-use. */
const FREE_REQUESTS_MAX = 16_384;
const NOTHING = new Uint8Array(0);
/** Bytes of reply memory that a pooled request keeps. */
const HELD_BYTES_KEPT = 512;

/** Replies of at least this size are moved, not copied. */
export const WHOLE_BYTES_MIN = 64 * 1024;

/** Where a request is: `waiting` for a slot, `sent` to a backend's queue, or `settled`. */
export type RequestState = "free" | "new" | "waiting" | "sent" | "settled";

/** Someone who takes a reply in a session's place. */
export interface ReplyTaker {
  /** Reply bytes arrived. Borrows `bytes` during the call. */
  partReplied(part: Request, bytes: Uint8Array, start: number, end: number, isLast: boolean): void;
  /** There will be no reply. */
  partFailed(part: Request, text: string): void;
}

/** One command in flight. All fields belong to session, slot and backend together. */
export class Request {
  state: RequestState = "free";
  /** Whose command it is; null for the proxy's own (keep-alive). */
  session: Session | null = null;
  command: Command | null = null;
  /** The slot that counts it as in flight. */
  slot: Slot | null = null;
  /** For a part that covers several slots: all of them, with repetitions. */
  slots: Slot[] | null = null;
  /** Who wants the reply instead of the session: a part's gather, a key move. */
  taker: ReplyTaker | null = null;
  /** The backend that carries it, or did. */
  backend: Backend | null = null;
  /** The private backend that carries it, given back when it settles. */
  privateBackend: Backend | null = null;
  /** Next in the session's FIFO; next free one in the pool. */
  next: Request | null = null;
  /** Next in the backend's FIFO or the slot's waiting line. */
  nextSent: Request | null = null;
  /** When it was dispatched, in clock milliseconds. */
  startedMs = 0;
  /** Bytes charged for it until it settles. */
  chargedBytes = 0;
  /** What kind of request it is, for what its reply's size teaches; 0 where that is of no interest. */
  kind = 0;
  /** What its reply is expected to have, in bytes, until it settles. */
  expectedBytes = 0;
  /** Whether its reply is known to be large from others to the same request. */
  isForeseen = false;
  /** The gate that a large reply was asked for through, until it settles. */
  gate: ReplyGate | null = null;
  /** Who makes its reply of several parts; null for a request that is sent as it is. */
  gather: Gather | null = null;
  /** Its bytes, while it waits for a slot; else null. */
  ownBytes: Uint8Array | null = null;
  /** Database and protocol it was sent under, for a request that waits. */
  database = 0;
  protocol: 2 | 3 = 2;

  /** First byte of the reply; 0 before it came. */
  replyType = 0;
  /** Bytes of the reply seen so far. */
  replyBytes = 0;
  /** Bytes that are known to be missing while a part of the reply is here. */
  missingBytes = 0;
  /** Reply bytes that wait for their turn: held[0, heldBytes). */
  held: Uint8Array | null = null;
  heldBytes = 0;

  /** Copies reply bytes to the end of what is held. */
  hold(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    const total = this.heldBytes + length;
    let held = this.held;
    if (held === null || held.length < total) {
      const size = Math.max(total, this.heldBytes * 2);
      this.held = held = total <= HELD_BYTES_KEPT
        ? new Uint8Array(HELD_BYTES_KEPT)
        : enlarge(held ?? NOTHING, this.heldBytes, size);
    }
    copyBytes(held, this.heldBytes, bytes, start, end);
    this.heldBytes = total;
  }

  /** Nobody wants what is held any more. */
  dropHeld(): void {
    this.heldBytes = 0;
    if (this.held === null || this.held.length <= HELD_BYTES_KEPT) return;
    releaseChunk(this.held);
    this.held = null;
  }

  /** Takes a whole reply to be held, where {@linkcode hold} would copy it. */
  adopt(reply: Uint8Array): void {
    this.held = reply;
    this.heldBytes = reply.length;
  }

  /** Moves what is held to the end of a batch; a large reply goes there without a copy. */
  moveHeld(batch: WriteBatch): void {
    const held = this.held!;
    const bytes = this.heldBytes;
    this.heldBytes = 0;
    if (bytes < WHOLE_BYTES_MIN) return batch.append(held, 0, bytes);
    this.held = null;
    batch.appendWhole(held.subarray(0, bytes));
  }
}

let free: Request | null = null;
let freeCount = 0;

/** Borrows a request from the pool; its fields are as a new one's. */
export function acquireRequest(): Request {
  const request = free ?? new Request();
  if (free !== null) {
    free = request.next;
    request.next = null;
    freeCount--;
  }
  request.state = "new";
  return request;
}

/** Takes a request back; nobody may hold it any longer. */
export function recycleRequest(request: Request): void {
  if (request.state === "free") throw new Error("a request was given back twice");
  request.state = "free";
  if (freeCount >= FREE_REQUESTS_MAX) return request.dropHeld();
  request.session = null;
  request.command = null;
  request.slot = null;
  request.slots = null;
  request.taker = null;
  request.backend = null;
  request.privateBackend = null;
  request.nextSent = null;
  request.ownBytes = null;
  request.chargedBytes = 0;
  request.kind = 0;
  request.isForeseen = false;
  request.gather = null;
  request.replyType = 0;
  request.replyBytes = 0;
  request.missingBytes = 0;
  request.dropHeld();
  request.next = free;
  free = request;
  freeCount++;
}

/** A session leaves its FIFO: settled requests are free now, the others when somebody settles them. */
export function leaveRequests(head: Request | null): void {
  for (let request = head; request !== null;) {
    const next: Request | null = request.next;
    request.next = null;
    request.dropHeld();
    request.gather?.abandon();
    if (request.state === "settled") recycleRequest(request);
    request = next;
  }
}
