/**
 * One command in flight, from its owner to a backend and back.
 *
 *     client's FIFO (next)     head ─► r1 ─► r2 ─► r3 ─► tail      replies leave in this order
 *     backend FIFO (nextSent)  sent ─► r1 ─► x7 ─► r3              replies arrive in this order
 *
 * Each request has one owner from when it is acquired until it is recycled: the owner gets the reply or
 * the failure, once. Whole requests of a client belong to its replies (client/replies.ts), parts to their
 * gather, the proxy's own questions to the code that asks. Requests are pooled: one is free again when it is settled and has
 * left its client's FIFO. This file imports nothing that knows requests.
 *
 * @module
 */

import { enlarge, releaseChunk } from "../io/chunk_pool.ts";
import { copyBytes } from "../io/copy_bytes.ts";
import type { WriteBatch } from "../io/write_batch.ts";
import type { Carrier } from "./backends/carrier.ts";
import type { ReplySemaphore } from "./backends/reply_semaphore.ts";
import { BytePlaces } from "./byte_places.ts";
import { type Detour, RequestMarks } from "./request_marks.ts";
import type { RequestSample } from "./sampling/sample.ts";

/** Requests kept for re-use. */
const FREE_REQUESTS_MAX = 16_384;
const NOTHING = new Uint8Array(0);
/** The least memory for a request's own bytes. */
const KEPT_BYTES_MIN = 128;
/** Memories for first bytes that are kept for re-use. */
const FREE_BEGINNINGS_MAX = 2_048;
/** How many of a request's first bytes are remembered. */
export const BEGINNING_BYTES = 320;
/** Requests of up to so many bytes keep them in places; those that find none have memory of their own. */
const shortBeginnings = new BytePlaces(128, 4_096);
/** So with replies that are held. An odd number of cache lines, else the first lines of all share few of its sets. */
const shortReplies = new BytePlaces(9 * 64, 8_192);
/** Bytes that are kept of the memory for a request that may be sent once more. */
const KEPT_BYTES_MAX = 512;

/** Replies of at least this size are moved, not copied. */
export const WHOLE_BYTES_MIN = 64 * 1024;

/** Where a request is: `waiting` for a slot, `sent` to a backend's queue, or `settled`. */
export type RequestState = "free" | "new" | "waiting" | "sent" | "settled";

/** The owner of a request. One of the two methods is called last, once, with the end of the reply. */
export interface RequestOwner {
  /** Whether nobody wants the reply any more: a request that still waits for a slot is not sent. */
  readonly isGone: boolean;
  /** Reply bytes arrived. Borrows `bytes` during the call. */
  replied(request: Request, bytes: Uint8Array, start: number, end: number, isLast: boolean): void;
  /** There will be no reply, for the reason that this error text gives. */
  failed(request: Request, text: string): void;
}

/** A slot as a request knows it: what counts the request as in flight. */
export interface FlightCounter {
  readonly id: number;
  /** One request more is in flight. */
  enter(): void;
  /** One of them is settled. */
  leave(): void;
}

/** The replies before a request's own: to what was sent in one piece with it. */
export interface LeadingReplies {
  /** How many are still to come. */
  left: number;
  /** Bytes of the next one arrived. Borrows `bytes` during the call; `type` is the reply's first byte. */
  led(type: number, bytes: Uint8Array, start: number, end: number, isLast: boolean): void;
}

/** A connection as a request is sent over it; see slots/route.ts. */
export interface RouteBackend {
  begin(request: Request): boolean;
  append(bytes: Uint8Array, start: number, end: number): void;
}

/** A client's ways to servers, where these are not the shared connections. */
export interface Ways {
  /** The connection that carries a request to a server. */
  at(server: { readonly address: string }, request: Request): RouteBackend;
}

/** What a request of several parts is made of. */
export interface ReplyParts {
  /** Nobody wants the reply any more: reply bytes that are held can go. */
  abandon(): void;
}

/** Whom a free request belongs to: nobody may use it. */
const NOBODY: RequestOwner = {
  isGone: true,
  replied() {
    throw new Error("a free request got a reply");
  },
  failed() {
    throw new Error("a free request failed");
  },
};

