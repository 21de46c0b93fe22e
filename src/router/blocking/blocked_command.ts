/**
 * A command that blocks: asked over a link of its client's own, and asked again when its slot changes hands, or its
 * server is lost or no master any more (outage_wait.ts).
 *
 *                  ┌──────────────── slot changes hands, time is left ────────────────┐
 *                  ▼                                                                  │
 *      dispatch ─► waiting ── slot in force, keys there, ids known, link ─► asked ── unblocked
 *                    ▲                                                        │└─ reply ─► client
 *                    └────── a server takes requests ◄── outage ◄── lost, demoted
 *
 * What its client sends meanwhile waits; nobody else does. The time is the server's. While the slot drains,
 * the server is told to unblock the link (CLIENT UNBLOCK), and its answer to the command tells whether an
 * element is on its way. A server that cannot be told is asked for a short time, again and again.
 *
 * A client that sends no more is gone if it blocks, as with Redis. Whether a command that only reads is answered at
 * once, so that the client goes on, the answer tells here, too, where it comes soon. One that pops is not asked for
 * any more, or its link is broken off: it would pop for somebody who has probably left, after others have seen that.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import type { Command } from "../../command/command.ts";
import { Encoder, errorReply } from "../../resp/encoder.ts";
import { latin1, latin1Bytes } from "../../resp/latin1.ts";
import type { Link, LinkUser } from "../backends/link.ts";
import { openLink } from "../backends/link_wait.ts";
import type { Client } from "../client/client.ts";
import {
  CLIENTS_CLOSED,
  CROSS_SLOT,
  isServerLost,
  isUnsent,
  SLOT_NOT_READY,
  slotWaitedOut,
  UNKNOWN_LAST_ID,
} from "../errors.ts";
import {
  acquireRequest,
  deliver,
  failRequest,
  recycleRequest,
  type Request,
  type RequestOwner,
} from "../request.ts";
import type { Slot, SlotWatcher } from "../slots/slot.ts";
import type { BlockForm } from "./block_form.ts";
import { FIRST_BYTES, isNothing, isUnblocked, type NoWrites, noWrites } from "./block_reply.ts";
import { BlockTime } from "./block_time.ts";
import { type Blocked, UNBLOCKED, type UnblockReply } from "./blocked.ts";
import { LastIds } from "./last_ids.ts";
import { OutageWait, type OutageWaiter } from "./outage_wait.ts";

/** Pause before a server is told again to unblock a link that did not block yet, in milliseconds. */
const UNBLOCK_AGAIN_MS = 10;
/** The same when it is not known what became of it, in milliseconds. */
const UNKNOWN_AGAIN_MS = 100;

/** One command that blocks; see the drawing above. */
export class BlockedCommand implements Blocked, RequestOwner, LinkUser, SlotWatcher, OutageWaiter {
  readonly isGone = false;
  isAtServer = false;
  readonly #client: Client;
  #slot: Slot;
  readonly #keys: readonly string[];
  readonly #form: BlockForm;
  readonly #time: BlockTime;
  /** The client's request; null when it is answered. */
  #parent: Request | null;
  #state: "waiting" | "asked" | "over" = "waiting";
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Ends the wait for a link; null while there is none. */
  #stopOpening: (() => void) | null = null;
  /** Questions to the server before the command can be asked: it goes on when they are answered. */
  #questions = 0;
  readonly #lastIds: LastIds;
  #isAskedAgain = false;
  /** When it was asked last, in clock milliseconds. */
  #askedMs = NaN;
  /** When a server was known last to keep it: it has ended it in order; clock milliseconds. */
  #keptMs = NaN;
  /** How it outlasts an outage; null for most. */
  #outage: OutageWait | null = null;
  #link: Link | null = null;
  /** Whether the link's server can be told to unblock it. */
  #canUnblock = false;
  /** Whether it was told. */
  #isTold = false;
  /** Whether its answer is to come: until then the link may be unblocked at any moment. */
  #isTelling = false;
  #isSupportAsked = false;
  /** What the client is answered instead of being asked for again; null while it is asked for. */
  #end: Uint8Array | null = null;
  /** Whether its client sends no more: it is gone unless it is answered at once. */
  #isEnding = false;
  /** Those who have unblocked it and wait to know whether it was. */
  #unblockers: ((isUnblocked: boolean) => void)[] = [];
  /** Whether what comes now is the client's reply. */
  #isPassing = false;

