/**
 * The requests that one backend has sent and that are not answered yet, oldest first: replies come in the
 * same order.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import type { Histogram } from "../../base/histogram.ts";
import type { FastestReply } from "./fastest_reply.ts";
import { isOwnReplyNext, type Request } from "../request.ts";
import type { SentBatch } from "../request_marks.ts";

/** What counts how long replies take. */
export interface TimedServer {
  readonly times: Histogram;
  readonly fastestReply: FastestReply;
}

/** How far what was appended to a connection has been written, in bytes. */
export interface Written {
  /** Whether the request is to be written at once, or with others of this turn. */
  isEager?: boolean;
  readonly writtenBytes: number;
  readonly appendedBytes: number;
  /** How many writes were begun. */
  readonly writes: number;
}

/** One that the system has not taken yet, or did so lately. */
interface QueuedBatch extends SentBatch {
  sinceMs: number;
  /** How many bytes were appended to the connection before it. */
  startByte: number;
  next: QueuedBatch | null;
}

/** Batches that are remembered: what is taken and given back stays where the collector need not look. */
const BATCHES_KEPT = 128;

/** A reply as far as it has come. */
export interface FramedReply {
  /** Its first byte. */
  readonly type: number;
  readonly isDone: boolean;
  readonly missingBytes: number;
}

/** A FIFO of requests, linked by their `nextSent`. */
export class SentQueue {
  /** The oldest request, whose reply comes next. */
  head: Request | null = null;
  length = 0;
  /** How many were taken out so far. */
  answered = 0;
  #tail: Request | null = null;
  /** The oldest of which the system has not taken all bytes yet. */
  #unwritten: QueuedBatch | null = null;
  /** The newest, and how many writes were begun before it. */
  #newest: QueuedBatch | null = null;
  #writes = -1;
  /** The newest ones, written or not, and how many there were. */
  readonly #batches: QueuedBatch[] = [];
  #batchCount = 0;
  /** When that was sent whose reply has told last how fast the server is. */
  #timedMs = -1;

  /** Puts a request at the end, whose bytes are appended next. */
  push(request: Request, written: Written): void {
    request.sentMs = clock.nowMs;
    request.firstMs = 0;
    if (written.writes !== this.#writes) this.#beginBatch(written);
    request.sentIn = this.#newest;
    if (this.#tail === null) this.head = request;
    else this.#tail.nextSent = request;
    this.#tail = request;
    // While the server has others to answer, more may come in this turn to be written with this one.
    written.isEager = this.length === 0;
    this.length++;
  }

  #beginBatch({ writes, appendedBytes }: Written): void {
    const batch = this.#takeBatch();
    batch.sinceMs = clock.nowMs;
    batch.startByte = appendedBytes;
    batch.wroteMs = 0;
    if (this.#unwritten === null) this.#unwritten = batch;
    else this.#newest!.next = batch;
    this.#newest = batch;
    this.#writes = writes;
  }

  /** One that was written before all others that are kept, or a new one. */
  #takeBatch(): QueuedBatch {
    const at = this.#batchCount++ % BATCHES_KEPT;
    const oldest = this.#batches[at];
    // What was never written is still asked for that.
    if (oldest !== undefined && oldest.wroteMs > 0) return oldest;
    return this.#batches[at] = { sinceMs: 0, wroteMs: 0, startByte: 0, next: null };
  }

  /** The system took bytes; of a request that comes in pieces the last one is appended. */
  wrote({ writtenBytes, appendedBytes }: Written): void {
    let batch = this.#unwritten;
    while (batch !== null) {
      const next: QueuedBatch | null = batch.next;
      if ((next === null ? appendedBytes : next.startByte) > writtenBytes) break;
      batch.wroteMs = clock.nowMs;
      batch.next = null;
      batch = next;
    }
    this.#unwritten = batch;
  }

  /**
   * Bytes of the next reply have come. When it is whole, this takes the oldest request out, unless it was to
   * another that leads it.
   *
   * @param server Counts how long it took; null for what may block.
   */
  came(reply: FramedReply, server: TimedServer | null): void {
    const request = this.head!;
    request.replyType = reply.type;
    if (request.firstMs === 0) request.firstMs = clock.nowMs;
    if (!reply.isDone) request.missingBytes = reply.missingBytes;
    else if (isOwnReplyNext(request)) this.#answered(request, server);
  }

  #answered(request: Request, server: TimedServer | null): void {
    if (server !== null) {
      const { sentMs } = request;
      server.times.add((clock.nowMs - sentMs) * 1000);
      // Of what was sent at one time, the first one was answered fastest.
      if (sentMs !== this.#timedMs) this.#time(request, server);
    }
    this.shift();
  }

  #time({ sentMs, firstMs }: Request, { fastestReply }: TimedServer): void {
    this.#timedMs = sentMs;
    // Not since the system took it: of that we may be told as late as of the reply.
    fastestReply.add(firstMs - sentMs, clock.nowMs);
  }

  /** Replies were not read since then, because of a client that reads slowly. */
  heldBackSince(sinceMs: number): void {
    for (let r = this.head; r !== null; r = r.nextSent) {
      r.detours.heldBackMs += clock.nowMs - Math.max(sinceMs, r.sentMs);
    }
  }

  /** Takes the oldest request out. */
  shift(): void {
    const request = this.head!;
    const next = request.nextSent;
    request.nextSent = null;
    this.head = next;
    if (next === null) this.#tail = null;
    this.length--;
    this.answered++;
  }

  /** Takes all out, oldest first. */
  takeAll(): Request[] {
    const all: Request[] = [];
    for (; this.head !== null; this.shift()) all.push(this.head);
    this.#unwritten = this.#newest = null;
    this.#writes = -1;
    return all;
  }

  /** Takes out those of which no byte can have been sent, oldest first: all newer ones than these are. */
  takeUnsent({ writes }: Written): Request[] {
    const batch = this.#newest;
    if (batch === null || writes !== this.#writes) return [];
    let lastSent: Request | null = null;
    for (let r = this.head; r !== null; r = r.nextSent) if (r.sentIn !== batch) lastSent = r;
    const first = lastSent === null ? this.head : lastSent.nextSent;
    if (lastSent === null) this.head = null;
    else lastSent.nextSent = null;
    this.#tail = lastSent;
    const unsent: Request[] = [];
    for (let r = first; r !== null;) {
      const next: Request | null = r.nextSent;
      r.nextSent = null;
      unsent.push(r);
      r = next;
    }
    this.length -= unsent.length;
    return unsent;
  }

  /** How many bytes were appended to the connection before what {@linkcode takeUnsent} takes out. */
  get newestStartByte(): number {
    return this.#newest?.startByte ?? 0;
  }

  /** Whether the next reply is a script's, or that of a transaction, which may have one. */
  get isScriptNext(): boolean {
    const command = this.head?.command ?? null;
    return command !== null && (command.caution !== "" || this.head!.leads !== null);
  }

  /** Whether one of them is of this slot. */
  hasSlot(slotId: number): boolean {
    for (let r = this.head; r !== null; r = r.nextSent) {
      if (r.slot?.id === slotId || r.slots?.some((slot) => slot.id === slotId)) return true;
    }
    return false;
  }

  /** Whether one of them is not this client's. */
  hasOthersThan(client: object): boolean {
    for (let r = this.head; r !== null; r = r.nextSent) if (r.client !== client) return true;
    return false;
  }
}