/** Owns requests whose reply is of no interest, such as a keep-alive. */
export const NO_INTEREST: RequestOwner = {
  isGone: false,
  replied(request, _bytes, _start, _end, isLast) {
    if (isLast) recycleRequest(request);
  },
  failed: recycleRequest,
};

/** One command in flight. All fields belong to owner, slot and backend together. */
export class Request extends RequestMarks {
  state: RequestState = "free";
  owner: RequestOwner = NOBODY;
  /** The client for which it is sent, also where another owns it; only compared. Null for requests of our own. */
  client: object | null = null;
  /** The slot that counts it as in flight. */
  slot: FlightCounter | null = null;
  /** The backend that carries it, or did. */
  backend: Carrier | null = null;
  /** Next in the client's FIFO; next free one in the pool. */
  next: Request | null = null;
  /** Next in the backend's FIFO or the slot's queue. */
  nextSent: Request | null = null;
  /** Where its reply ends among all that was written to its client. */
  endByte = 0;
  /** What is known of it as a sampled one; null for most. */
  sample: RequestSample | null = null;
  /** Bytes charged for it until it settles. */
  chargedBytes = 0;
  /** What kind of request it is, for what its reply's size teaches; 0 where that is of no interest. */
  kind = 0;
  /** What its reply is expected to have, in bytes, until it settles. */
  expectedBytes = 0;
  /** Protocol it was sent under. */
  protocol: 2 | 3 = 2;
  /** Reply bytes that wait for their turn: held[heldStart, heldStart + heldBytes), borrowed until they are dropped. */
  held: Uint8Array | null = null;
  heldStart = 0;
  heldBytes = 0;
  /** Bytes that `held` has for it. */
  #heldRoom = 0;
  /** The replies that come before its own; null for most. */
  leads: LeadingReplies | null = null;
  /** Whether its client wants no reply to it. */
  isMuted = false;
  /** What chooses its connection; null for the shared one of its database and protocol. */
  ways: Ways | null = null;
  /** The semaphore that its large reply was counted by, until it settles. */
  semaphore: ReplySemaphore | null = null;
  /** For a part that covers several slots: all of them, each once. */
  slots: readonly FlightCounter[] | null = null;

  // Of few requests; last, so that what all have lies together.

  /** Its first bytes, for the slow log: beginning[0, beginningLength); null where they are not kept, or few. */
  #beginning: Uint8Array | null = null;
  /** Where they are if they are few; -1: they are not. */
  #place = -1;
  #beginningLength = 0;
  /** What has kept it; null while nothing did. */
  detour: Detour | null = null;
  /** The slot that it was in flight at; -1 for none, or several. */
  slotId = -1;
  /** Whether the proxy has failed it, or its client has not sent the rest of it. */
  isFailed = false;
  /** Of a request that has parts: what carried the part that was answered last. */
  lastBackend: Carrier | null = null;

  /**
   * Its keys, each once, one character for each byte: set by dispatch when a slot of it is not open,
   * so that nobody looks for them again. Null while they are of no interest.
   */
  keys: readonly string[] | null = null;
  /** Whether it may use keys of its slot that `keys` does not name; set as `keys` is. */
  usesUnnamedKeys = false;
  /** Whether its reply is known to be large from others to the same request. */
  isForeseen = false;
  /** Its parts; null for a request that is sent as it is. */
  parts: ReplyParts | null = null;
  /** Its bytes, while it waits for a slot; else null. */
  ownBytes: Uint8Array | null = null;
  /** Its bytes, while a replica is asked that may not answer, or over a lane: kept[0, keptBytes). */
  kept: Uint8Array | null = null;
  keptBytes = 0;
  /** Bytes that are known to be missing while a part of the reply is here. */
  missingBytes = 0;

