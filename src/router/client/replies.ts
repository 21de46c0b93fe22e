/**
 * A client's requests in flight, in order, and its replies on their way out.
 *
 *      dispatch ─► enqueue ─► FIFO: head ─► … ─► tail
 *      backend  ─► replied ─► head? ─ yes ─► batch ─► socket
 *                               └─ no ─► held in its request until its turn
 *
 * Invariants: replies leave in the order of the requests; each request is settled once; a reply for the
 * head of the FIFO passes straight through, any other is held.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import type { Command } from "../../command/command.ts";
import { type BatchOwner, type ByteSink, WriteBatch } from "../../io/write_batch.ts";
import { errorReply } from "../../resp/encoder.ts";
import type { Carrier, SlowReader } from "../backends/carrier.ts";
import {
  acquireRequest,
  leaveRequests,
  recycleRequest,
  type Request,
  type RequestOwner,
  WHOLE_BYTES_MIN,
} from "../request.ts";
import { NOTICED_BYTES_MIN } from "../sampling/sampling.ts";
import type { RouterShared } from "../shared.ts";
import { SlowWatch } from "../slow_log/slow_watch.ts";
import type { ReplyHost } from "./reply_host.ts";
import { CapturedReply } from "./captured_reply.ts";
import { WriteTrail } from "./write_trail.ts";
import { PRESSURE_BYTES_HIGH, ReplyPressure } from "./reply_pressure.ts";

/** Replies up to this size wait until they are whole: if their server dies, an error takes their place. */
const PIECE_BYTES_MIN = 64 * 1024;

/** One client's replies; see the drawing above. */
export class Replies implements RequestOwner, SlowReader, BatchOwner {
  /** What was written, for WAIT; null while nothing was. */
  trail: WriteTrail | null = null;
  /** Requests in flight. */
  depth = 0;
  /** Bytes of requests in flight. */
  requestBytes = 0;
  /** Bytes of replies held until their turn. */
  heldBytes = 0;
  /** Whether the client is gone: what is in flight is settled unheard. */
  isGone = false;
  lastWroteMs: number = clock.nowMs;
  /** Bytes that were sent so far. */
  sentBytes = 0;

  readonly #host: ReplyHost;
  readonly #shared: RouterShared;
  readonly #batch: WriteBatch;
  readonly #watch: SlowWatch;
  readonly #pressure = new ReplyPressure(this);
  /** Gets the next reply in the client's place; null mostly. */
  #captured: CapturedReply | null = null;
  #head: Request | null = null;
  #tail: Request | null = null;
  /** Pushes that wait until the reply is whole that the client has a part of; null while there are none. */
  #pushes: Uint8Array[] | null = null;

  constructor(host: ReplyHost, sink: ByteSink) {
    this.#host = host;
    this.#shared = host.shared;
    this.#batch = new WriteBatch(this, sink);
    this.#watch = new SlowWatch(host, host.shared.slowLog, host.shared.sampling);
  }

  /** Bytes of replies that the socket has not taken yet. */
  get queuedBytes(): number {
    return this.#batch.queuedBytes;
  }

  /** Whether a request is in flight, or a reply not sent. */
  get isBusy(): boolean {
    return this.#head !== null || this.#batch.queuedBytes > 0;
  }

  // -- requests -------------------------------------------------------------------------------

  /** Puts a request of `command` at the end of the FIFO. */
  enqueue(command: Command): Request {
    const host = this.#host;
    const request = acquireRequest(this);
    request.client = this;
    if (host.ways !== null) request.ways = host.ways;
    if (host.isMuted) request.isMuted = true;
    request.command = command;
    request.readMs = host.lastReadMs;
    this.#watch.began(request, this.depth);
    host.streak.begins();
    request.startedMs = clock.nowMs;
    request.database = host.database;
    request.protocol = host.protocol;
    this.#append(request);
    return request;
  }

