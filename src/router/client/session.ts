/**
 * One connected Redis client: its bytes in, its requests in order, its replies out.
 *
 *      socket ──► input ──► dispatch ──► slot / backend
 *                   ▲ paused?               │
 *      socket ◄── replies ◄─────────────────┘
 *
 *      open ── end of input, QUIT, protocol error ─► draining ── all replies sent ─► closed
 *        ├──── the proxy leaves: between two requests ──────▲                          ▲
 *        └───────────────── socket lost, deadline, overflow ───────────────────────────┘
 *
 * @module
 */

import type { User } from "../../acl/user.ts";
import { bytesOfText } from "../../acl/users.ts";
import { clock } from "../../base/clock.ts";
import type { Histogram } from "../../base/histogram.ts";
import { changeState, type StateMoves } from "../../base/state.ts";
import type { Command } from "../../command/command.ts";
import { hangUp } from "../../io/dial.ts";
import { type AcceptedConnection, printAddress } from "../../io/listen.ts";
import { atTurnEnd, type TurnWork } from "../../io/turn.ts";
import type { Protocol } from "../../resp/encoder.ts";
import { latin1Bytes } from "../../resp/latin1.ts";
import type { RequestParser } from "../../resp/request_parser.ts";
import { type Link, NO_LINKS } from "../backends/link.ts";
import type { Blocked } from "../blocking/blocked.ts";
import type { ClientSubscriptions } from "../pubsub/client_subscriptions.ts";
import type { Ways } from "../request.ts";
import { describeClient } from "../local/client_filter.ts";
import type { Allowance } from "../limits/user_limit.ts";
import type { ReadFrom } from "../options.ts";
import type { RouterShared } from "../shared.ts";
import type { Client } from "./client.ts";
import { ANONYMOUS, type ClientInfo, type ClientState } from "./client_info.ts";
import { overdueReason } from "./deadlines.ts";
import type { Extras } from "./extras.ts";
import { Input } from "./input.ts";
import { ReplicaReads } from "./replica_reads.ts";
import { Replies } from "./replies.ts";
import type { ReplyHost } from "./reply_host.ts";
import { ReplyCredit } from "./reply_credit.ts";
import { Streak } from "./streak.ts";
import type { Transaction } from "./transaction.ts";
import { NO_WATCHES, type WatchedSlot } from "./watched_slot.ts";

/** How long a closed-down session's input is read away so that its last reply is not lost. */
const LINGER_MS = 1000;
/** Tells a client to connect again within 2 s, to the address that it knows; libraries do that after half of it. */
const MOVING = latin1Bytes(">4\r\n$6\r\nMOVING\r\n:1\r\n:2\r\n_\r\n");
/** How long a client may stay that was told, in milliseconds: until its new connection is there. */
const MOVE_MS = 4_000;

const MOVES: StateMoves<ClientState> = {
  open: ["draining", "closed"],
  draining: ["closed"],
  closed: [],
};

/** A connected client; see the drawing above. */
export class Session implements Client, ReplyHost, TurnWork {
  readonly id: number;
  readonly shared: RouterShared;
  readonly createdMs: number;
  /** The common name of the client's certificate, which was verified; `""` without one. */
  readonly certificateName: string;
  readonly isTls: boolean;
  readonly credit: ReplyCredit;
  readonly replies: Replies;
  readonly streak: Streak = new Streak(this);

  protocol: Protocol = 2;
  database = 0;
  info: ClientInfo = ANONYMOUS;
  lastCommand: Command | null = null;
  isAtBarrier = false;
  transaction: Transaction | null = null;
  watches: readonly WatchedSlot[] = NO_WATCHES;
  blocked: Blocked | null = null;
  isRedirectTarget = false;
  links: readonly Link[] = NO_LINKS;
  subscriptions: ClientSubscriptions | null = null;
  isQueuedForTurnEnd = false;
  extras: Extras | null = null;
  isMuted = false;
  ways: Ways | null = null;
  allowance: Allowance | null = null;
  reads: ReplicaReads | null = null;