  /** Copies reply bytes to the end of what is held. */
  hold(bytes: Uint8Array, start: number, end: number): void {
    const total = this.heldBytes + end - start;
    if (total > this.#heldRoom) this.#makeRoom(total);
    const { held, heldStart, heldBytes } = this;
    if (held === shortReplies.bytes) shortReplies.copy(heldStart + heldBytes, bytes, start, end);
    else copyBytes(held!, heldStart + heldBytes, bytes, start, end);
    this.heldBytes = total;
  }

  #makeRoom(total: number): void {
    const { held, heldStart, heldBytes } = this;
    const place = held === null && total <= shortReplies.placeBytes ? shortReplies.take() : -1;
    if (place >= 0) {
      this.held = shortReplies.bytes;
      this.heldStart = place;
      this.#heldRoom = shortReplies.placeBytes;
      return;
    }
    const isShort = held === shortReplies.bytes;
    const own = isShort ? held.slice(heldStart, heldStart + heldBytes) : held ?? NOTHING;
    if (isShort) shortReplies.giveBack(heldStart);
    this.held = total <= shortReplies.placeBytes
      ? new Uint8Array(shortReplies.placeBytes)
      : enlarge(own, heldBytes, Math.max(total, 2 * heldBytes));
    this.heldStart = 0;
    this.#heldRoom = this.held.length;
  }

