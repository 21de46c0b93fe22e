/**
 * One connected Redis client: its bytes in, its requests in order, its replies out.
 *
 *      socket ──read──► parser ──► dispatch ──► slot / backend
 *                          ▲ paused?               │
 *      socket ◄─flush── batch ◄── head of FIFO ◄───┘ replied / failed
 *
 *      open ── end of input, QUIT, protocol error ─► draining ── all replies sent ─► closed
 *        └───────────────── socket lost, deadline, overflow ───────────────────────────▲
 *
 * Invariants: replies leave in the order of the requests; each request is settled once; a reply for
 * the head of the FIFO passes straight through, any other is held until its turn. Reading pauses,
 * and nothing is dropped, while the session has too many requests or bytes under way.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import { changeState, type StateMoves } from "../../base/state.ts";
import { type ByteSource, openSource, type SourceOwner } from "../../io/byte_source.ts";
import { hangUp } from "../../io/dial.ts";
import { type AcceptedConnection, printAddress } from "../../io/listen.ts";
import { atTurnEnd, type TurnWork } from "../../io/turn.ts";
import { type BatchOwner, WriteBatch } from "../../io/write_batch.ts";
import type { Command } from "../../command/command.ts";
import { errorReply, type Protocol } from "../../resp/encoder.ts";
import { ELEMENTS_MAX_BEFORE_7, RequestParser } from "../../resp/request_parser.ts";
import { Asking, REPLY_BYTES_HIGH } from "./reply_credit.ts";
import { overdueReason } from "./deadlines.ts";
import { ANONYMOUS, type ClientSelf } from "./client_name.ts";
import { dispatch, waitsForVersion } from "../dispatch/dispatch.ts";
import { PassThrough } from "./pass_through.ts";
import { PRESSURE_BYTES_HIGH, ReplyPressure } from "./reply_pressure.ts";
import {
  acquireRequest,
  leaveRequests,
  recycleRequest,
  type Request,
  WHOLE_BYTES_MIN,
} from "../request.ts";
import type { Router } from "../router.ts";
import { UnfinishedRequest } from "./partial_request.ts";

/** Where a session is in its life; see the drawing above. */
export type SessionState = "open" | "draining" | "closed";

/** Unsent reply bytes past which no more requests are read. */
const OUTPUT_BYTES_HIGH = 1024 * 1024;
/**
 * Bytes of requests in flight past which no more are read: what other clients wait for behind one.
 */
const REQUEST_BYTES_HIGH = 256 * 1024;
/** Replies up to this size wait until they are whole: if their server dies, an error takes their place. */
const PIECE_BYTES_MIN = 64 * 1024;
/** How long a closed-down session's input is read away so that its last reply is not lost. */
const LINGER_MS = 1000;

const MOVES: StateMoves<SessionState> = {
  open: ["draining", "closed"],
  draining: ["closed"],
  closed: [],
};

/** A connected client; see the drawing above. */
export class Session implements SourceOwner, BatchOwner, TurnWork {
  readonly id: number;
  readonly router: Router;
  readonly parser = new RequestParser();
  readonly asking = new Asking(this);
  readonly createdMs: number;

  isAuthenticated: boolean;
  protocol: Protocol = 2;
  database = 0;
  /** What the client says of itself; replaced, never changed, since most share the default. */
  client: ClientSelf = ANONYMOUS;
  lastCommand: Command | null = null;
  lastReadMs: number;
  isQueuedForTurnEnd = false;
  /** Requests in flight. */
  depth = 0;
  /** While set, no request is dispatched until all earlier ones are settled. */
  isFenced = false;

