/**
 * The parts of one split or fanned-out command, and the merge of their replies.
 *
 *     parent (in the session's FIFO) ◄── merge ── left = 0 ◄── part, part, part (in backend FIFOs)
 *
 * Every part is settled once, by its reply or its failure; the merge runs when the last one is.
 *
 * @module
 */

import type { Protocol } from "../../resp/encoder.ts";
import { errorReply } from "../../resp/encoder.ts";
import { acquireRequest, recycleRequest, type ReplyTaker, type Request } from "../request.ts";

const MINUS = 45;
const BANG = 33;

/** A settled part as a merge sees it. */
export interface PartReply {
  /** The whole reply. Borrowed until the merge returns. */
  readonly bytes: Uint8Array;
  /** Whether it is an error, the server's or ours. */
  readonly isError: boolean;
  /** Whether the proxy failed it itself: the server may not have seen it. */
  readonly isFailure: boolean;
}

/**
 * Makes one reply of many, in the order the parts were added.
 *
 * @returns The merged reply, which belongs to the caller.
 */
export type Merge = (replies: readonly PartReply[], protocol: Protocol) => Uint8Array;

/** As {@linkcode Merge}; null when others were asked, by whom the parent will be answered. */
export type MergeOrAsk = (
  replies: readonly PartReply[],
  protocol: Protocol,
) => Uint8Array | null;

/** The parts of one command; see the drawing above. */
export class Gather implements ReplyTaker {
  readonly #parent: Request;
  readonly #merge: MergeOrAsk;
  readonly #parts: Request[] = [];
  /** Parts without a reply; mostly there are none. */
  #failed: Set<Request> | undefined;
  #left: number;

  /**
   * @param parent The client's request, already in its session's FIFO.
   * @param count How many parts there will be; at least 1.
   */
  constructor(parent: Request, count: number, merge: MergeOrAsk) {
    this.#parent = parent;
    this.#left = count;
    this.#merge = merge;
    parent.gather = this;
  }

  /** A part, ready to be sent; belongs to the gather until it is settled. */
  part(): Request {
    const parent = this.#parent;
    const part = acquireRequest();
    part.taker = this;
    part.session = parent.session;
    part.command = parent.command;
    part.startedMs = parent.startedMs;
    part.database = parent.database;
    part.protocol = parent.protocol;
    part.kind = parent.kind;
    this.#parts.push(part);
    return part;
  }

  /** Reply bytes of a part arrived. Copies `bytes[start, end)`. */
  partReplied(part: Request, bytes: Uint8Array, start: number, end: number, isLast: boolean): void {
    const session = part.session!;
    if (session.state !== "closed") {
      part.hold(bytes, start, end);
      session.holds(end - start);
      if (!isLast && part.replyBytes + part.missingBytes > part.expectedBytes) {
        session.asking.outgrew(part);
      }
    }
    if (isLast) this.#settled(part);
  }

  /** Nobody wants the reply any more; its parts' bytes were given back already. */
  abandon(): void {
    for (const part of this.#parts) part.dropHeld();
  }

  /** There will be no reply for a part. */
  partFailed(part: Request, text: string): void {
    const session = part.session!;
    session.holds(-part.heldBytes);
    part.dropHeld();
    part.replyType = MINUS;
    (this.#failed ??= new Set()).add(part);
    const error = errorReply(text);
    part.hold(error, 0, error.length);
    session.holds(error.length);
    this.#settled(part);
  }

  #settled(part: Request): void {
    const session = part.session!;
    session.flightEnded(part);
    if (--this.#left > 0) return;
    const parent = this.#parent;
    const parts = this.#parts;
    let reply: Uint8Array | null = EMPTY;
    if (session.state !== "closed") {
      reply = this.#merge(
        parts.map((p) => ({
          bytes: p.held === null ? EMPTY : p.held.subarray(0, p.heldBytes),
          isError: p.replyType === MINUS || p.replyType === BANG,
          isFailure: this.#failed?.has(p) === true,
        })),
        parent.protocol,
      );
    }
    const isFailure = this.#failed !== undefined;
    if (parent.gather === this) parent.gather = null; // its merge may have asked others
    for (const p of parts) {
      session.holds(-p.heldBytes);
      recycleRequest(p);
    }
    if (reply !== null) session.completed(parent, reply, isFailure);
  }
}

const EMPTY = new Uint8Array(0);
