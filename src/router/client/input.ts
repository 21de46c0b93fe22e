/**
 * A client's bytes in: parsed, dispatched, and read only as fast as the client may ask.
 *
 *      socket ──read──► parser ─┬─ request ─────────► dispatch
 *                          ▲    └─ large, in pieces ─► pass through
 *                          └── paused while the client has too many requests or bytes under way
 *
 * Reading pauses; nothing is dropped.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import { type ByteSource, openSource, type SourceOwner } from "../../io/byte_source.ts";
import type { Connection } from "../../io/dial.ts";
import { readRounds, type RoundMember } from "../../io/read_rounds.ts";
import { errorReply } from "../../resp/encoder.ts";
import { ELEMENTS_MAX_BEFORE_7, RequestParser } from "../../resp/request_parser.ts";
import { waitsForVersion } from "../dispatch/admit.ts";
import { dispatch } from "../dispatch/dispatch.ts";
import type { Client } from "./client.ts";
import { PartialRequest } from "./partial_request.ts";
import { PassThrough } from "./pass_through.ts";
import { REPLY_BYTES_HIGH } from "./reply_credit.ts";

/** Unsent reply bytes past which no more requests are read. */
const OUTPUT_BYTES_HIGH = 1024 * 1024;
/**
 * Bytes of requests in flight past which no more are read: what other clients wait for behind one.
 */
const REQUEST_BYTES_HIGH = 256 * 1024;

/** One client's input; see the drawing above. */
export class Input implements SourceOwner, RoundMember {
  readonly parser = new RequestParser();
  lastReadMs: number = clock.nowMs;
  isEnded = false;
  /** Whether it waits for something else than bytes. */
  isPaused = false;
  /** Whether what still comes is read away, so that the last reply is not lost. */
  isLingering = false;

  readonly #client: Client;
  readonly #source: ByteSource;
  readonly #partial = new PartialRequest();
  #passThrough: PassThrough | null = null;
  /** Whether it has read while the client waited. */
  #hasReadAhead = false;
  /** Whether it has asked for nothing yet. */
  #isNew = true;
  /** Whether what was read last is more than the client may have in flight. */
  #isLong = false;

  constructor(client: Client, connection: Connection) {
    const { options } = client.shared;
    this.#client = client;
    this.#source = openSource(options.readMode, connection, this, options.sessionReadBytesMax);
  }

  /** Bytes received so far. */
  get totalBytes(): number {
    return this.#source.totalBytes;
  }

  /** Bytes received and not dispatched yet. */
  get unreadBytes(): number {
    return this.#source.end - this.#source.start;
  }

  /** Whether nothing was received that is not dispatched yet. */
  get isEmpty(): boolean {
    return this.#source.start === this.#source.end && this.#passThrough === null;
  }

  /** Bytes of requests that were dispatched or passed on. */
  get consumedBytes(): number {
    return this.#source.totalBytes - this.unreadBytes;
  }

  /** Since when a part of a request is here; 0 when none is, or when nothing is read. */
  get partialSinceMs(): number {
    return this.isPaused ? 0 : this.#partial.sinceMs;
  }