  #state: SessionState = "open";
  readonly #connection: AcceptedConnection;
  readonly #source: ByteSource;
  readonly #batch: WriteBatch;
  #head: Request | null = null;
  #tail: Request | null = null;
  /** Bytes of requests in flight. */
  #requestBytes = 0;
  /** Reply bytes held until their turn. */
  #heldBytes = 0;
  readonly #unfinished = new UnfinishedRequest();
  #isPaused = false;
  #isInputEnded = false;
  #isLingering = false;
  #drainingMs = 0;
  #lastWroteMs = 0;
  #isOverflowed = false;
  #isWriteClosed = false;
  readonly #pressure = new ReplyPressure();
  #passThrough: PassThrough | null = null;

  constructor(id: number, connection: AcceptedConnection, router: Router) {
    const { options } = router;
    this.id = id;
    this.router = router;
    this.#connection = connection;
    this.createdMs = this.lastReadMs = this.#lastWroteMs = clock.nowMs;
    this.isAuthenticated = this.parser.isAuthenticated = options.password === "";
    this.#source = openSource(options.readMode, connection, this, options.sessionReadBytesMax);
    this.#batch = new WriteBatch(this, connection);
  }

  get state(): SessionState {
    return this.#state;
  }

  /** The client's address, `host:port`. */
  get remote(): string {
    return printAddress(this.#connection.remoteAddr);
  }

  /** The address the client connected to. */
  get local(): string {
    return printAddress(this.#connection.localAddr);
  }

  /** Bytes received from the client. */
  get inputBytes(): number {
    return this.#source.totalBytes;
  }

  /** Reply bytes not taken yet. */
  get unsentBytes(): number {
    return this.#batch.queuedBytes + this.#heldBytes;
  }

  /** Bytes not dispatched yet. */
  get unreadBytes(): number {
    return this.#source.end - this.#source.start;
  }

  /** Begins to read; the router calls it once. */
  start(): void {
    this.#source.read();
  }

  // -- requests in ----------------------------------------------------------------------------

  bytesArrived(): void {
    this.lastReadMs = clock.tick();
    if (this.#isLingering) {
      this.#source.start = this.#source.end;
      this.#source.read();
    } else if (!this.#isPaused) {
      this.#pump();
    }
  }

  sourceEnded(): void {
    clock.tick();
    this.#isInputEnded = true;
    if (this.#isLingering) this.close();
    else if (!this.#isPaused) this.#pump();
  }

  sourceFailed(): void {
    this.close();
  }

  /** Parses and dispatches what was received, until more is needed or the session must wait. */
  #pump(): void {
    const source = this.#source;
    const parser = this.parser;
    this.#isPaused = false;
    // A large request that has begun is let through even while the session drains.
    while (this.#state === "open" || (this.#state === "draining" && this.#passThrough !== null)) {
      if (this.#passThrough !== null) {
        if (!this.#passOn(this.#passThrough)) return;
        continue;
      }
      if (this.#mustPause()) {
        this.asking.leaveLine();
        this.#isPaused = true;
        return;
      }
      const from = source.start;
      switch (parser.parse(source.bytes, source.start, source.end)) {
        case "request":
          if (parser.count > ELEMENTS_MAX_BEFORE_7 && waitsForVersion(this)) {
            this.#isPaused = true;
            return;
          }
          source.start = parser.nextStart;
          if (this.#unfinished.sinceMs > 0) this.#unfinished.end(this, this.router.budget);
          dispatch(this, parser);
          parser.next();
          if (this.asking.isRefused) {
            // It stays where it is, and is dispatched again when there is room for its reply.
            this.asking.isRefused = false;
            source.start = from;
            this.#isPaused = true;
            return;
          }
          this.asking.leaveLine();
          break;
        case "more":
          source.start = parser.nextStart;
          this.#passThrough = PassThrough.begin(this, parser);
          if (this.#passThrough === null) return this.#readMore();
          break;
        case "error":
          this.answer(errorReply(parser.error));
          this.endAfterProtocolError();
          break;
      }
    }
  }

  /** Nothing the client sends can be understood any more: its last reply is on its way. */
  endAfterProtocolError(): void {
    this.router.totals.protocolErrors++;
    this.#source.start = this.#source.end;
    this.#isLingering = true;
    this.drain();
  }

  /** Hands on what has come of a large request; false when the pump must stop for now. */
  #passOn(passThrough: PassThrough): boolean {
    switch (passThrough.pass(this.#source)) {
      case "waiting":
        this.#isPaused = true;
        return false;
      case "more":
        this.#readMore();
        return false;
    }
    this.#passThrough = null;
    this.parser.next();
    this.#unfinished.end(this, this.router.budget);
    return true;
  }

  /** What the session waited for may be over: it looks again at the end of the turn. */
  resume(): void {
    if (this.#isPaused) atTurnEnd(this);
  }

  #mustPause(): boolean {
    const depth = this.depth;
    const queued = this.#batch.queuedBytes;
    const { budget } = this.router;
    const share = budget.fairShareBytes;
    if (this.router.isHeld) return true;
    if (depth === 0) {
      this.isFenced = false;
      return queued > share && (queued > OUTPUT_BYTES_HIGH || budget.isTight);
    }
    if (this.isFenced || depth >= this.router.options.sessionPipelineMax) return true;
    if (this.#requestBytes > REQUEST_BYTES_HIGH) return true;
    const output = queued + this.#heldBytes;
    const expected = output + this.asking.expectedBytes;
    if (expected > share && (expected > REPLY_BYTES_HIGH || budget.isTight)) return true;
    if (this.#requestBytes + output > share && budget.isSpent) {
      budget.wait(this);
      return true;
    }
    return false;
  }

  #readMore(): void {
    if (this.#isInputEnded) {
      this.#passThrough?.abandon(); // half a request is none
      this.#passThrough = null;
      return this.drain();
    }
    const { budget } = this.router;
    const unread = this.unreadBytes;
    if (unread === 0 && this.#passThrough === null) this.#unfinished.end(this, budget);
    else if (!this.#unfinished.mayHold(unread, this, budget)) {
      this.#isPaused = true;
      return;
    }
    this.#source.read();
  }

  /** Looks again whether a paused session may go on; runs once at the end of a turn. */
  runAtTurnEnd(): void {
    if (this.#isOverflowed && this.#state !== "closed") {
      this.router.totals.overflowedSessions++;
      this.router.events.sessionOverflowed(this);
      return this.close();
    }
    if (this.#isPaused) this.#pump();
    if (this.#state === "draining") this.#finishIfDrained();
  }

  // -- requests out ---------------------------------------------------------------------------

  /** Puts a request of `command` at the end of the FIFO. */
  enqueue(command: Command): Request {
    const request = acquireRequest();
    request.session = this;
    request.command = command;
    request.startedMs = clock.nowMs;
    request.database = this.database;
    request.protocol = this.protocol;
    if (this.#tail === null) this.#head = request;
    else this.#tail.next = request;
    this.#tail = request;
    this.depth++;
    return request;
  }

  /** Counts a request's bytes against session and process until it is settled. */
  charge(request: Request, bytes: number): void {
    request.chargedBytes += bytes;
    this.#requestBytes += bytes;
    this.router.budget.charge(bytes);
  }

  /** Answers the command being dispatched, after all earlier ones. Copies `reply`. */
  answer(reply: Uint8Array): void {
    if (this.#head === null) {
      this.#send(reply, 0, reply.length);
      return;
    }
    const request = acquireRequest();
    request.session = this;
    request.state = "settled";
    request.hold(reply, 0, reply.length);
    this.holds(reply.length);
    this.#tail!.next = request;
    this.#tail = request;
    this.depth++;
  }

  /** As {@linkcode answer}, and counted. */
  answerLocally(command: Command, reply: Uint8Array): void {
    this.router.stats.answered(command.id, 0, reply[0] === 45);
    this.answer(reply);
  }

  // -- replies --------------------------------------------------------------------------------

  /** Reply bytes arrived for a request. Copies `bytes[start, end)`. */
  replied(request: Request, bytes: Uint8Array, start: number, end: number, isLast: boolean): void {
    if (this.#state === "closed") {
      if (isLast) {
        this.flightEnded(request);
        recycleRequest(request);
      }
      return;
    }
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
      if (this.#heldBytes > PRESSURE_BYTES_HIGH) this.#pressure.isHigh(request);
      if (isLast) this.#settle(request);
    }
    if (!isLast && request.replyBytes + request.missingBytes > request.expectedBytes) {
      this.asking.outgrew(request);
    }
  }

  /** The whole reply of a gathered command. Takes `reply`. */
  completed(request: Request, reply: Uint8Array, isFailure: boolean): void {
    request.replyType = reply[0] ?? 0;
    request.replyBytes = reply.length;
    if (isFailure && request.command !== null) this.router.stats.failures[request.command.id]!++;
    const isWhole = reply.length >= WHOLE_BYTES_MIN && this.#state !== "closed";
    if (isWhole) {
      request.adopt(reply);
      this.holds(reply.length);
    }
    this.replied(request, reply, 0, isWhole ? 0 : reply.length, true);
  }

  /** There will be no reply: the proxy's error takes its place. */
  requestFailed(request: Request, text: string): void {
    if (request.command !== null) this.router.stats.failures[request.command.id]!++;
    if (this.#state === "closed") {
      this.flightEnded(request);
      return recycleRequest(request);
    }
    if (request.replyBytes > request.heldBytes) {
      // Part of the reply is with the client already: nothing that follows would be understood.
      this.flightEnded(request);
      return this.close();
    }
    this.holds(-request.heldBytes);
    request.dropHeld();
    request.replyBytes = 0;
    const error = errorReply(text);
    request.command = null; // a failure is not an answer in the statistics
    this.replied(request, error, 0, error.length, true);
  }

  /** Counts reply bytes that are held, or no longer are when negative. */
  holds(bytes: number): void {
    if (this.#state === "closed") return; // everything was given back at once
    this.#heldBytes += bytes;
    this.router.budget.chargeReply(bytes);
    if (bytes > 0 && this.#heldBytes > this.router.options.sessionBufferBytesMax) this.#overflow();
  }

  /** Ends what a sent request weighs on slots and budgets; not yet its place in the FIFO. */
  flightEnded(request: Request): void {
    request.state = "settled";
    if (request.slot !== null) request.slot.leave();
    if (request.slots !== null) { for (const slot of request.slots) slot.leave(); }
    request.slot = request.slots = null;
    if (request.expectedBytes > 0) this.asking.ended(request);
    if (request.chargedBytes > 0) {
      this.#requestBytes -= request.chargedBytes;
      this.router.budget.release(request.chargedBytes);
      request.chargedBytes = 0;
    }
    const backend = request.privateBackend;
    if (backend !== null) {
      request.privateBackend = null;
      backend.server.returnPrivate(backend);
    }
  }

  #settle(request: Request): void {
    this.flightEnded(request);
    const command = request.command;
    if (command !== null) {
      const type = request.replyType;
      this.router.stats.answered(
        command.id,
        clock.nowMs - request.startedMs,
        type === 45 /* - */ || type === 33, /* ! */
      );
      if (request.kind !== 0) this.asking.learn(command, request);
    }
  }

  /** Takes the settled head out of the FIFO, and with it all settled ones behind it. */
  #shift(): void {
    let request = this.#head!;
    for (;;) {
      const next = request.next;
      this.depth--;
      recycleRequest(request);
      if (next === null) {
        this.#head = this.#tail = null;
        break;
      }
      this.#head = request = next;
      const isSettled = request.state === "settled";
      if (request.heldBytes > (isSettled ? 0 : PIECE_BYTES_MIN)) this.#sendHeld(request);
      if (!isSettled) break;
    }
    this.easePressure();
    if (this.#isPaused || this.#state !== "open") atTurnEnd(this);
  }

  #sendHeld(request: Request): void {
    this.#heldBytes -= request.heldBytes;
    request.moveHeld(this.#batch);
    this.#batchGrew();
  }

  #send(bytes: Uint8Array, start: number, end: number): void {
    this.#batch.append(bytes, start, end);
    this.router.budget.chargeReply(end - start);
    this.#batchGrew();
  }

  /** Lets paused backends go on as far as the client has taken what waited for it. */
  easePressure(): void {
    if (!this.#pressure.isActive) return;
    this.#pressure.ease(this.#batch.queuedBytes, this.#heldBytes, this.#head);
  }

  #batchGrew(): void {
    const queued = this.#batch.queuedBytes;
    if (queued > PRESSURE_BYTES_HIGH && queued > this.router.options.sessionBufferBytesMax) {
      this.#overflow();
    }
  }

  wrote(bytes: number): void {
    this.#lastWroteMs = clock.nowMs;
    this.router.budget.chargeReply(-bytes);
    this.router.totals.outputBytes += bytes;
    this.easePressure();
    if (this.#isPaused || this.#state !== "open") atTurnEnd(this);
  }

  writeFailed(): void {
    this.close();
  }

  // -- slow readers ---------------------------------------------------------------------------

  /** Others have waited long enough for this session to read: from now on its replies pile up. */
  losePatience(): void {
    this.#pressure.losePatience();
  }

  /** The session holds more than it may: it is closed at the end of the turn. */
  #overflow(): void {
    this.#isOverflowed = true;
    atTurnEnd(this);
  }

  // -- ending ---------------------------------------------------------------------------------

  /** Accepts no more requests; closes when all replies are sent. */
  drain(): void {
    if (this.#state !== "open") return;
    this.#state = changeState(MOVES, this.#state, "draining", `session ${this.id}`);
    this.#drainingMs = clock.nowMs;
    this.asking.leaveLine();
    atTurnEnd(this);
  }

  #finishIfDrained(): void {
    if (this.#head !== null || this.#batch.queuedBytes > 0) return;
    if (!this.#isLingering || this.#isInputEnded) return this.close();
    if (this.#isWriteClosed) return;
    this.#isWriteClosed = true;
    // Closing with unread input would make the system discard the last reply.
    this.#connection.closeWrite().catch(() => this.close());
    this.#source.read();
  }

  /** Looks after the session's deadlines; called about once a second. */
  tick(): void {
    const now = clock.nowMs;
    const { options } = this.router;
    this.#passThrough?.tick();
    if (this.#isWriteClosed && now - this.#drainingMs > LINGER_MS) return this.close();
    const reason = overdueReason(options, {
      nowMs: now,
      createdMs: this.createdMs,
      lastReadMs: this.lastReadMs,
      lastWroteMs: this.#lastWroteMs,
      unfinishedSinceMs: this.#isPaused ? 0 : this.#unfinished.sinceMs,
      unfinishedBytes: this.unreadBytes + (this.#passThrough?.passedBytes ?? 0),
      hasUnsent: this.#batch.queuedBytes > 0,
      hasRequests: this.depth > 0,
      isAuthenticated: this.isAuthenticated,
    });
    if (reason === "") return;
    this.router.totals.timedOutSessions++;
    this.router.events.sessionTimedOut(this, reason);
    this.close();
  }

  /** Closes now; requests in flight are settled later, unheard. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = changeState(MOVES, this.#state, "closed", `session ${this.id}`);
    const { budget, totals } = this.router;
    budget.chargeReply(-this.unsentBytes);
    this.#heldBytes = 0;
    this.asking.leaveLine();
    this.#unfinished.end(this, budget);
    budget.leave(this);
    totals.inputBytes += this.inputBytes;
    this.#source.stop();
    this.#batch.reset();
    leaveRequests(this.#head);
    this.#head = this.#tail = null;
    this.#passThrough?.abandon();
    this.#passThrough = null;
    this.#pressure.end();
    hangUp(this.#connection);
    this.router.sessionClosed(this);
  }
}
