/**
 * One connection to a Redis server, in one database and protocol, mostly shared by all clients.
 *
 *               push                  handshake answered            lost, or silent too long
 *      idle ──────────► dialing ─► handshake ─────────────► ready ──────────────┐
 *       ▲                  ▲  │        │                                        ▼
 *       └── unused ────────┘  └────────┴──────── fails ──────────────────► failing
 *             (no push for a while)    ▲                                        │
 *                                      └──────── after a jittered pause ────────┘
 *      any ── close() ─► closed
 *
 * While a server is down its requests fail at once: only the first dial makes requests wait. Each
 * request pushed is settled exactly once: by its reply, or by the loss of the connection.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import { changeState } from "../../base/state.ts";
import { type ByteSource, openSource, type SourceOwner } from "../../io/byte_source.ts";
import { causeOf, type Connection, dial, hangUp, remoteHost, writeAll } from "../../io/dial.ts";
import { type BatchOwner, WriteBatch } from "../../io/write_batch.ts";
import { PING, type Protocol } from "../../resp/encoder.ts";
import { ReplyFramer } from "../../resp/reply_framer.ts";
import { BACKEND_RESET, backendDown, backendFailure } from "../errors.ts";
import { moverLogin, requestLogin } from "../options.ts";
import { acquireRequest, deliver, failRequest, NO_INTEREST, type Request } from "../request.ts";
import { sendOn } from "../slots/route.ts";
import type { BackendHost } from "./backend_host.ts";
import { BACKEND_MOVES, type BackendState } from "./backend_state.ts";
import type { Carrier, LinkedUser, SlowReader } from "./carrier.ts";
import type { SlowConnection } from "./circuit.ts";
import { Handshake } from "./handshake.ts";
import { PushPieces } from "./push_pieces.ts";
import { askServer } from "./question.ts";
import { ReadPause } from "./read_pause.ts";
import { ReplyDeadline } from "./reply_deadline.ts";
import { Redial } from "./redial.ts";
import type { ReplySemaphore } from "./reply_semaphore.ts";
import { SentQueue } from "./sent_queue.ts";
import { takeUnsent, type UnsentRequest } from "./unsent.ts";

/** How far a backend's read buffer grows, in bytes. */
const READ_BYTES_MAX = 128 * 1024;

/** A connection to a server; see the drawing above. */
export class Backend implements SourceOwner, BatchOwner, Carrier, SlowConnection {
  readonly server: BackendHost<Backend>;
  readonly database: number;
  readonly protocol: Protocol;
  /** Whether it carries requests of one client at a time. */
  readonly isPrivate: boolean;
  readonly #isMover: boolean;
  /**
   * Called when all bytes appended so far were taken by the kernel, and when the backend fails. Set
   * as long as more bytes of the last request are to come: its deadline does not run yet.
   */
  onDrain: (() => void) | null = null;
  /** Who uses a private backend; null while nobody does, and pushes are dropped. */
  linked: LinkedUser | null = null;
  /** The server's id of a private backend, once somebody has asked for it; else 0. */
  clientId = 0;
  /** Since when a private backend is nobody's, in clock milliseconds. */
  idleSinceMs = 0;
  /** Whether all that the server sends is a push for the user: the connection subscribes. */
  isListening = false;

  #state: BackendState = "idle";
  /** Whether it is ready, and takes requests. */
  #isOpen = false;
  /** Why it failed last; empty while all is well. */
  #lastCause = "";
  #connection: Connection | null = null;
  #source: ByteSource | null = null;
  #batch: WriteBatch;
  readonly #framer = new ReplyFramer();
  readonly #push = new PushPieces();
  readonly #sent = new SentQueue();
  /** Last time a byte came, or the queue went from empty to not empty; clock milliseconds. */
  progressMs = 0;
  readonly #deadline = new ReplyDeadline();
  #handshake: Handshake | null = null;
  readonly #redial: Redial;
  readonly #pause = new ReadPause((slow) => this.#isAwaited(slow));

