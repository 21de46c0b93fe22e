/**
 * One connection to a Redis server, in one database and protocol, shared by all sessions.
 *
 *               push                  greeting answered             lost, or silent too long
 *      idle ──────────► dialing ─► greeting ──────────────► ready ──────────────┐
 *       ▲                  ▲  │        │                                        ▼
 *       └── unused ────────┘  └────────┴──────── fails ──────────────────► failing
 *             (no push for a while)    ▲                                        │
 *                                      └──────── after a jittered pause ────────┘
 *      any ── close() ─► closed
 *
 *   requests:  | sent, waiting for replies, oldest first (sentHead … sentTail) |
 *
 * While a server is down its requests fail at once: only the first dial makes requests wait. Each
 * request pushed is settled exactly once: by its reply, or by the loss of the connection.
 *
 * @module
 */

import { Backoff } from "../../base/backoff.ts";
import { clock } from "../../base/clock.ts";
import { changeState, type StateMoves } from "../../base/state.ts";
import { type ByteSource, openSource, type SourceOwner } from "../../io/byte_source.ts";
import { causeOf, type Connection, dial, hangUp, writeAll } from "../../io/dial.ts";
import { type BatchOwner, WriteBatch } from "../../io/write_batch.ts";
import { encodeRequest, type Protocol } from "../../resp/encoder.ts";
import { ReplyFramer } from "../../resp/reply_framer.ts";
import { BACKEND_RESET, backendDown, backendFailure } from "../errors.ts";
import type { Server } from "./backend_pool.ts";
import type { BackendLogin } from "../options.ts";
import { acquireRequest, recycleRequest, type Request } from "../request.ts";
import type { Session } from "../client/session.ts";

/** Where a connection is in its life; see the drawing above. */
export type BackendState = "idle" | "dialing" | "greeting" | "ready" | "failing" | "closed";

/** How far a backend's read buffer grows, in bytes. */
const READ_BYTES_MAX = 128 * 1024;
/** A backend that failed and then was not asked for anything this long stops redialing. */
const REDIAL_UNUSED_MS = 30_000;
/** How long other sessions may wait for a backend whose replies one session does not take. */
const PAUSE_MS_MAX = 50;

/** The database of a connection that uses none: a server that runs a script would refuse to SELECT. */
export const NO_DATABASE = -1;

const MOVES: StateMoves<BackendState> = {
  idle: ["dialing", "closed"],
  dialing: ["greeting", "failing", "closed"],
  greeting: ["ready", "failing", "closed"],
  ready: ["failing", "closed"],
  failing: ["dialing", "idle", "closed"],
  closed: [],
};

const PING = encodeRequest(["PING"]);

/** A connection to a server; see the drawing above. */
export class Backend implements SourceOwner, BatchOwner {
  readonly server: Server;
  readonly database: number;
  readonly protocol: Protocol;
  /** Whether one session owns it. */
  readonly isPrivate: boolean;
  readonly #login: BackendLogin;
  /** Requests sent and not answered. */
  inFlight = 0;
  /**
   * Called when all bytes appended so far were taken by the kernel, and when the backend fails. Set
   * as long as more bytes of the last request are to come: its deadline does not run yet.
   */
  onDrain: (() => void) | null = null;

  #state: BackendState = "idle";
  /** Why it failed last; empty while all is well. */
  #lastCause = "";
  #connection: Connection | null = null;
  #source: ByteSource | null = null;
  #batch: WriteBatch;
  readonly #framer = new ReplyFramer();
  #sentHead: Request | null = null;
  #sentTail: Request | null = null;
  /** Last time a byte came, or the queue went from empty to not empty; clock milliseconds. */
  #progressMs = 0;
  #usedMs = 0;
  #greetingLeft = 0;
  readonly #backoff = new Backoff({ firstMs: 50, maxMs: 500 });
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  /** The session for whose sake nothing is read now. */
  #pausedBy: Session | null = null;
  #pauseTimer: ReturnType<typeof setInterval> | undefined;

