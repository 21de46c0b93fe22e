/**
 * A large request, handed on as it arrives instead of being held whole.
 *
 *      first in line? ─► slot open? ─► private backend ─► pass bytes … ─► done
 *             └── none of its business (unknown, refused) ─► read away ─► error, done
 *
 *      needed whole, and larger than may be held ─► error, at once ─► read away ─► done
 *
 * It has a backend of its own, so a slow upload holds up nobody, and it starts only when everything
 * its session asked before is settled, so the order of the session's commands is kept.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import { arityMatches, type Command } from "../../command/command.ts";
import { findCommand } from "../../command/command_table.ts";
import { slotIdOf } from "../../hash/slot_id.ts";
import type { ByteSource } from "../../io/byte_source.ts";
import { errorReply } from "../../resp/encoder.ts";
import { RequestFramer } from "../../resp/request_framer.ts";
import { ELEMENTS_MAX_BEFORE_7, type RequestParser } from "../../resp/request_parser.ts";
import type { Backend } from "../backends/backend.ts";
import { isBeforeRedis7, refusalOf, unknownText } from "../dispatch/dispatch.ts";
import {
  BACKEND_RESET,
  NO_AUTH,
  requestTooLarge,
  SLOT_NOT_READY,
  slotWaitedOut,
  tooManyArguments,
  wrongArity,
} from "../errors.ts";
import type { Session } from "./session.ts";
import type { Slot } from "../slots/slot.ts";

/** Requests larger than this pass through if they can, in bytes. */
export const PASS_THROUGH_BYTES = 512 * 1024;
/** Bytes that wait for the backend before the client is not read, in bytes. */
const QUEUED_BYTES_HIGH = 1024 * 1024;

/** One large request on its way; see the drawing above. */
export class PassThrough {
  /** Bytes of the request handed on or read away so far. */
  passedBytes = 0;

  readonly #session: Session;
  readonly #command: Command | null;
  readonly #slot: Slot | null;
  /** The answer when the request is read away; empty when it was answered already. */
  #error: string;
  #isDiscarding: boolean;
  #backend: Backend | null = null;
  #waitingSinceMs = 0;
  #key: Uint8Array = new Uint8Array(0);
  #isFetchingKey = false;
  readonly #framer = new RequestFramer();

  private constructor(session: Session, command: Command | null, slot: Slot | null, error: string) {
    this.#session = session;
    this.#command = command;
    this.#slot = slot;
    this.#error = error;
    this.#isDiscarding = error !== "";
  }

  /**
   * Takes over a request that is not here as a whole, if it is large.
   *
   * @returns Null when it is to be held: it is not large, its key may still be to come, or its arguments
   * are needed as a whole.
   */
  static begin(session: Session, parser: RequestParser): PassThrough | null {
    const { sessionBufferBytesMax } = session.router.options;
    const bytes = parser.leastBytes;
    if (bytes <= Math.min(PASS_THROUGH_BYTES, sessionBufferBytesMax)) return null;
    const hold = (canWait: boolean) => {
      const isTooLarge = (canWait ? parser.pendingBulk : bytes) > sessionBufferBytesMax;
      return isTooLarge ? PassThrough.#refuse(session, bytes) : null;
    };
    if (parser.count === 0) return hold(true);
    const command = findCommand(parser);
    const discard = (error: string) => new PassThrough(session, null, null, error);
    if (command === undefined) return discard(unknownText(parser));
    if (!arityMatches(command, parser.announced)) return discard(wrongArity(command.name));
    if (!session.isAuthenticated && !command.isAllowedBeforeAuth) return discard(NO_AUTH);
    const refusal = refusalOf(session.router, command, parser);
    if (refusal !== "") return discard(refusal);
    // Unless it is known, the connection that the server hangs up on is nobody else's.
    if (parser.announced > ELEMENTS_MAX_BEFORE_7 && isBeforeRedis7(session.router)) {
      return discard(tooManyArguments(parser.announced, ELEMENTS_MAX_BEFORE_7));
    }
    const isPairOfMset = command.name === "mset" && parser.announced === 3;
    const key = isPairOfMset ? 1 : command.handling === "forward" ? command.singleKey : 0;
    if (key === 0 || key >= parser.count) return hold(key > 0);
    const slotId = slotIdOf(parser.bytes, parser.start(key), parser.end(key));
    session.lastCommand = command;
    const passThrough = new PassThrough(session, command, session.router.slots[slotId]!, "");
    passThrough.#key = parser.bytes.slice(parser.start(key), parser.end(key));
    return passThrough;
  }

