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

/** What counts how long replies take. */
export interface TimedServer {
  readonly times: Histogram;
  readonly fastestReply: FastestReply;
}

/** How far what was appended to a connection has been written, in bytes. */
export interface Written {
  readonly writtenBytes: number;
  readonly appendedBytes: number;
}

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
  #unwritten: Request | null = null;

  /**
   * Puts a request at the end.
   *
   * @param startByte How many bytes were appended to the connection before.
   */
  push(request: Request, startByte: number): void {
    request.sentMs = request.wroteMs = clock.nowMs;
    request.startByte = startByte;
    if (this.#unwritten === null) this.#unwritten = request;
    if (this.#tail === null) this.head = request;
    else this.#tail.nextSent = request;
    this.#tail = request;
    this.length++;
  }

  /** The system took bytes. */
  wrote({ writtenBytes, appendedBytes }: Written): void {
    let request = this.#unwritten;
    while (request !== null) {
      const next: Request | null = request.nextSent;
      if ((next === null ? appendedBytes : next.startByte) > writtenBytes) break;
      request.wroteMs = clock.nowMs;
      request = next;
    }
    this.#unwritten = request;
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
      server.times.add((clock.nowMs - request.sentMs) * 1000);
      server.fastestReply.add(request.firstMs - request.wroteMs, clock.nowMs);
    }
    this.shift();
  }

  /** Replies were not read since then, because of a client that reads slowly. */
  heldBackSince(sinceMs: number): void {
    for (let r = this.head; r !== null; r = r.nextSent) {
      r.heldBackMs += clock.nowMs - Math.max(sinceMs, r.sentMs);
    }
  }

  /** Takes the oldest request out. */
  shift(): void {
    const request = this.head!;
    const next = request.nextSent;
    if (this.#unwritten === request) this.#unwritten = next; // answered before we were told
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
    return all;
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