  constructor(
    server: Server,
    database: number,
    protocol: Protocol,
    isPrivate = false,
    login?: BackendLogin,
  ) {
    this.server = server;
    this.database = database;
    this.protocol = protocol;
    this.isPrivate = isPrivate;
    const { backendUser: user, backendPassword: password } = server.options;
    this.#login = login ?? { user, password };
    this.#batch = new WriteBatch(this, null);
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
    this.#state = changeState(MOVES, this.#state, to, `backend ${this.server.address}`);
  }

  // -- sending --------------------------------------------------------------------------------

  /** Sends a request. Copies `bytes[start, end)`. */
  push(request: Request, bytes: Uint8Array, start: number, end: number): void {
    if (this.begin(request)) this.#batch.append(bytes, start, end);
  }

  /**
   * Puts a request in the queue; its bytes follow by {@linkcode append}, before anything else.
   *
   * @returns False when the backend takes no requests now: then the request has been failed.
   */
  begin(request: Request): boolean {
    if (this.#state !== "ready" && !this.#takesWhileConnecting()) {
      request.state = "sent";
      failRequest(request, backendDown(this.server.address, this.#lastCause));
      return false;
    }
    request.state = "sent";
    request.backend = this;
    if (this.#sentTail === null) {
      this.#sentHead = request;
      this.#progressMs = clock.nowMs;
    } else {
      this.#sentTail.nextSent = request;
    }
    this.#sentTail = request;
    this.inFlight++;
    return true;
  }

  /** Copies more bytes of the request that {@linkcode begin} queued last. */
  append(bytes: Uint8Array, start: number, end: number): void {
    this.#batch.append(bytes, start, end);
  }

  #takesWhileConnecting(): boolean {
    this.#usedMs = clock.nowMs;
    if (this.#state === "idle") this.#dial();
    // Only a first dial makes requests wait; afterwards they fail until the server is back.
    return (this.#state === "dialing" || this.#state === "greeting") &&
      this.#backoff.attempt === 0;
  }

  /** Sends a PING nobody waits for when nothing else is in flight, as Codis does. */
  keepAlive(): void {
    if (this.#state !== "ready" || this.inFlight > 0) return;
    const ping = acquireRequest();
    this.push(ping, PING, 0, PING.length);
  }

  /** Connects now instead of at the first request. */
  warm(): void {
    if (this.#state === "idle") {
      this.#usedMs = clock.nowMs;
      this.#dial();
    }
  }

  // -- connecting -----------------------------------------------------------------------------

  #dial(): void {
    this.#changeState("dialing");
    const { hostname, port } = this.server;
    dial(hostname, port, this.server.options.backendDialMs).then(
      (connection) => this.#greet(connection),
      (error) => {
        if (this.#state === "dialing") this.#fail(causeOf(error));
      },
    );
  }

  #greet(connection: Connection): void {
    if (this.#state !== "dialing") return connection.close();
    this.#changeState("greeting");
    this.#connection = connection;
    this.#framer.reset();
    this.#framer.error = "";
    this.#source = openSource(this.server.options.readMode, connection, this, READ_BYTES_MAX);
    const { user, password } = this.#login;
    const greeting: Uint8Array[] = [];
    if (password !== "") {
      greeting.push(encodeRequest(user === "" ? ["AUTH", password] : ["AUTH", user, password]));
    }
    if (this.protocol === 3) greeting.push(encodeRequest(["HELLO", "3"]));
    // Always sent, database 0 included: its answer proves that the server serves us.
    if (this.database !== NO_DATABASE) {
      greeting.push(encodeRequest(["SELECT", String(this.database)]));
    }
    this.#greetingLeft = greeting.length;
    this.#progressMs = clock.tick();
    if (greeting.length === 0) this.#becomeReady();
    writeAll(connection, concat(greeting)).catch((error) => {
      if (this.#connection === connection) this.#fail(causeOf(error));
    });
    this.#source.read();
  }

  #greetingAnswered(bytes: Uint8Array, start: number, end: number): void {
    if (this.#framer.type === 45 /* - */) {
      const text = decoder.decode(bytes.subarray(start + 1, end)).replace(/\r\n$/, "");
      // HELLO is the last but one of the greeting.
      if (
        this.protocol === 3 && this.#greetingLeft === 2 && !/^(NOAUTH|NOPERM|LOADING)/.test(text)
      ) {
        this.server.learnedResp3(text);
      }
      return this.#fail(text);
    }
    if (--this.#greetingLeft > 0) return;
    if (this.protocol === 3) this.server.learnedResp3("");
    this.#becomeReady();
  }

  #becomeReady(): void {
    this.#changeState("ready");
    this.#backoff.reset();
    this.#lastCause = "";
    this.#progressMs = clock.nowMs;
    this.#batch.attach(this.#connection!);
    this.server.becameReady(this);
  }

  // -- receiving ------------------------------------------------------------------------------

  bytesArrived(): void {
    this.#progressMs = this.server.heardMs = clock.tick();
    const source = this.#source!;
    const bytes = source.bytes;
    const end = source.end;
    const framer = this.#framer;
    let at = source.start;
    while (at < end) {
      const from = at;
      at = framer.feed(bytes, at, end);
      if (framer.error !== "") {
        return this.#fail(`protocol error from the server: ${framer.error}`);
      }
      if (this.#state === "greeting") {
        if (framer.isDone) {
          this.#greetingAnswered(bytes, from, at);
          framer.reset();
          if (this.#connection === null) return;
        }
        continue;
      }
      if (framer.type === 62 /* > */) {
        // A push belongs to no request; nobody here asked for one.
        if (framer.isDone) framer.reset();
        continue;
      }
      const request = this.#sentHead;
      if (request === null) return this.#fail("the server sent a reply nobody asked for");
      if (framer.isDone) {
        const next = request.nextSent;
        request.nextSent = null;
        this.#sentHead = next;
        if (next === null) this.#sentTail = null;
        this.inFlight--;
        request.replyType = framer.type;
        framer.reset();
        deliver(request, bytes, from, at, true);
        if (this.#connection === null) return; // a delivery may close us
      } else {
        request.replyType = framer.type;
        request.missingBytes = framer.missingBytes;
        deliver(request, bytes, from, at, false);
        if (this.#connection === null) return;
      }
    }
    source.start = source.end;
    if (this.#pausedBy === null) source.read();
  }

  sourceEnded(): void {
    this.#fail("connection closed by the server");
  }

  sourceFailed(error: unknown): void {
    this.#fail(causeOf(error));
  }

  wrote(_bytes: number): void {
    if (this.onDrain !== null && this.#batch.queuedBytes === 0) this.onDrain();
  }

  writeFailed(error: unknown): void {
    if (this.#connection !== null) this.#fail(causeOf(error));
  }

  /**
   * Stops reading because `session` does not take its replies. Others who wait here are not made to
   * wait longer than a moment, {@linkcode PAUSE_MS_MAX}.
   *
   * @returns False when reading had stopped already, for another session, or when others wait and there
   * is room enough for the replies.
   */
  pauseReading(session: Session): boolean {
    if (this.#pausedBy !== null || this.#state !== "ready") return false;
    if (!session.router.budget.isTight && this.#isAwaited(session)) return false;
    this.#pausedBy = session;
    this.#pauseTimer = setInterval(() => this.#lookAtPause(session), PAUSE_MS_MAX);
    return true;
  }

  #lookAtPause(slow: Session): void {
    clock.tick();
    slow.easePressure();
    if (this.#pausedBy !== null && this.#isAwaited(slow)) slow.losePatience();
  }

  resumeReading(): void {
    if (this.#pausedBy === null) return;
    this.#endPause();
    this.#progressMs = clock.nowMs;
    if (this.#source !== null && this.#source.start === this.#source.end) this.#source.read();
  }

  #endPause(): void {
    this.#pausedBy = null;
    clearInterval(this.#pauseTimer);
  }

  // -- failing --------------------------------------------------------------------------------

  /** Whether no deadline of its can pass: it waits for no server. */
  get isQuiet(): boolean {
    return this.inFlight === 0 && this.#state !== "greeting";
  }

  /** Looks after deadlines; called a few times a second unless it is quiet. */
  tick(): void {
    const now = clock.nowMs;
    const { backendTimeoutMs, backendDialMs } = this.server.options;
    if (this.#state === "greeting") {
      // A server that is busy sending elsewhere takes its time, but it is there.
      const isHeard = this.server.heardMs > this.#progressMs;
      const limitMs = isHeard ? Math.max(backendDialMs, backendTimeoutMs) : backendDialMs;
      if (now - this.#progressMs > limitMs) {
        return this.#fail(`no answer to the greeting for ${limitMs} ms`);
      }
    }
    if (
      this.#state === "ready" && this.#pausedBy === null && this.inFlight > 0 &&
      backendTimeoutMs > 0 &&
      this.onDrain === null &&
      now - this.#progressMs > backendTimeoutMs
    ) {
      this.#fail(`no answer for ${backendTimeoutMs} ms`);
    }
  }

  /** Whether others than this session wait for replies, or to be allowed to ask for one. */
  #isAwaited(session: Session): boolean {
    const { gate, newcomerGate } = this.server;
    return gate.isAwaited || newcomerGate.isAwaited || this.#servesOthers(session);
  }

  /** Whether requests of other sessions than this one wait for replies. */
  #servesOthers(session: Session): boolean {
    for (let r = this.#sentHead; r !== null; r = r.nextSent) {
      if (r.session !== session) return true;
    }
    return false;
  }

  /** Whether a request of this slot is in flight here. */
  carriesSlot(slotId: number): boolean {
    for (let r = this.#sentHead; r !== null; r = r.nextSent) {
      if (r.slot?.id === slotId || r.slots?.some((slot) => slot.id === slotId)) return true;
    }
    return false;
  }

  /** The age in milliseconds of the oldest request in flight; 0 when there is none. */
  oldestMs(): number {
    return this.#sentHead === null ? 0 : clock.nowMs - this.#sentHead.startedMs;
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
    if (wasReady) this.#usedMs = clock.nowMs;
    this.#changeState("failing");
    this.#disconnect();
    this.server.lost(this, cause, wasReady);
    // Before the greeting was answered nothing was sent.
    const text = wasReady ? backendFailure : backendDown;
    this.#failSent(text(this.server.address, cause));
    if (this.#state !== "failing") return;
    if (this.isPrivate) return this.close();
    this.#retryTimer = setTimeout(() => this.#retry(), this.#backoff.nextMs());
  }

  #retry(): void {
    if (this.#state !== "failing") return;
    clock.tick();
    if (clock.nowMs - this.#usedMs > REDIAL_UNUSED_MS) {
      this.#backoff.reset();
      return this.#changeState("idle");
    }
    this.#dial();
  }

  #disconnect(): void {
    this.#source?.stop();
    this.#source = null;
    this.#batch.reset();
    this.#batch = new WriteBatch(this, null);
    this.#endPause();
    const connection = this.#connection;
    this.#connection = null;
    if (connection !== null) hangUp(connection);
  }

  #failSent(text: string): void {
    let request = this.#sentHead;
    this.#sentHead = this.#sentTail = null;
    this.inFlight = 0;
    while (request !== null) {
      const next: Request | null = request.nextSent;
      request.nextSent = null;
      failRequest(request, text);
      request = next;
    }
    this.onDrain?.();
  }

  /** Closes for good; what is in flight fails with `text`. */
  close(text = BACKEND_RESET): void {
    if (this.#state === "closed") return;
    this.#changeState("closed");
    clearTimeout(this.#retryTimer);
    this.#disconnect();
    this.#failSent(text);
    this.server.closed(this);
  }
}

const decoder = new TextDecoder();

/** Hands reply bytes to whoever asked. Borrows `bytes` during the call. */
export function deliver(
  request: Request,
  bytes: Uint8Array,
  start: number,
  end: number,
  isLast: boolean,
): void {
  request.replyBytes += end - start;
  if (request.taker !== null) request.taker.partReplied(request, bytes, start, end, isLast);
  else if (request.session !== null) request.session.replied(request, bytes, start, end, isLast);
  else if (isLast) recycleRequest(request); // our own PING
}

/** Tells whoever asked that there will be no reply. */
export function failRequest(request: Request, text: string): void {
  if (request.taker !== null) request.taker.partFailed(request, text);
  else if (request.session !== null) request.session.requestFailed(request, text);
  else recycleRequest(request);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