  #state: ClientState = "open";
  readonly #connection: AcceptedConnection;
  readonly #input: Input;
  readonly #onClosed: (session: Session) => void;
  #user: User;
  userTimes: Histogram;
  /** Whether it has logged in, or has come when that was not needed. */
  #hasLoggedIn: boolean;
  #isAuthenticated = false;
  /** Whether it is logged in as a user that may do everything. */
  #isTrusted = false;
  /** Whether it has said itself where it reads from. */
  #hasChosenReads = false;
  #drainingMs = 0;
  #isOverflowed = false;
  #isWriteClosed = false;
  /** Whether it ends as soon as it is between two requests. */
  #isLeaving = false;
  /** Until when it has time to go by itself, in clock milliseconds. */
  #staysUntilMs = 0;

  /** @param onClosed Called once, when it is closed. */
  constructor(
    id: number,
    connection: AcceptedConnection,
    shared: RouterShared,
    onClosed: (session: Session) => void,
  ) {
    this.id = id;
    this.shared = shared;
    this.#connection = connection;
    this.#onClosed = onClosed;
    this.createdMs = clock.nowMs;
    this.isTls = connection.isTls === true;
    this.certificateName = connection.certificateName ?? "";
    this.credit = new ReplyCredit(this);
    this.replies = new Replies(this, connection);
    this.#input = new Input(this, connection);
    const named = this.#namedUser();
    this.#user = named ?? shared.users.default;
    this.#hasLoggedIn = named !== undefined || this.#user.needsNoLogin;
    this.userTimes = shared.userTimes.of(this.#user.name);
    this.userChanged();
  }

  /** The user that its certificate names, where a certificate logs in. */
  #namedUser(): User | undefined {
    const { users, options } = this.shared;
    if (options.tlsAuthUser !== "cn" || this.certificateName === "") return undefined;
    const named = users.get(bytesOfText(this.certificateName));
    return named?.isOn === true ? named : undefined;
  }

  get state(): ClientState {
    return this.#state;
  }

  /** Whose rights it has. */
  get user(): User {
    return this.#user;
  }

  /** Whether it may do what needs AUTH. */
  get isAuthenticated(): boolean {
    return this.#isAuthenticated;
  }

  get isPlain(): boolean {
    return this.extras === null && this.transaction === null && this.subscriptions === null &&
      this.#isTrusted;
  }

  describe(): string {
    return describeClient(this);
  }