  /** Copies the first of the request's own bytes, for the slow log; they must not be remembered yet. */
  remember(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    const kept = length < BEGINNING_BYTES ? length : BEGINNING_BYTES;
    this.#beginningLength = kept;
    if (kept <= shortBeginnings.placeBytes) this.#place = shortBeginnings.take();
    if (this.#place >= 0) {
      return shortBeginnings.copy(this.#place, bytes, start, start + kept);
    }
    this.#beginning = freeBeginnings.pop() ?? new Uint8Array(BEGINNING_BYTES);
    copyBytes(this.#beginning, 0, bytes, start, start + kept);
  }

  /** Whether its first bytes are remembered. */
  get isRemembered(): boolean {
    return this.#place >= 0 || this.#beginning !== null;
  }

  /** What keeps it; made when it is asked for. */
  get detours(): Detour {
    return this.detour ??= { waited: "", openedMs: 0, heldBackMs: 0 };
  }

  /** Its first bytes are of no interest any more. */
  forget(): void {
    if (this.#place >= 0) {
      shortBeginnings.giveBack(this.#place);
      this.#place = -1;
    } else if (this.#beginning !== null) {
      if (freeBeginnings.length < FREE_BEGINNINGS_MAX) freeBeginnings.push(this.#beginning);
      this.#beginning = null;
    }
  }

  /** Its first bytes, as far as they are remembered. Borrowed until it is given back. */
  get beginningBytes(): Uint8Array {
    if (this.#place >= 0) {
      return shortBeginnings.bytes.subarray(this.#place, this.#place + this.#beginningLength);
    }
    return this.#beginning?.subarray(0, this.#beginningLength) ?? NOTHING;
  }

  /** One of its parts was answered: the last one tells where the time has gone. */
  tookAs(part: Request): void {
    this.detour = part.detour;
    this.sentIn = part.sentIn;
    this.sentMs = part.sentMs;
    this.firstMs = part.firstMs;
    this.lastBackend = part.backend;
  }

  /** For so long its client had more of it to send: that is no time of its. */
  cameLater(clientMs: number): void {
    this.readMs += clientMs;
    this.startedMs += clientMs;
    this.sentMs += clientMs;
    if (this.detour !== null) this.detour.openedMs += clientMs;
  }

  /** Copies more of the request's own bytes, to be sent once more if need be. */
  keep(bytes: Uint8Array, start: number, end: number): void {
    const length = this.keptBytes + end - start;
    if (this.kept === null || this.kept.length < length) {
      const larger = new Uint8Array(Math.max(KEPT_BYTES_MIN, length, 2 * this.keptBytes));
      if (this.kept !== null) copyBytes(larger, 0, this.kept, 0, this.keptBytes);
      this.kept = larger;
    }
    copyBytes(this.kept, this.keptBytes, bytes, start, end);
    this.keptBytes = length;
  }

  /** Nobody wants what is held any more. */
  dropHeld(): void {
    if (this.held === null) return;
    if (this.held === shortReplies.bytes) shortReplies.giveBack(this.heldStart);
    else releaseChunk(this.held);
    this.#holdNothing();
  }

  #holdNothing(): void {
    this.held = null;
    this.heldStart = this.heldBytes = this.#heldRoom = 0;
  }

  /** Forgets what has come of its reply: it is sent to another server. */
  dropReply(): void {
    this.dropHeld();
    this.backend = null;
    this.replyType = this.replyBytes = this.missingBytes = 0;
  }

  /** Takes a whole reply to be held, where {@linkcode hold} would copy it. */
  adopt(reply: Uint8Array): void {
    this.held = reply;
    this.heldBytes = this.#heldRoom = reply.length;
  }

  /** Moves what is held to the end of a batch; a large reply goes there without a copy. */
  moveHeld(batch: WriteBatch): void {
    const { held, heldStart, heldBytes } = this;
    if (heldBytes >= WHOLE_BYTES_MIN) {
      this.#holdNothing();
      return batch.appendWhole(held!.subarray(0, heldBytes));
    }
    const view = held === shortReplies.bytes ? shortReplies.view : null;
    batch.appendViewed(held!, view, heldStart, heldStart + heldBytes);
    this.dropHeld();
  }
}

/** Memory for first bytes, for the few requests of which many are kept. */
const freeBeginnings: Uint8Array[] = [];

let free: Request | null = null;
let freeCount = 0;

/** Borrows a request from the pool; but for its owner, its fields are as a new one's. */
export function acquireRequest(owner: RequestOwner): Request {
  const request = free ?? new Request();
  if (free !== null) {
    free = request.next;
    request.next = null;
    freeCount--;
  }
  request.state = "new";
  request.owner = owner;
  return request;
}

/** Takes a request back; nobody may hold it any longer. */
export function recycleRequest(request: Request): void {
  if (request.state === "free") throw new Error("a request was given back twice");
  request.state = "free";
  request.owner = NOBODY;
  request.forget();
  request.dropHeld();
  if (freeCount >= FREE_REQUESTS_MAX) return;
  request.client = null;
  request.ways = null;
  request.isMuted = false;
  request.command = null;
  request.slot = null;
  request.slots = null;
  request.keys = null;
  request.usesUnnamedKeys = false;
  request.backend = null;
  request.nextSent = null;
  request.ownBytes = null;
  request.sentIn = null;
  request.sample = null;
  request.detour = null;
  request.slotId = -1;
  request.isFailed = false;
  request.lastBackend = null;
  request.chargedBytes = 0;
  request.kind = 0;
  request.isForeseen = false;
  request.parts = null;
  request.leads = null;
  request.replyType = 0;
  request.replyBytes = 0;
  request.missingBytes = 0;
  request.keptBytes = 0;
  if (request.kept !== null && request.kept.length > KEPT_BYTES_MAX) request.kept = null;
  request.next = free;
  free = request;
  freeCount++;
}

/** Whether the next reply to it is its own, with which it is answered. */
export function isOwnReplyNext(request: Request): boolean {
  return request.leads === null || request.leads.left === 0;
}

/** Hands reply bytes to the owner, or to what leads. Borrows `bytes` during the call. */
export function deliver(
  request: Request,
  bytes: Uint8Array,
  start: number,
  end: number,
  isLast: boolean,
): void {
  const { leads } = request;
  if (leads !== null && leads.left > 0) {
    if (isLast) leads.left--;
    return leads.led(request.replyType, bytes, start, end, isLast);
  }
  request.replyBytes += end - start;
  request.owner.replied(request, bytes, start, end, isLast);
}

/** Fails a request that cannot be sent, or will get no reply. */
export function failRequest(request: Request, text: string): void {
  request.state = "sent";
  request.owner.failed(request, text);
}

/** A client leaves its FIFO: settled requests are free now, the others when they are settled. */
export function leaveRequests(head: Request | null): void {
  for (let request = head; request !== null;) {
    const next: Request | null = request.next;
    request.next = null;
    request.dropHeld();
    request.parts?.abandon();
    if (request.state === "settled") recycleRequest(request);
    request = next;
  }
}