  /** A command was answered at once, by the proxy itself. Borrows `reply`. */
  answeredAtOnce(command: Command, reply: Uint8Array): void {
    if (this.#captured === null) this.#watch.answeredAtOnce(command, reply);
  }

  /** As {@linkcode enqueue}, for a request that is answered by {@linkcode completed}. */
  park(command: Command): Request {
    const captured = this.#captured;
    const request = captured === null ? this.enqueue(command) : captured.park(command, this.#host);
    request.state = "sent";
    return request;
  }

  /**
   * Runs `run`, which answers or parks one command, and takes its reply.
   *
   * @param taken Called with the reply, now or later.
   */
  capture(taken: (reply: Uint8Array) => void, run: () => void): void {
    const before = this.#captured;
    this.#captured = new CapturedReply(this, taken);
    try {
      run();
    } finally {
      this.#captured = before;
    }
  }

  /** Counts a request's bytes against client and process until it is settled. */
  charge(request: Request, bytes: number): void {
    request.chargedBytes += bytes;
    this.requestBytes += bytes;
    this.#shared.budget.charge(bytes);
  }

  #append(request: Request): void {
    if (this.#tail === null) this.#head = request;
    else this.#tail.next = request;
    this.#tail = request;
    this.depth++;
  }

  // -- replies --------------------------------------------------------------------------------

  /** Answers after all earlier requests. Copies `reply`. */
  answer(reply: Uint8Array): void {
    if (this.#captured !== null) return this.#captured.answered(reply);
    if (this.#host.isMuted) return;
    if (this.#head === null) return this.#send(reply, 0, reply.length);
    const request = acquireRequest(this);
    request.client = this;
    request.state = "settled";
    request.hold(reply, 0, reply.length);
    this.holds(reply.length);
    this.#append(request);
  }

  replied(request: Request, bytes: Uint8Array, start: number, end: number, isLast: boolean): void {
    if (this.isGone) {
      if (isLast) {
        this.flightEnded(request);
        recycleRequest(request);
      }
      return;
    }
    if (request.isMuted) return this.#drop(request, isLast);
    if (this.#head === request && (isLast || request.replyBytes > PIECE_BYTES_MIN)) {
      if (request.heldBytes > 0) this.#sendHeld(request);
      if (start < end) this.#send(bytes, start, end);
      if (this.#batch.queuedBytes > PRESSURE_BYTES_HIGH) this.#pressure.isHigh(request);
      if (isLast) {
        this.#settle(request);
        this.#shift();
      }
    } else {
      request.hold(bytes, start, end);
      this.holds(end - start);
      if (this.heldBytes > PRESSURE_BYTES_HIGH) this.#pressure.isHigh(request);
      if (isLast) this.#settle(request);
    }
    if (!isLast && request.replyBytes + request.missingBytes > request.expectedBytes) {
      this.#host.credit.outgrew(request);
      this.#noticeLarge(request, request.expectedBytes);
    }
  }

  /** The request that is being dispatched is large, or its reply will be. */
  notice(request: Request): void {
    this.#shared.sampling.notice(request, this.#host);
  }

  #noticeLarge(request: Request, bytes: number): void {
    if (bytes >= NOTICED_BYTES_MIN) this.#shared.sampling.noticeReply(request);
  }

  /**
   * Gives the client a push, which answers nothing: at once, but not inside a reply of which it has a part
   * already. Copies `push`, or keeps it.
   */
  push(push: Uint8Array): void {
    if (this.isGone) return;
    const head = this.#head;
    if (this.#pushes === null && (head === null || head.replyBytes <= head.heldBytes)) {
      return this.#send(push, 0, push.length);
    }
    (this.#pushes ??= []).push(push);
    this.holds(push.length);
  }

  /** Lets pushes wait until the client has the reply at the head of the FIFO. */
  withholdPushes(): void {
    this.#pushes ??= [];
  }

  #sendPushes(): void {
    const pushes = this.#pushes!;
    this.#pushes = null;
    for (const push of pushes) {
      this.holds(-push.length);
      this.#send(push, 0, push.length);
    }
  }

  /** The whole reply of a request that has parts, or was parked. Takes `reply`. */
  completed(request: Request, reply: Uint8Array, isFailure = false): void {
    request.replyType = reply[0] ?? 0;
    request.replyBytes = reply.length;
    if (request.owner !== this) {
      return request.owner.replied(request, reply, 0, reply.length, true);
    }
    if (isFailure && request.command !== null) this.#shared.stats.failures[request.command.id]!++;
    const isWhole = reply.length >= WHOLE_BYTES_MIN && !this.isGone;
    if (isWhole) {
      request.adopt(reply);
      this.holds(reply.length);
      this.#noticeLarge(request, reply.length);
    }
    this.replied(request, reply, 0, isWhole ? 0 : reply.length, true);
  }

  /**
   * As {@linkcode push}, for what must not overtake replies that came before it and wait for their turn:
   * an invalidation. It comes before those of which nothing is here. Copies `bytes`.
   */
  pushInOrder(bytes: Uint8Array): void {
    if (this.isGone) return;
    let last: Request | null = null;
    for (let request = this.#head; request !== null; request = request.next) {
      // Parts of a reply may be here that are merged when all are.
      const hasCome = request.state === "settled" || request.replyBytes > 0;
      if (hasCome || request.parts !== null) last = request;
    }
    if (last === null) return this.#send(bytes, 0, bytes.length);
    const push = acquireRequest(this);
    push.client = this;
    push.state = "settled";
    push.hold(bytes, 0, bytes.length);
    this.holds(bytes.length);
    push.next = last.next;
    last.next = push;
    if (this.#tail === last) this.#tail = push;
    this.depth++;
  }

  /** The client does not want the reply: it keeps its place and settles what it weighs, and is dropped. */
  #drop(request: Request, isLast: boolean): void {
    this.holds(-request.heldBytes);
    request.dropHeld();
    if (!isLast) return;
    this.#settle(request);
    if (this.#head === request) this.#shift();
  }

  /** The proxy's error takes the reply's place. */
  failed(request: Request, text: string): void {
    if (request.command !== null && !request.isFailed) {
      this.#shared.stats.failures[request.command.id]!++;
    }
    if (this.isGone) {
      this.flightEnded(request);
      return recycleRequest(request);
    }
    if (request.replyBytes > request.heldBytes) {
      // Part of the reply is with the client already: nothing that follows would be understood.
      this.flightEnded(request);
      return this.#host.close();
    }
    this.holds(-request.heldBytes);
    request.dropHeld();
    request.replyBytes = 0;
    const error = errorReply(this.#host.streak.textOf(text));
    request.isFailed = true;
    this.replied(request, error, 0, error.length, true);
  }

  /** Counts reply bytes that are held, or no longer are when negative. */
  holds(bytes: number): void {
    if (this.isGone) return; // everything was given back at once
    this.heldBytes += bytes;
    this.#shared.budget.chargeReply(bytes);
    if (bytes > 0 && this.heldBytes > this.#shared.options.sessionBufferBytesMax) {
      this.#host.repliesOverflowed();
    }
  }

  /** Whether the reply to a command is taken for EXEC's: nothing may block. */
  get isCapturing(): boolean {
    return this.#captured !== null;
  }

  #mayHaveWritten(carrier: Carrier | null): void {
    if (carrier === null || carrier === this.trail?.newest) return;
    this.trail ??= new WriteTrail();
    this.trail.add(carrier, this.#shared.slots.version);
  }

  /** Ends what a sent request weighs on slots and budgets; not yet its place in the FIFO. */
  flightEnded(request: Request): void {
    request.state = "settled";
    const { slot, slots, command } = request;
    request.wholeMs = clock.nowMs;
    if (slot !== null) {
      request.slotId = slot.id;
      slot.leave();
      request.slot = null;
    }
    if (slots !== null) {
      for (const each of slots) each.leave();
      request.slots = null;
    }
    if (command !== null && !command.isReadOnly && !request.isFailed) {
      this.#mayHaveWritten(request.backend);
    }
    const { credit, links } = this.#host;
    if (request.expectedBytes > 0) credit.ended(request);
    if (request.chargedBytes > 0) {
      this.requestBytes -= request.chargedBytes;
      this.#shared.budget.release(request.chargedBytes);
      request.chargedBytes = 0;
    }
    for (let i = links.length - 1; i >= 0; i--) links[i]!.settled(request);
  }

  #settle(request: Request): void {
    this.flightEnded(request);
    const command = request.command;
    if (command !== null && !request.isFailed) { // a failure is not an answer in the statistics
      const type = request.replyType;
      const elapsedMs = clock.nowMs - request.readMs;
      this.#shared.stats.answered(
        command.id,
        elapsedMs,
        type === 45 /* - */ || type === 33, /* ! */
      );
      this.#host.userTimes.add(elapsedMs * 1000);
      if (request.kind !== 0) this.#host.credit.learn(command, request);
    }
  }

  /** Takes the settled head out of the FIFO, and with it all settled ones behind it. */
  #shift(): void {
    if (this.#pushes !== null) this.#sendPushes();
    let request = this.#head!;
    for (;;) {
      const next = request.next;
      this.depth--;
      this.#watch.answered(request, this.sentBytes + this.#batch.queuedBytes);
      if (next === null) {
        this.#head = this.#tail = null;
        this.#host.streak.ends();
        break;
      }
      this.#head = request = next;
      const isSettled = request.state === "settled";
      if (request.heldBytes > (isSettled ? 0 : PIECE_BYTES_MIN)) this.#sendHeld(request);
      if (!isSettled) break;
    }
    this.easePressure();
    this.#host.repliesLeft();
  }

  // -- bytes out ------------------------------------------------------------------------------

  #sendHeld(request: Request): void {
    this.heldBytes -= request.heldBytes;
    request.moveHeld(this.#batch);
    this.#batchGrew();
  }

  #send(bytes: Uint8Array, start: number, end: number): void {
    this.#batch.append(bytes, start, end);
    this.#shared.budget.chargeReply(end - start);
    this.#batchGrew();
  }

  #batchGrew(): void {
    const queued = this.#batch.queuedBytes;
    if (queued > PRESSURE_BYTES_HIGH && queued > this.#shared.options.sessionBufferBytesMax) {
      this.#host.repliesOverflowed();
    }
  }

  wrote(bytes: number): void {
    this.lastWroteMs = clock.tick();
    this.#shared.budget.chargeReply(-bytes);
    this.#shared.totals.outputBytes += bytes;
    this.sentBytes += bytes;
    this.#watch.wrote(this.sentBytes);
    this.easePressure();
    this.#host.repliesLeft();
  }

  writeFailed(): void {
    this.#host.close();
  }

  endsHere(): boolean {
    return this.#host.endsHere();
  }

  // -- slow readers ---------------------------------------------------------------------------

  get isBudgetTight(): boolean {
    return this.#shared.budget.isTight;
  }

  easePressure(): void {
    if (!this.#pressure.isActive) return;
    this.#pressure.ease(this.#batch.queuedBytes, this.heldBytes, this.#head);
  }

  losePatience(): void {
    this.#pressure.losePatience();
  }

  /** Drops everything: requests in flight are settled later, unheard. */
  close(): void {
    this.isGone = true;
    this.#shared.budget.chargeReply(-(this.#batch.queuedBytes + this.heldBytes));
    this.heldBytes = 0;
    this.#pushes = null;
    this.#watch.close(this.#head);
    this.#batch.reset();
    leaveRequests(this.#head);
    this.#head = this.#tail = null;
    this.#pressure.end();
  }
}