  constructor(
    server: BackendHost<Backend>,
    database: number,
    protocol: Protocol,
    isPrivate = false,
    isMover = false,
  ) {
    this.server = server;
    this.database = database;
    this.protocol = protocol;
    this.isPrivate = isPrivate;
    this.#isMover = isMover;
    this.#batch = new WriteBatch(this, null);
    this.#redial = new Redial(server.circuit, (isWanted) => this.#retry(isWanted));
  }

  get state(): BackendState {
    return this.#state;
  }

  /** Whether it was lost, or could not be opened, since it was last ready. */
  get hasFailed(): boolean {
    return this.#lastCause !== "";
  }

  /** Bytes appended and not yet taken by the kernel. */
  get queuedBytes(): number {
    return this.#batch.queuedBytes;
  }

  #changeState(to: BackendState): void {
    this.#state = changeState(BACKEND_MOVES, this.#state, to, `backend ${this.server.address}`);
    this.#isOpen = to === "ready" && !this.server.circuit.isOpen;
  }

  // -- sending --------------------------------------------------------------------------------

  /** Requests that are sent and not answered. */
  get inFlight(): number {
    return this.#sent.length;
  }

  get largeReplies(): ReplySemaphore {
    return this.server.largeReplies;
  }

  /**
   * Puts a request in the queue; its bytes follow by {@linkcode append}, before anything else. Only
   * slots/route.ts calls it, which counts the request first.
   *
   * @returns False when the backend takes no requests now: then the request has been failed.
   */
  begin(request: Request): boolean {
    if (!this.#isOpen && !this.#connects()) {
      const cause = this.#lastCause || this.server.circuit.cause;
      failRequest(request, backendDown(this.server.address, cause));
      return false;
    }
    request.state = "sent";
    request.backend = this;
    if (this.#sent.length === 0) this.progressMs = clock.nowMs;
    this.#sent.push(request, this.#batch);
    return true;
  }

  /** Copies more bytes of the request that {@linkcode begin} queued last. */
  append(bytes: Uint8Array, start: number, end: number): void {
    this.#batch.append(bytes, start, end);
  }

  #connects(): boolean {
    this.#redial.used();
    if (this.#state === "idle" && this.server.circuit.mayDial(this.isPrivate)) this.#dial();
    return this.takesRequests;
  }

  /** Whether requests can be sent: only a first dial makes them wait, later they fail until it is back. */
  get takesRequests(): boolean {
    return !this.server.circuit.isOpen && this.#state !== "failing" && this.#state !== "closed" &&
      !this.#redial.isTrying;
  }

  /** Sends a PING nobody waits for when nothing else is in flight, as Codis does. */
  keepAlive(): void {
    if (!this.#isOpen || this.#sent.length > 0) return;
    if (this.isListening) return this.linked?.keepAlive();
    sendOn(this, acquireRequest(NO_INTEREST), PING, 0, PING.length);
  }

  /** The server's circuit has opened, or closed: then what waits to dial does so now. */
  circuitChanged(isOpen: boolean): void {
    this.#isOpen = this.#state === "ready" && !isOpen;
    if (isOpen || this.#state !== "failing" || this.isPrivate) return;
    this.#redial.stop();
    this.#dial();
  }

  tryAnswer(answered: () => void): void {
    this.#isOpen = this.#state === "ready";
    askServer(this, PING, (_text, isReply) => isReply && answered());
    this.#isOpen = false;
  }

  /** Connects now instead of at the first request. */
  warm(): void {
    if (this.#state !== "idle") return;
    this.#redial.used();
    this.#dial();
  }

  // -- connecting -----------------------------------------------------------------------------

  #dial(): void {
    this.#changeState("dialing");
    const { hostname, port, options: { backendDialMs, backendTls, dialMode } } = this.server;
    dial(hostname, port, backendDialMs, backendTls, dialMode).then(
      (connection) => this.#greet(connection),
      (error) => {
        if (this.#state === "dialing") this.#fail(causeOf(error));
      },
    );
  }

  #greet(connection: Connection): void {
    if (this.#state !== "dialing") return connection.close();
    this.#changeState("handshake");
    this.#connection = connection;
    this.#framer.reset();
    this.#framer.error = "";
    const { options } = this.server;
    this.#source = openSource(options.readMode, connection, this, READ_BYTES_MAX);
    const login = this.#isMover ? moverLogin(options) : requestLogin(options);
    this.#handshake = new Handshake(this.server, login, this.protocol, this.database);
    this.progressMs = clock.tick();
    this.#say(this.#handshake.begin(), connection);
    if (this.#handshake.isDone) this.#becomeReady();
    this.#source.read();
  }

  #say(bytes: Uint8Array, connection: Connection): void {
    writeAll(connection, bytes).catch((error) => {
      if (this.#connection === connection) this.#fail(causeOf(error));
    });
  }

  #handshakeAnswered(reply: Uint8Array): void {
    const handshake = this.#handshake!;
    this.server.circuit.answered();
    const answer = handshake.answered(this.#framer.type, reply);
    if (typeof answer === "string") return this.#fail(answer);
    this.#say(answer, this.#connection!);
    if (handshake.isDone) this.#becomeReady();
  }

  #becomeReady(): void {
    this.#changeState("ready");
    this.#redial.reset();
    this.#lastCause = "";
    this.progressMs = clock.nowMs;
    this.#batch.attach(this.#connection!);
    this.server.becameReady(this);
  }

  // -- receiving ------------------------------------------------------------------------------

  bytesArrived(): void {
    this.progressMs = this.server.heardMs = clock.tick();
    const source = this.#source!;
    const { bytes, end } = source;
    const framer = this.#framer;
    let at = source.start;
    while (at < end) {
      const from = at;
      at = framer.feed(bytes, at, end);
      const { type, isDone } = framer;
      const request = this.#sent.head;
      if (
        request === null || type === 62 /* > */ || this.isListening ||
        this.#state === "handshake" || framer.error !== ""
      ) {
        this.#noReply(bytes, from, at, isDone);
      } else {
        this.#sent.came(framer, this.linked?.mayBlock === true ? null : this.server);
        if (isDone) framer.reset();
        deliver(request, bytes, from, at, isDone);
      }
      if (this.#connection === null) return; // a delivery, or the user of a link, may close us
    }
    source.start = source.end;
    if (!this.#pause.isActive) source.read();
  }

  /** What has come belongs to no request: an answer to the handshake, a push, or nothing that we know. */
  #noReply(bytes: Uint8Array, start: number, end: number, isDone: boolean): void {
    const framer = this.#framer;
    const { error, type } = framer;
    if (error !== "") return this.#fail(`protocol error from the server: ${error}`);
    if (this.#state === "handshake") {
      const answer = this.#push.add(bytes, start, end, isDone);
      if (answer === null) return;
      this.#handshakeAnswered(answer);
      return framer.reset();
    }
    if (type !== 62 /* > */ && !this.isListening) {
      return this.#fail("the server sent a reply nobody asked for");
    }
    if (isDone) framer.reset();
    // A push is for the client that is linked to this connection.
    const push = this.linked === null ? null : this.#push.add(bytes, start, end, isDone);
    if (push !== null) this.linked!.pushed(push);
  }

  sourceEnded(): void {
    this.#fail("connection closed by the server");
  }

  sourceFailed(error: unknown): void {
    this.#fail(causeOf(error));
  }

  wrote(_bytes: number): void {
    clock.tick();
    if (this.onDrain === null) this.#sent.wrote(this.#batch);
    else if (this.#batch.queuedBytes === 0) this.onDrain();
  }

  writeFailed(error: unknown): void {
    if (this.#connection !== null) this.#fail(causeOf(error));
  }

  pauseReading(reader: SlowReader): boolean {
    return !this.#pause.isActive && this.#state === "ready" && this.#pause.begin(reader);
  }

  resumeReading(): void {
    if (!this.#pause.isActive) return;
    this.#sent.heldBackSince(this.progressMs);
    this.#pause.end();
    this.progressMs = clock.nowMs;
    if (this.#source !== null && this.#source.start === this.#source.end) this.#source.read();
  }

  // -- failing --------------------------------------------------------------------------------

  /** Whether it is the server's turn: nothing is, where a command may block for as long as it likes. */
  get owesReply(): boolean {
    return this.#sent.length > 0 && this.linked?.mayBlock !== true;
  }

  /** Whether no deadline of its can pass soon: it waits for no server, nor is about to greet one again. */
  get isQuiet(): boolean {
    return !this.owesReply && this.#state !== "handshake" && !this.#redial.isTrying;
  }

  /** Checks deadlines; called a few times a second unless it is quiet. */
  tick(): void {
    if (this.#state === "handshake") {
      const cause = this.#handshake!.overdue(this.progressMs);
      if (cause !== "") return this.#fail(cause);
    }
    if (this.#state !== "ready" || !this.owesReply) return;
    if (this.#pause.isActive) return this.#deadline.ease();
    const silentMs = clock.nowMs - this.progressMs;
    const lateness = this.#deadline.check(this.server, this.#sent, silentMs, this.onDrain === null);
    if (silentMs > this.server.lostAddress.lateMs) this.server.lostAddress.suspect(this.remote);
    if (lateness === "") return;
    const cause = `no answer for ${this.server.options.backendTimeoutMs} ms`;
    this.server.isLate(this, cause, lateness);
    if (lateness === "silent") this.#fail(cause);
  }

  /** The address that it leads to; empty while it leads nowhere. */
  get remote(): string {
    return this.#connection === null ? "" : remoteHost(this.#connection);
  }

  /** Whether nothing has come over it since. */
  isSilentSince(ms: number): boolean {
    return this.progressMs <= ms;
  }

  /** Whether the server has done nothing for so long but run a script that came over it. */
  isHeldUp(ms: number): boolean {
    return this.#state === "ready" && clock.nowMs - this.progressMs >= ms &&
      this.#sent.isScriptNext;
  }

  /** Whether other clients wait for replies, or to be allowed to ask for one. */
  #isAwaited(client: SlowReader): boolean {
    return this.server.isAwaited || this.#sent.hasOthersThan(client);
  }

  /** Takes out what was not sent: {@linkcode breakOff} must follow at once. */
  takeUnsent(): readonly UnsentRequest[] {
    return takeUnsent(this.#sent, this.#batch);
  }

  /** Whether a request of this slot is in flight here. */
  carriesSlot(slotId: number): boolean {
    return this.#sent.hasSlot(slotId);
  }

  /** The age in milliseconds of the oldest request in flight that does not block; 0 when there is none. */
  oldestMs(): number {
    return this.owesReply ? clock.nowMs - this.#sent.head!.startedMs : 0;
  }

  /**
   * Breaks the connection, or gives up making one, and fails what is in flight: none of it is sent
   * afterwards. A later request dials again.
   */
  breakOff(cause: string): void {
    if (this.#connection !== null || this.#state === "dialing") this.#fail(cause);
  }

  #fail(cause: string): void {
    if (this.#state === "closed") return;
    const wasReady = this.#state === "ready";
    this.#lastCause = cause;
    if (wasReady) this.#redial.used();
    this.#changeState("failing");
    this.#disconnect();
    this.server.lost(this, cause, wasReady);
    // Before the handshake was answered nothing was sent.
    const text = wasReady ? backendFailure : backendDown;
    this.#failSent(text(this.server.address, cause));
    if (this.#state !== "failing") return;
    if (this.isPrivate) return this.close();
    this.#redial.later();
  }

  #retry(isWanted: boolean): void {
    if (this.#state !== "failing") return;
    if (isWanted) this.#dial();
    else this.#changeState("idle");
  }

  #disconnect(): void {
    this.#source?.stop();
    this.#source = null;
    this.#batch.reset();
    this.#batch = new WriteBatch(this, null);
    this.#push.clear();
    this.#pause.end();
    const connection = this.#connection;
    this.#connection = null;
    if (connection !== null) hangUp(connection);
  }

  #failSent(text: string): void {
    for (const request of this.#sent.takeAll()) failRequest(request, text);
    this.onDrain?.();
  }

  /** Closes for good; what is in flight fails with `text`. */
  close(text = BACKEND_RESET): void {
    if (this.#state === "closed") return;
    this.#changeState("closed");
    this.#redial.stop();
    this.#disconnect();
    this.#failSent(text);
    this.server.closed(this);
    this.linked?.lost(this.#lastCause || text);
  }
}
