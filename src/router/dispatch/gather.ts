/**
 * The parts of one split or fanned-out command, and the merge of their replies.
 *
 *     parent (in the client's FIFO) ◄── merge ── left = 0 ◄── part, part, part (in backend FIFOs)
 *
 * Every part is settled once, by its reply or its failure; the merge runs when the last one is.
 *
 * @module
 */

import type { Protocol } from "../../resp/encoder.ts";
import { errorReply } from "../../resp/encoder.ts";
import type { Client } from "../client/client.ts";
import { isUnsent } from "../errors.ts";
import {
  acquireRequest,
  failRequest,
  recycleRequest,
  type ReplyParts,
  type Request,
  type RequestOwner,
} from "../request.ts";
import { errorText } from "./exec_leads.ts";

const MINUS = 45;
const BANG = 33;

/** A settled part as a merge sees it: its reply is held[start, end), borrowed until the merge returns. */
export class PartReply {
  readonly held: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Whether it is an error, the server's or ours. */
  readonly isError: boolean;
  /** Whether the proxy failed it itself: the server may not have seen it. */
  readonly isFailure: boolean;

  constructor(
    held: Uint8Array,
    isError: boolean,
    isFailure: boolean,
    start = 0,
    end = held.length,
  ) {
    this.held = held;
    this.start = start;
    this.end = end;
    this.isError = isError;
    this.isFailure = isFailure;
  }

  /** The whole reply; a view that is made when it is asked for, which costs more than a small reply. */
  get bytes(): Uint8Array {
    return this.held.subarray(this.start, this.end);
  }
}

/**
 * Makes one reply of many, in the order the parts were added.
 *
 * @returns The merged reply. It belongs to the caller, but for a small one: that may change with the next merge.
 */
export type ReplyMerge = (replies: readonly PartReply[], protocol: Protocol) => Uint8Array;

/** As {@linkcode ReplyMerge}; null when others were asked, whose replies will answer the parent. */
export type MergeOrAsk = (
  replies: readonly PartReply[],
  protocol: Protocol,
) => Uint8Array | null;

/** The parts of one command; see the drawing above. */
export class Gather implements RequestOwner, ReplyParts {
  readonly isGone = false;
  readonly #client: Client;
  readonly #parent: Request;
  readonly #merge: MergeOrAsk;
  readonly #parts: Request[] = [];
  /** Parts without a reply; mostly there are none. */
  #failed: Set<Request> | undefined;
  /** How many of them were not sent. */
  #unsent = 0;
  #left: number;
  readonly #settledAll: (() => void) | null;

  /**
   * @param parent The client's request, already in its FIFO.
   * @param count How many parts there will be; at least 1.
   * @param settledAll Called once all parts are settled, whether the client is still there or not.
   */
  constructor(
    client: Client,
    parent: Request,
    count: number,
    merge: MergeOrAsk,
    settledAll: (() => void) | null = null,
  ) {
    this.#client = client;
    this.#parent = parent;
    this.#left = count;
    this.#merge = merge;
    this.#settledAll = settledAll;
    parent.parts = this;
  }

  /** A part, ready to be sent; belongs to the gather until it is settled. */
  part(): Request {
    const parent = this.#parent;
    const part = acquireRequest(this);
    part.client = parent.client;
    part.ways = parent.ways;
    part.command = parent.command;
    part.startedMs = parent.startedMs;
    part.database = parent.database;
    part.protocol = parent.protocol;
    part.kind = parent.kind;
    this.#parts.push(part);
    return part;
  }

  replied(part: Request, bytes: Uint8Array, start: number, end: number, isLast: boolean): void {
    const { replies, credit } = this.#client;
    if (!replies.isGone) {
      part.hold(bytes, start, end);
      replies.holds(end - start);
      if (!isLast && part.replyBytes + part.missingBytes > part.expectedBytes) {
        credit.outgrew(part);
      }
    }
    if (isLast) this.#settled(part);
  }

  abandon(): void {
    for (const part of this.#parts) part.dropHeld();
  }

  failed(part: Request, text: string): void {
    const { replies } = this.#client;
    replies.holds(-part.heldBytes);
    part.dropHeld();
    part.replyType = MINUS;
    (this.#failed ??= new Set()).add(part);
    if (isUnsent(text)) this.#unsent++;
    const error = errorReply(text);
    part.hold(error, 0, error.length);
    replies.holds(error.length);
    this.#settled(part);
  }

  #settled(part: Request): void {
    const { replies } = this.#client;
    replies.flightEnded(part);
    this.#parent.tookAs(part);
    if (--this.#left > 0) return;
    this.#settledAll?.();
    const parent = this.#parent;
    const parts = this.#parts;
    let reply: Uint8Array | null = EMPTY;
    if (!replies.isGone) {
      reply = this.#merge(
        parts.map((part) => this.#replyOf(part)),
        parent.protocol,
      );
    }
    const isFailure = this.#failed !== undefined;
    if (parent.parts === this) parent.parts = null; // its merge may have asked others
    for (const p of parts) {
      replies.holds(-p.heldBytes);
      recycleRequest(p);
    }
    if (reply === null) return;
    const isOurs = isFailure && this.#canBeRepeated && reply[0] === MINUS;
    const text = isOurs ? errorText(reply) : "";
    if (isUnsent(text)) failRequest(parent, text); // as a request that has no parts
    else replies.completed(parent, reply, isFailure);
  }

  /** Whether parts that failed were not sent, and the others can be sent again as if they had not been. */
  get #canBeRepeated(): boolean {
    return this.#failed?.size === this.#unsent &&
      (this.#parent.command?.isReadOnly === true || this.#unsent === this.#parts.length);
  }

  #replyOf(part: Request): PartReply {
    const { held, heldStart, heldBytes, replyType } = part;
    const isError = replyType === MINUS || replyType === BANG;
    const isFailure = this.#failed?.has(part) === true;
    return new PartReply(held ?? EMPTY, isError, isFailure, heldStart, heldStart + heldBytes);
  }
}

const EMPTY = new Uint8Array(0);