  /** Answers a request that may not be held, and reads the rest of it away. */
  static #refuse(session: Session, bytes: number): PassThrough {
    session.answer(
      errorReply(requestTooLarge(bytes, session.router.options.sessionBufferBytesMax)),
    );
    const passThrough = new PassThrough(session, null, null, "");
    passThrough.#isDiscarding = true;
    return passThrough;
  }

  /**
   * Hands on what the source holds.
   *
   * @returns `waiting` when the session must not read now and is told to go on later; `more` when
   * more bytes are needed; `done` when the request's last byte is handed on.
   */
  pass(source: ByteSource): "waiting" | "more" | "done" {
    if (!this.#isDiscarding && this.#backend === null && !this.#open()) return "waiting";
    const backend = this.#backend;
    if (backend !== null && backend.state === "closed") this.#isDiscarding = true; // answered by its loss
    if (!this.#isDiscarding && backend!.queuedBytes > QUEUED_BYTES_HIGH) return "waiting";
    const from = source.start;
    const at = this.#framer.feed(source.bytes, from, source.end);
    if (this.#framer.error !== "") return this.#malformed();
    if (!this.#isDiscarding) backend!.append(source.bytes, from, at);
    source.start = at;
    this.passedBytes += at - from;
    if (!this.#framer.isDone) return "more";
    if (this.#error !== "") this.#session.answer(errorReply(this.#error));
    if (!this.#isDiscarding) backend!.onDrain = null;
    this.#session.isFenced = true; // what follows goes by another connection
    return "done";
  }

  /** Starts the request on a private backend, as soon as it is first in line and its slot open. */
  #open(): boolean {
    const session = this.#session;
    const slot = this.#slot!;
    if (session.depth > 0) return false;
    if (slot.state === "offline") {
      this.#giveUp(SLOT_NOT_READY);
      return true;
    }
    if (slot.isMigrating) {
      if (this.#isFetchingKey || !this.#fetchKey(slot)) return this.#isDiscarding;
    } else if (!slot.isOpen) {
      if (this.#waitingSinceMs === 0) this.#waitingSinceMs = clock.nowMs;
      slot.whenOpen(() => session.resume());
      return false;
    }
    const backend = slot.server!.borrowPrivate(session.database, session.protocol, session);
    if (backend === null) return false;
    const request = session.enqueue(this.#command!);
    request.slot = slot;
    slot.enter();
    request.privateBackend = backend;
    backend.onDrain = () => session.resume();
    this.#backend = backend;
    if (!backend.begin(request)) this.#isDiscarding = true;
    return true;
  }

  /** Has the key of a migrating slot brought to its new server; false while it is on its way. */
  #fetchKey(slot: Slot): boolean {
    this.#isFetchingKey = true;
    const isThere = slot.fetchKey(this.#session.database, this.#key, (error) => {
      this.#isFetchingKey = false;
      if (error !== "") this.#giveUp(error);
      this.#session.resume();
    });
    if (isThere) this.#isFetchingKey = false;
    return isThere;
  }

  #giveUp(error: string): void {
    this.#error = error;
    this.#isDiscarding = true;
  }

  /** The request breaks the protocol in its middle: that is its one answer, and the session's last. */
  #malformed(): "done" {
    const text = `ERR Protocol error: ${this.#framer.error}`;
    const session = this.#session;
    if (session.depth > 0) this.abandon(text);
    else session.answer(errorReply(text));
    session.endAfterProtocolError();
    return "done";
  }

  /** Gives up waiting for a blocked slot in time; called about once a second. */
  tick(): void {
    const { slotWaitMs } = this.#session.router.options;
    if (this.#waitingSinceMs === 0 || this.#backend !== null || this.#isDiscarding) return;
    if (clock.nowMs - this.#waitingSinceMs <= slotWaitMs) return;
    this.#giveUp(slotWaitedOut(this.#slot!.id, slotWaitMs));
    this.#session.resume();
  }

  /** There will be no whole request: half of one is of no use to the server. */
  abandon(text = BACKEND_RESET): void {
    this.#isDiscarding = true;
    this.#slot?.server?.leavePrivateLine(this.#session);
    this.#backend?.close(text);
  }
}
