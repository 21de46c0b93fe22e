/**
 * The requests that one backend has sent and that are not answered yet, oldest first: replies come in the
 * same order.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import type { Histogram } from "../../base/histogram.ts";
import { isOwnReplyNext, type Request } from "../request.ts";

/** A FIFO of requests, linked by their `nextSent`. */
export class SentQueue {
  /** The oldest request, whose reply comes next. */
  head: Request | null = null;
  length = 0;
  /** How many were taken out so far. */
  answered = 0;
  #tail: Request | null = null;

  /** Puts a request at the end. */
  push(request: Request): void {
    request.sentMs = clock.nowMs;
    if (this.#tail === null) this.head = request;
    else this.#tail.nextSent = request;
    this.#tail = request;
    this.length++;
  }

  /**
   * A whole reply has come: takes the oldest request out, unless it was to another that leads it.
   *
   * @param times Counts how long it took; null for what may block.
   */
  replied(times: Histogram | null): void {
    const request = this.head!;
    if (!isOwnReplyNext(request)) return;
    times?.add((clock.nowMs - request.sentMs) * 1000);
    this.shift();
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