  logIn(user: User): boolean {
    if (!this.#takeAllowance(user, true)) return false;
    this.#user = user;
    this.#hasLoggedIn = true;
    this.userChanged();
    return true;
  }

  logOut(): void {
    const named = this.#namedUser();
    this.#user = named ?? this.shared.users.default;
    this.#hasLoggedIn = named !== undefined || this.#user.needsNoLogin;
    this.userChanged();
  }

  /** Its user has other rules now. */
  userChanged(): void {
    this.#isAuthenticated = this.#hasLoggedIn || this.shared.users.default.needsNoLogin;
    this.#isTrusted = this.#isAuthenticated && this.#user.isUnrestricted;
    this.userTimes = this.shared.userTimes.of(this.#user.name);
    this.#input.parser.isAuthenticated = this.#isAuthenticated;
    this.#takeAllowance(this.#isAuthenticated ? this.#user : null, false);
    if (!this.#hasChosenReads) this.#readFrom(this.usualReadFrom);
  }

  /** @param isChecked Whether it may be one client too many: then nothing changes. */
  #takeAllowance(user: User | null, isChecked: boolean): boolean {
    const limit = user === null ? null : this.shared.userLimits.of(user.name);
    if (limit === (this.allowance?.limit ?? null)) return true;
    const next = limit?.admit(this, this.#input.consumedBytes, isChecked) ?? null;
    if (limit !== null && next === null) return false;
    this.allowance?.leave();
    this.allowance = next;
    return true;
  }

  get remote(): string {
    return printAddress(this.#connection.remoteAddr);
  }

  get local(): string {
    return printAddress(this.#connection.localAddr);
  }

  get parser(): RequestParser {
    return this.#input.parser;
  }

  get lastReadMs(): number {
    return this.#input.lastReadMs;
  }

  get depth(): number {
    return this.replies.depth;
  }

  get inputBytes(): number {
    return this.#input.totalBytes;
  }

  get unreadBytes(): number {
    return this.#input.unreadBytes;
  }

  get unsentBytes(): number {
    return this.replies.queuedBytes + this.replies.heldBytes;
  }

  /** Begins to read; the router calls it once. */
  start(): void {
    this.#input.read();
  }

  get usualReadFrom(): ReadFrom {
    const { userReads, options } = this.shared;
    const own = this.#isAuthenticated ? userReads.get(this.#user.name) : undefined;
    return own ?? options.readFrom;
  }

  setReadFrom(policy: ReadFrom | null): void {
    this.#hasChosenReads = policy !== null;
    this.#readFrom(policy ?? this.usualReadFrom);
  }

  #readFrom(policy: ReadFrom): void {
    if (policy === (this.reads?.policy ?? "master") || this.#state === "closed") return;
    const isUsual = this.ways === this.reads; // else it is tracking that has its ways
    this.reads?.end();
    this.reads = policy === "master" ? null : new ReplicaReads(this, policy);
    // What it has written so far, or is just writing.
    if (this.replies.trail !== null || this.replies.depth > 0) this.reads?.missed();
    if (isUsual) this.ways = this.reads;
    this.isAtBarrier = true;
  }

  answer(reply: Uint8Array): void {
    this.replies.answer(reply);
  }

  push(bytes: Uint8Array): void {
    if (this.#state !== "open") return; // the last reply is QUIT's, also of a monitor that would see its own QUIT
    this.replies.pushInOrder(bytes);
  }

  // -- what the session waits for ---------------------------------------------------------------

  /** What the session waited for may be over: it checks that at the end of the turn. */
  resume(): void {
    if (this.#input.isPaused) atTurnEnd(this);
  }

  repliesLeft(): void {
    this.allowance?.paySent();
    // Between the last reply and the end a client would ask for more.
    if (this.#state === "draining" && this.#input.isLingering) return this.#finishIfDrained();
    if (this.#input.isPaused || this.#state !== "open" || this.#leavesUnheard) atTurnEnd(this);
  }

  /** The session holds more than it may: it is closed at the end of the turn. */
  repliesOverflowed(): void {
    this.#isOverflowed = true;
    atTurnEnd(this);
  }

  /** Goes on, or ends; runs once at the end of a turn. */
  runAtTurnEnd(): void {
    if (this.#isOverflowed && this.#state !== "closed") {
      this.shared.totals.overflowedSessions++;
      this.shared.events.sessionOverflowed(this);
      return this.close();
    }
    if (this.#input.isPaused) this.#input.pump();
    if (this.#leavesUnheard) this.goIfIdle(0);
    if (this.#state === "draining") this.#finishIfDrained();
  }

  // -- ending ---------------------------------------------------------------------------------

  /**
   * Ends behind the next reply after which nothing is owed to the client, or by {@linkcode Session.goIfIdle}; if
   * the client wants to be told, it gets time to go first. Who is subscribed, tracks or blocks is not told:
   * libraries forget that on their way to a new connection.
   */
  leave(): void {
    this.#isLeaving = true;
    if (!this.info.hearsOfMoves) return;
    const isBound = this.extras !== null || this.transaction !== null || this.watches.length > 0 ||
      this.blocked !== null || this.subscriptions?.isSubscribed === true;
    if (isBound) return;
    this.sendOn(MOVING);
  }

  /** Tells the client by a push to go, and gives it time for that; one that takes no pushes by now goes untold. */
  sendOn(push: Uint8Array): void {
    if (this.protocol !== 3) return;
    this.replies.push(push);
    this.#staysUntilMs = clock.nowMs + MOVE_MS;
  }

  /**
   * Ends if it leaves, is between two requests, and has received nothing for `idleMs` milliseconds. What the
   * client may be sending just now is read away: it was not executed.
   */
  goIfIdle(idleMs: number): void {
    if (clock.nowMs - this.lastReadMs < idleMs || !this.#mayGo) return;
    this.#input.isLingering = true;
    this.drain();
  }

  endsHere(): boolean {
    if (!this.#mayGo) return false;
    this.#connection.holdToEnd?.();
    this.#input.isLingering = true;
    this.drain();
    return true;
  }

  /** Whether it leaves, nothing is owed to the client, and it has nothing that would be lost with its connection. */
  get #mayGo(): boolean {
    return this.#isLeaving && this.#state === "open" && clock.nowMs >= this.#staysUntilMs &&
      this.replies.depth === 0 && this.#input.isEmpty && this.transaction === null &&
      this.watches.length === 0 && this.blocked === null;
  }

  /** Whether it leaves, and there is no reply behind which it could. */
  get #leavesUnheard(): boolean {
    return this.#isLeaving && this.isMuted;
  }

  /** Accepts no more requests; closes when all replies are sent. */
  drain(): void {
    if (this.#state !== "open") return;
    this.#state = changeState(MOVES, this.#state, "draining", `session ${this.id}`);
    this.#drainingMs = clock.nowMs;
    this.credit.leaveQueues();
    this.blocked?.clientDraining();
    atTurnEnd(this);
  }

  #finishIfDrained(): void {
    if (this.replies.isBusy) return;
    if (!this.#input.isLingering || this.#input.isEnded) return this.close();
    if (this.#isWriteClosed) return;
    this.#isWriteClosed = true;
    // Closing with unread input would make the system discard the last reply.
    this.#connection.closeWrite().catch(() => this.close());
    this.#input.read();
  }

  /** Checks the session's deadlines; called about once a second. */
  tick(): void {
    const now = clock.nowMs;
    this.#input.tick();
    this.subscriptions?.tick();
    if (this.#isWriteClosed && now - this.#drainingMs > LINGER_MS) return this.close();
    const reason = overdueReason(this.shared.options, {
      nowMs: now,
      createdMs: this.createdMs,
      lastReadMs: this.#input.lastReadMs,
      lastWroteMs: this.replies.lastWroteMs,
      partialSinceMs: this.#input.partialSinceMs,
      partialBytes: this.#input.partialBytes,
      hasUnsent: this.replies.queuedBytes > 0,
      hasRequests: this.replies.depth > 0,
      isAuthenticated: this.#isAuthenticated,
      isSubscribed: this.subscriptions?.isSubscribed === true || this.extras?.isMonitor === true,
    });
    if (reason === "") return;
    this.shared.totals.timedOutSessions++;
    this.shared.events.sessionTimedOut(this, reason);
    this.close();
  }

  /** Closes now; requests in flight are settled later, unheard. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = changeState(MOVES, this.#state, "closed", `session ${this.id}`);
    this.credit.leaveQueues();
    this.shared.budget.leave(this);
    this.shared.totals.inputBytes += this.inputBytes;
    this.#input.close();
    this.replies.close();
    this.#input.abandon();
    this.transaction?.end();
    for (const watch of this.watches) watch.clientClosed();
    this.extras?.reset();
    this.reads?.end();
    this.shared.pause.leave(this);
    this.allowance?.leave();
    this.allowance = null;
    this.blocked?.clientClosed();
    this.subscriptions?.close();
    for (const link of this.links) link.clientClosed();
    hangUp(this.#connection);
    this.#onClosed(this);
  }
}