  constructor(
    client: Client,
    command: Command,
    slot: Slot,
    keys: readonly string[],
    form: BlockForm,
    bytes: number,
  ) {
    this.#client = client;
    this.#slot = slot;
    this.#keys = keys;
    this.#form = form;
    this.#time = new BlockTime(form);
    this.#lastIds = new LastIds(form);
    const { replies } = client;
    this.#parent = replies.park(command);
    replies.charge(this.#parent, bytes);
    client.isAtBarrier = true;
    client.blocked = this;
    slot.watch(this);
    this.#advance();
  }

  // -- before it is asked ---------------------------------------------------------------------

  /** Takes the next step; what a step waits for comes back here. */
  #advance(): void {
    if (this.#state !== "waiting" || this.#questions > 0) return;
    const { shared } = this.#client;
    if (shared.isHeld) return this.#isHeldUp(); // slots or rules may change: served() comes afterwards
    if (shared.refusal !== "") return this.#fail(shared.refusal);
    if (!this.#place()) return;
    const { state, server } = this.#slot;
    if (state === "offline") return this.#fail(SLOT_NOT_READY);
    if (state !== "open" && state !== "migrating") {
      const { slotWaitMs } = this.#client.shared.options;
      this.#waitAtMost(slotWaitMs, slotWaitedOut(this.#slot.id, slotWaitMs));
      return this.#isHeldUp();
    }
    if (server === this.#outage?.server) return this.#isHeldUp(); // outageOver() comes afterwards
    this.#outage?.leaveServer();
    const { unblocking } = server!;
    if (!unblocking.isKnown && !this.#isSupportAsked) {
      this.#isSupportAsked = true;
      this.#questions++;
      return unblocking.ask((error) => this.#answered(error));
    }
    if (!this.#fetchKeys()) return;
    if (this.#isAskedAgain && !this.#lastIds.areKnown) return this.#fail(UNKNOWN_LAST_ID);
    this.#isSupportAsked = false;
    const { database, protocol } = this.#client;
    this.#stopOpening?.();
    this.#stopOpening = openLink(
      server!,
      database,
      protocol,
      this.#client,
      this,
      (link, error) => link === null ? this.#fail(error) : this.#ask(link),
    );
  }

  /** Slot rules may have changed since it was asked; false when its keys are in several slots now. */
  #place(): boolean {
    const { slots } = this.#client.shared;
    const [slot, ...others] = new Set(this.#keys.map((key) => {
      const bytes = latin1Bytes(key);
      return slots.slotOf(bytes, 0, bytes.length);
    }));
    if (others.length > 0) this.#fail(CROSS_SLOT);
    if (others.length > 0 || slot === undefined || slot === this.#slot) return others.length === 0;
    this.#slot.unwatch(this);
    this.#slot = slot;
    slot.watch(this);
    return true;
  }

  /** A question is answered, or a key has come; `error` says why not. */
  #answered(error: string): void {
    this.#questions--;
    if (this.#state !== "waiting") return;
    if (error === "") this.#advance();
    else if (isServerLost(error) && !this.#isEnding) this.#outlast(error, NaN);
    else this.#fail(error);
  }

  /** It cannot be asked before something has changed. */
  #isHeldUp(): void {
    if (this.#isEnding) this.#client.close();
  }

  /** It is still not asked after so long: then it fails with `text`. */
  #waitAtMost(ms: number, text: string): void {
    this.#timer ??= setTimeout(() => this.#fail(text), ms);
  }

  #stopWaiting(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#stopOpening?.();
  }

  /** Brings the keys of a migrating slot to their new server; false while they are on their way. */
  #fetchKeys(): boolean {
    if (!this.#slot.isMigrating) return true;
    const { database } = this.#client;
    const answered = (error: string) => this.#answered(error);
    for (const key of this.#keys) {
      this.#questions++;
      if (this.#slot.fetchKey(database, latin1Bytes(key), answered)) this.#questions--;
    }
    return this.#questions === 0;
  }

  // -- outages of its server ------------------------------------------------------------------

  /** Asks it (again) once its server, or another one in its slot, takes it; `askedMs` is NaN if it was not sent. */
  #outlast(text: string, askedMs: number, kind: "lost" | NoWrites = "lost"): void {
    const server = this.#slot.server!;
    this.#isSupportAsked = false;
    this.#outage ??= new OutageWait(this);
    const outage = server.outages[kind];
    this.#outage.begin(server, outage, { text, askedMs, keptMs: this.#keptMs }, this.#time.leftMs);
  }

  outageOver(): void {
    this.#advance();
  }

  outageTooLong(text: string): void {
    this.#fail(text);
  }

  timeOver(): void {
    this.#answer(new Encoder(this.#client.protocol).nullArray().done(), false);
  }

  // -- asking ---------------------------------------------------------------------------------

  #ask(link: Link): void {
    this.#stopWaiting();
    this.#outage?.end();
    const { unblocking } = this.#slot.server!;
    this.#link = link;
    this.#canUnblock = unblocking.isThere;
    this.#isTold = false;
    if (this.#isEnding && !this.#canUnblock) return this.#client.close();
    link.mayBlock = true;
    if (this.#canUnblock) link.learnId(() => this.#unblockIfWanted());
    const attempt = acquireRequest(this);
    attempt.client = this.#client.replies;
    attempt.slot = this.#slot;
    attempt.startedMs = this.#parent!.startedMs;
    this.#state = "asked";
    this.#askedMs = clock.nowMs;
    const bytes = this.#time.encode(this.#canUnblock);
    if (this.#lastIds.areKnown) this.isAtServer = true;
    else this.#lastIds.learn(link, () => this.isAtServer = true);
    link.send(attempt, bytes, 0, bytes.length);
    if (this.#isEnding) this.#unblock();
  }

  slotDraining(): void {
    if (this.#state === "asked") this.#unblock();
    else this.#stopWaiting();
  }

  served(): void {
    this.#advance();
  }

  slotSettled(): void {
    if (this.#state === "waiting") this.#advance();
  }

  #unblockIfWanted(): void {
    const isChanging = !this.#slot.isOpen && !this.#slot.isMigrating;
    if (isChanging || this.#isEnding || this.#end !== null) this.#unblock();
  }

  /** Makes the server end it. One that cannot be told ends it soon. */
  #unblock(): void {
    const server = this.#slot.server;
    const id = this.#link?.id ?? 0;
    if (this.#state !== "asked" || server === null || id === 0 || this.#isTelling) return;
    const link = this.#link;
    this.#isTelling = this.#isTold = true;
    server.unblocking.unblock(id, (isEnded) => {
      if (this.#link !== link) return;
      this.#isTelling = false;
      if (isEnded === null && this.#isEnding) return this.#client.close();
      // Its reply may be on its way, or it has not begun to block.
      const pauseMs = isEnded === null ? UNKNOWN_AGAIN_MS : UNBLOCK_AGAIN_MS;
      if (isEnded !== true) this.#timer = setTimeout(() => this.#unblockIfWanted(), pauseMs);
    });
  }

  // -- replies --------------------------------------------------------------------------------

  replied(attempt: Request, bytes: Uint8Array, start: number, end: number, isLast: boolean): void {
    if (this.#isPassing) return this.#pass(attempt, bytes, start, end, isLast);
    attempt.hold(bytes, start, end);
    if (attempt.heldBytes < FIRST_BYTES && !isLast) return;
    const { held, heldStart, heldBytes } = attempt;
    const first = latin1(held!, heldStart, heldStart + Math.min(heldBytes, FIRST_BYTES));
    if (isLast && this.#isEndOfTry(first)) {
      this.#attemptEnded(attempt);
      if (this.#state !== "asked") return;
      this.#waitAgain(true);
      const refusal = noWrites(first);
      if (this.#end !== null) this.#answer(this.#end, true);
      else if (this.#isEnding) this.#client.close();
      else if (refusal !== null) this.#outlast(first.slice(1).trimEnd(), this.#askedMs, refusal);
      else {
        this.#keptMs = clock.nowMs;
        this.#advance();
      }
      return;
    }
    this.#isPassing = true;
    this.#pass(attempt, held!, heldStart, heldStart + heldBytes, isLast);
  }

  /** Whether the reply is none for the client: the server was made to end it, takes no writes, or its slice is over. */
  #isEndOfTry(reply: string): boolean {
    if (isUnblocked(reply)) return this.#isTold;
    if (noWrites(reply) !== null || this.#time.isRefused(reply)) return true;
    return !this.#canUnblock && isNothing(reply) &&
      (this.#end !== null || this.#time.isPartOver);
  }

  #waitAgain(isSent: boolean): void {
    this.#leaveLink();
    this.#state = "waiting";
    this.#isAskedAgain ||= isSent;
  }

  /** Hands the client its reply. */
  #pass(attempt: Request, bytes: Uint8Array, start: number, end: number, isLast: boolean): void {
    const parent = this.#parent;
    if (parent !== null) {
      parent.backend ??= attempt.backend;
      parent.readMs = parent.startedMs = clock.nowMs; // Redis, too, does not count the time that it was blocked
      parent.replyType = attempt.replyType;
      parent.missingBytes = attempt.missingBytes;
      if (isLast) this.#parent = null;
      deliver(parent, bytes, start, end, isLast);
    }
    if (!isLast) return;
    this.#attemptEnded(attempt);
    if (this.#state !== "over") this.#over(false);
  }

  failed(attempt: Request, text: string): void {
    const hasCome = this.#isPassing || attempt.heldBytes > 0;
    this.#attemptEnded(attempt);
    const isLost = !hasCome && this.#state === "asked" && isServerLost(text);
    if (isLost && this.#end !== null) return this.#answer(this.#end, true);
    const isSent = !isUnsent(text);
    const isOther = isSent && !this.#lastIds.areKnown; // `$` may mean another entry
    if (!isLost || isOther || this.#isEnding) return this.#fail(text);
    this.#waitAgain(isSent);
    this.#outlast(text, isSent ? this.#askedMs : NaN);
  }

  #attemptEnded(attempt: Request): void {
    attempt.state = "settled";
    attempt.slot = null;
    recycleRequest(attempt);
    this.#slot.leave();
  }

  // -- its end --------------------------------------------------------------------------------

  #answer(reply: Uint8Array, isUnblocked: boolean): void {
    const parent = this.#parent;
    if (parent === null) return;
    this.#over(isUnblocked);
    parent.readMs = parent.startedMs = clock.nowMs;
    this.#client.replies.completed(parent, reply);
  }

  #fail(text: string): void {
    const parent = this.#parent;
    if (parent === null) return;
    this.#over(false);
    failRequest(parent, text);
  }

  /** Lets go of everything but the attempt that may still be on its way. */
  #over(isUnblocked: boolean): void {
    this.#parent = null;
    this.#state = "over";
    this.#stopWaiting();
    this.#outage?.end();
    this.#slot.unwatch(this);
    this.#client.blocked = null;
    this.#leaveLink();
    for (const done of this.#unblockers) done(isUnblocked);
    this.#unblockers = [];
  }

  /** A link that may be unblocked at any moment is of no use to others. */
  #leaveLink(): void {
    const link = this.#link;
    this.#link = null;
    link?.giveBack(!this.#isTelling);
    this.#isTelling = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  unblock(reply: UnblockReply, done: (isUnblocked: boolean) => void): void {
    this.#unblockers.push(done);
    const { protocol } = this.#client;
    this.#endWith(
      reply === "error" ? errorReply(UNBLOCKED) : new Encoder(protocol).nullArray().done(),
    );
  }

  clientEnds(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    const isReadOnly = this.#parent?.command?.isReadOnly === true;
    if (!isReadOnly || this.#isAskedAgain || (this.#state === "asked" && !this.#canUnblock)) {
      this.#client.close();
    } else if (this.#state === "asked") this.#unblock();
    else this.#advance();
  }

  clientDraining(): void {
    this.#endWith(errorReply(CLIENTS_CLOSED));
  }

  #endWith(reply: Uint8Array): void {
    this.#end ??= reply;
    if (this.#state === "asked") this.#unblock();
    else this.#answer(this.#end, true);
  }

  clientClosed(): void {
    const link = this.#link;
    this.#link = null;
    this.#fail("");
    link?.breakOff();
  }

  pushed(): void {}
  lost(): void {} // what was asked over it has failed
}