  /** How much of it has come. */
  get partialBytes(): number {
    return this.unreadBytes + (this.#passThrough?.passedBytes ?? 0);
  }

  /** Reads on. */
  read(): void {
    this.#source.read();
  }

  bytesArrived(): void {
    this.lastReadMs = clock.tick();
    if (this.isLingering) {
      this.#source.start = this.#source.end;
      this.#source.read();
    } else if (!this.isPaused) {
      this.pump();
    } else if (this.#mayBeGone) {
      this.#readAhead();
    }
  }

  sourceEnded(): void {
    clock.tick();
    this.isEnded = true;
    const { blocked } = this.#client;
    if (blocked !== null && !this.isLingering) blocked.clientEnds();
    // As Redis: a client that waits is gone when it sends no more.
    else if (this.isLingering || this.#mayBeGone) this.#client.close();
    else if (!this.isPaused) this.pump();
  }

  sourceFailed(): void {
    this.#client.close();
  }

  /** Parses and dispatches what was received, until more is needed or the client must wait. */
  pump(): void {
    const client = this.#client;
    const source = this.#source;
    const parser = this.parser;
    this.isPaused = false;
    if (this.#hasReadAhead) this.#endReadAhead();
    // A large request that is half received is let through even while the client drains.
    while (
      client.state === "open" || (client.state === "draining" && this.#passThrough !== null)
    ) {
      if (this.#passThrough !== null) {
        if (!this.#passOn(this.#passThrough)) return;
        continue;
      }
      let isRefused = false;
      if (this.#mustPause()) {
        client.credit.leaveQueues();
        this.isPaused = true;
        if (this.#mayBeGone) this.#readAhead();
        return;
      }
      if (client.allowance !== null) {
        const next = client.allowance.next(this.consumedBytes, 1, this.unreadBytes > 0);
        if (next === "wait") return this.#waitForTurn();
        isRefused = next === "refuse";
      }
      const outcome = parser.parse(source.bytes, source.start, source.end);
      if (parser.hasSkipped) client.extras?.passedEmpty();
      switch (outcome) {
        case "request":
          if (isRefused) this.#refuse();
          else if (!this.#dispatch()) return;
          break;
        case "more":
          source.start = parser.nextStart;
          this.#passThrough = PassThrough.begin(client, parser);
          if (this.#passThrough === null) return this.#readMore();
          break;
        case "error":
          client.answer(errorReply(parser.error));
          this.#endAfterProtocolError(parser.error);
          break;
      }
    }
  }

  /** Dispatches the request that was parsed; false when it must wait, and the pump stop for now. */
  #dispatch(): boolean {
    const client = this.#client;
    const source = this.#source;
    const parser = this.parser;
    const { credit } = client;
    const from = source.start;
    if (parser.count > ELEMENTS_MAX_BEFORE_7 && waitsForVersion(client)) {
      this.isPaused = true;
      return false;
    }
    source.start = parser.nextStart;
    if (this.#partial.sinceMs > 0) this.#partial.end(client, client.shared.budget);
    dispatch(client, parser);
    parser.next();
    if (credit.isRefused) {
      // It stays where it is, and is dispatched again when its reply may be asked for.
      credit.isRefused = false;
      source.start = from;
      this.isPaused = true;
      if (this.#mayBeGone) this.#readAhead();
      return false;
    }
    credit.leaveQueues();
    return true;
  }

  /** Its user has used up what it may: it goes on when its turn comes. */
  #waitForTurn(): void {
    this.#client.credit.leaveQueues();
    this.isPaused = true;
  }

  /** Answers the request that was parsed with an error: it has waited for its turn too long. */
  #refuse(): void {
    const client = this.#client;
    const allowance = client.allowance!;
    this.#source.start = this.parser.nextStart;
    if (this.#partial.sinceMs > 0) this.#partial.end(client, client.shared.budget);
    const { refusal } = allowance.limit;
    client.transaction?.abort(refusal);
    client.answer(errorReply(refusal));
    this.parser.next();
    allowance.skip(this.consumedBytes);
  }

  /** Nothing the client sends can be understood any more: its last reply is on its way. */
  #endAfterProtocolError(error: string): void {
    const { shared } = this.#client;
    shared.totals.protocolErrors++;
    shared.events.sessionMisunderstood(this.#client, error);
    this.#source.start = this.#source.end;
    this.isLingering = true;
    this.#client.drain();
  }

  /** Hands on what has come of a large request; false when the pump must stop for now. */
  #passOn(passThrough: PassThrough): boolean {
    if (this.#client.allowance?.next(this.consumedBytes, 0, this.unreadBytes > 0) === "wait") {
      this.isPaused = true;
      return false;
    }
    switch (passThrough.pass(this.#source)) {
      case "waiting":
        this.isPaused = true;
        return false;
      case "more":
        this.#readMore();
        return false;
      case "malformed":
        this.#endAfterProtocolError(passThrough.protocolError);
        break;
      case "done":
        break;
    }
    this.#passThrough = null;
    this.parser.next();
    this.#partial.end(this.#client, this.#client.shared.budget);
    return true;
  }

  #mustPause(): boolean {
    const client = this.#client;
    const { replies, shared } = client;
    const { budget } = shared;
    const depth = replies.depth;
    const queued = replies.queuedBytes;
    const share = budget.fairShareBytes;
    if (shared.isHeld) return true;
    if (depth === 0) {
      client.isAtBarrier = false;
      return queued > share && (queued > OUTPUT_BYTES_HIGH || budget.isTight);
    }
    if (client.isAtBarrier) return true;
    if (depth >= shared.options.sessionPipelineMax || shared.turns.mustWait(depth)) {
      return this.#isLong = true;
    }
    if (replies.requestBytes > REQUEST_BYTES_HIGH) return true;
    const output = queued + replies.heldBytes;
    const expected = output + client.credit.expectedBytes;
    if (expected > share && (expected > REPLY_BYTES_HIGH || budget.isTight)) return true;
    if (replies.requestBytes + output > share && budget.isSpent) {
      budget.wait(client);
      return true;
    }
    return false;
  }

  #readMore(): void {
    if (this.#client.depth === 0) this.#client.streak.ends(); // its last requests were answered at once
    if (this.isEnded) {
      this.#passThrough?.abandon(); // half a request is none
      this.#passThrough = null;
      return this.#client.drain();
    }
    const { budget, turns, clients } = this.#client.shared;
    if (!this.#isLong) turns.served(this.#client.depth);
    this.#isLong = false;
    const unread = this.unreadBytes;
    if (unread === 0 && this.#passThrough === null) this.#partial.end(this.#client, budget);
    else if (!this.#partial.mayHold(unread, this.#client, budget)) {
      this.isPaused = true;
      return;
    }
    if (this.#source.isInPieces) {
      readRounds.afterPiece(this, this.#isNew);
      this.#isNew = false;
    } else readRounds.next(this, clients.size);
  }

  readOn(): void {
    if (this.#client.state !== "closed") this.#source.read();
  }

  /** Whether the client may wait for so long that it must be noticed when it goes away. */
  get #mayBeGone(): boolean {
    const { blocked, shared: { pause } } = this.#client;
    return blocked !== null || (pause.isActive && pause.isHolding(this.#client));
  }

  /** Reads while the client waits: otherwise nobody would see that it is gone. */
  #readAhead(): void {
    const { shared } = this.#client;
    const { unreadBytes } = this;
    if (this.isEnded) return this.#client.blocked?.clientEnds();
    if (unreadBytes > shared.options.sessionBufferBytesMax) return;
    this.#hasReadAhead = true;
    if (this.#partial.mayHold(unreadBytes, this.#client, shared.budget)) this.#source.readAhead();
  }

  /** What has come is dispatched now; how long it has waited does not count. */
  #endReadAhead(): void {
    this.#hasReadAhead = false;
    this.#partial.end(this.#client, this.#client.shared.budget);
  }

  /** Checks the deadline of a large request; called about once a second. */
  tick(): void {
    this.#passThrough?.tick();
  }

  /** Reads no more. */
  close(): void {
    this.#partial.end(this.#client, this.#client.shared.budget);
    this.#source.stop();
  }

  /** The client is gone: a large request that has not come whole is given up. */
  abandon(): void {
    this.#passThrough?.abandon();
    this.#passThrough = null;
  }
}
