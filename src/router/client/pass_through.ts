/**
 * A large request, handed on as it arrives instead of being held whole.
 *
 *      first of all?  ─► slot open? ─► link to its server ─► pass bytes … ─► done
 *             └── not admitted ─► read away ─► error, done
 *
 *      needed whole, and larger than may be held ─► error, at once ─► read away ─► done
 *
 * It has a link of its client's own, so a slow upload holds up nobody, and it starts only when everything
 * that its client asked before is settled, so the order of the client's commands is kept.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import { ALLOWED, checkBeginning, DENIED_KEY } from "../../acl/verdict.ts";
import { clock } from "../../base/clock.ts";
import type { Command } from "../../command/command.ts";
import { findCommand } from "../../command/command_table.ts";
import type { ByteSource } from "../../io/byte_source.ts";
import { arrayHeader, encodeRequest, errorReply } from "../../resp/encoder.ts";
import { RequestFramer } from "../../resp/request_framer.ts";
import type { RequestParser } from "../../resp/request_parser.ts";
import { Link, type LinkUser } from "../backends/link.ts";
import { admit } from "../dispatch/admit.ts";
import { eventOf, logAccess, NO_KEY, noCommand } from "../dispatch/refused_access.ts";
import {
  privateConnectionsSpent,
  requestTooLarge,
  SLOT_NOT_READY,
  slotWaitedOut,
  transactionTooLarge,
} from "../errors.ts";
import type { Request } from "../request.ts";
import { NOTICED_BYTES_MIN } from "../sampling/sampling.ts";
import type { Slot } from "../slots/slot.ts";
import type { Client } from "./client.ts";

/** The bytes of `*2` and its line end. */
const PAIR_HEADER_BYTES = 4;
/** Requests larger than this pass through if they can, in bytes. */
export const PASS_THROUGH_BYTES = 512 * 1024;
/** Requests of so many bytes go to a server one after the other. */
const TURNS_BYTES = 8 * 1024 * 1024;
/** Bytes that wait for the server before the client is not read, in bytes. */
const QUEUED_BYTES_HIGH = 1024 * 1024;

/** One large request; see the drawing above. */
export class PassThrough implements LinkUser {
  /** Bytes of the request handed on or read away so far. */
  passedBytes = 0;

  readonly #client: Client;
  readonly #command: Command | null;
  #slot: Slot | null;
  /** The answer when the request is read away; empty when it was answered already. */
  #error: string;
  #isDiscarding: boolean;
  #link: Link | null = null;
  #waitingSinceMs = 0;
  /** Since when its client has more to send, 0 while it is its server's turn; and how long it had in all. */
  #unsentSinceMs = 0;
  #unsentMs = 0;
  /** Since when it waits for a connection; 0 while it does not. */
  #unlinkedSinceMs = 0;
  #key: Uint8Array = new Uint8Array(0);
  /** Arguments and bytes that it has, as far as it says. */
  #announced = 0;
  #leastBytes = 0;
  #isFetchingKey = false;
  readonly #framer = new RequestFramer();

  private constructor(client: Client, command: Command | null, slot: Slot | null, error: string) {
    this.#client = client;
    this.#command = command;
    this.#slot = slot;
    this.#error = error;
    this.#isDiscarding = error !== "";
  }

  /**
   * Takes over a request that is not here as a whole, if it is large.
   *
   * @returns Null when it must be held: it is not large, its key may still be to come, or its arguments
   * are needed as a whole.
   */
  static begin(client: Client, parser: RequestParser): PassThrough | null {
    const { sessionBufferBytesMax } = client.shared.options;
    const bytes = parser.leastBytes;
    const isLarge = bytes > Math.min(PASS_THROUGH_BYTES, sessionBufferBytesMax);
    // By a function of its own: what is captured there would be allocated here, for every small request.
    return isLarge ? PassThrough.#beginLarge(client, parser, bytes, sessionBufferBytesMax) : null;
  }

  static #beginLarge(
    client: Client,
    parser: RequestParser,
    bytes: number,
    sessionBufferBytesMax: number,
  ): PassThrough | null {
    const hold = (canWait: boolean) => {
      const isTooLarge = (canWait ? parser.pendingBulk : bytes) > sessionBufferBytesMax;
      if (!isTooLarge) return null;
      return PassThrough.#refuse(client, requestTooLarge(bytes, sessionBufferBytesMax));
    };
    if (client.transaction !== null) {
      const total = client.transaction.heldBytes + bytes;
      if (total <= sessionBufferBytesMax) return null;
      const refusal = transactionTooLarge(total, sessionBufferBytesMax);
      client.transaction.abort(refusal);
      return PassThrough.#refuse(client, refusal);
    }
    if (parser.count === 0) return hold(true);
    if (client.extras?.mayPassThrough === false) return hold(true);
    if (client.subscriptions !== null && client.subscriptions.underWay > 0) return hold(true);
    const command = findCommand(parser) ?? client.shared.learned.find(parser);
    // It may be learned when it is dispatched whole.
    if (command === undefined && !client.shared.learned.isSettled) return hold(true);
    const discard = (error: string) => new PassThrough(client, null, null, error);
    // Where the version of the servers is not known, the connection that one hangs up on is nobody else's.
    const refusal = admit(client, command, parser, parser.announced);
    if (refusal !== "" || command === undefined) return discard(refusal);
    const isPairOfMset = command.name === "mset" && parser.announced === 3;
    const key = isPairOfMset ? 1 : command.handling === "forward" ? command.singleKey : 0;
    if (key === 0 || key >= parser.count) return hold(key > 0);
    if (!client.user.isUnrestricted) {
      const verdict = checkBeginning(client.user, command, parser, key);
      if (verdict === null) return hold(false); // an option that is still to come decides
      if (verdict.reason !== ALLOWED) {
        logAccess(client, eventOf(verdict, "toplevel", command, parser)!);
        return discard(verdict.reason === DENIED_KEY ? NO_KEY : noCommand(command));
      }
    }
    const slot = client.shared.slots.slotOf(parser.bytes, parser.start(key), parser.end(key));
    client.lastCommand = command;
    const passThrough = new PassThrough(client, command, slot, "");
    passThrough.#key = parser.bytes.slice(parser.start(key), parser.end(key));
    passThrough.#announced = parser.announced;
    passThrough.#leastBytes = bytes;
    return passThrough;
  }

  /** Answers a request that may not be held, and reads the rest of it away. */
  static #refuse(client: Client, text: string): PassThrough {
    client.answer(errorReply(text));
    const passThrough = new PassThrough(client, null, null, "");
    passThrough.#isDiscarding = true;
    return passThrough;
  }

  /**
   * Hands on what the source holds.
   *
   * @returns `waiting` when the client must not be read now and is resumed later; `more` when more bytes
   * are needed; `done` when the request's last byte is handed on; `malformed` when it breaks the protocol:
   * it is answered, and nothing that follows can be understood.
   */
  pass(source: ByteSource): "waiting" | "more" | "done" | "malformed" {
    if (!this.#isDiscarding && this.#link === null && !this.#open()) return "waiting";
    const link = this.#link;
    if (link !== null && link.isClosed) this.#isDiscarding = true; // answered by its loss
    if (this.#unsentSinceMs > 0) this.#unsentMs += clock.nowMs - this.#unsentSinceMs;
    this.#unsentSinceMs = 0;
    if (!this.#isDiscarding && this.#mustWait(link!)) return "waiting";
    const from = source.start;
    const at = this.#framer.feed(source.bytes, from, source.end);
    if (this.#framer.error !== "") return this.#malformed();
    if (!this.#isDiscarding) link!.append(source.bytes, from, at);
    source.start = at;
    this.passedBytes += at - from;
    if (!this.#framer.isDone) {
      this.#unsentSinceMs = clock.nowMs;
      return "more";
    }
    if (this.#error !== "") this.#client.answer(errorReply(this.#error));
    if (!this.#isDiscarding) link!.complete(this.#unsentMs);
    this.#client.isAtBarrier = true; // what follows goes by another connection
    return "done";
  }

  /** Whether the server must take what was handed on first, or it is another upload's turn. */
  #mustWait(link: Link): boolean {
    if (link.queuedBytes > QUEUED_BYTES_HIGH) return true;
    return this.#leastBytes >= TURNS_BYTES && !link.isClosed && !link.takeUploadTurn();
  }

  /** Starts the request on a link, as soon as all earlier ones are settled and its slot is open. */
  #open(): boolean {
    const client = this.#client;
    if (client.depth > 0 || client.shared.isHeld) return false;
    // Slot rules may have changed since the request began to arrive.
    const slot = this.#slot = client.shared.slots.slotOf(this.#key, 0, this.#key.length);
    const { pause } = client.shared;
    if (pause.holds(this.#command!.isWrite)) {
      pause.wait(client);
      return false;
    }
    if (slot.state === "offline") {
      this.#giveUp(SLOT_NOT_READY);
      return true;
    }
    if (slot.isMigrating) {
      if (this.#isFetchingKey || !this.#fetchKey(slot)) return this.#isDiscarding;
    } else if (!slot.isOpen) {
      if (this.#waitingSinceMs === 0) this.#waitingSinceMs = clock.nowMs;
      slot.whenOpen(() => client.resume());
      return false;
    }
    const { database, protocol } = client;
    const link = Link.open(slot.server!, database, protocol, client, this, client, true);
    if (link === null) {
      if (this.#unlinkedSinceMs === 0) this.#unlinkedSinceMs = clock.nowMs;
      return false;
    }
    const request = client.replies.enqueue(this.#command!);
    this.#rememberBeginning(request);
    if (this.#waitingSinceMs > 0) {
      request.startedMs = this.#waitingSinceMs;
      request.detours.waited = "slot";
      request.detours.openedMs = clock.nowMs;
    }
    client.reads?.missed();
    request.slot = slot;
    this.#link = link;
    if (!link.begin(request, () => client.resume())) this.#isDiscarding = true;
    return true;
  }

  /** What is shown of it: the parser has found no whole request. */
  #rememberBeginning(request: Request): void {
    const { database, shared: { sampling, monitors } } = this.#client;
    const key = this.#key;
    const keys = [sampling.keyOf(this.#command!, key, 0, key.length, database)];
    if (this.#leastBytes >= NOTICED_BYTES_MIN) sampling.noticeKeys(request, { keys, keyWeight: 1 });
    sampling.hasKeys(request, keys);
    const words = encodeRequest([this.#command!.name, this.#key]).subarray(PAIR_HEADER_BYTES);
    const bytes = concat([arrayHeader(this.#announced), words]);
    request.forget();
    request.remember(bytes, 0, bytes.length);
    request.requestBytes = this.#leastBytes;
    if (monitors.isActive) monitors.sawBeginning(this.#client, this.#command!, bytes);
  }

  /** Brings the key of a migrating slot to its new server; false while it is on its way. */
  #fetchKey(slot: Slot): boolean {
    this.#isFetchingKey = true;
    const isThere = slot.fetchKey(this.#client.database, this.#key, (error) => {
      this.#isFetchingKey = false;
      if (error !== "") this.#giveUp(error);
      this.#client.resume();
    });
    if (isThere) this.#isFetchingKey = false;
    return isThere;
  }

  #giveUp(error: string): void {
    this.#error = error;
    this.#isDiscarding = true;
  }

  /** How the request breaks the protocol. */
  get protocolError(): string {
    return `ERR Protocol error: ${this.#framer.error}`;
  }

  /** The request breaks the protocol in its middle: that is its one answer, and the client's last. */
  #malformed(): "malformed" {
    const text = this.protocolError;
    const client = this.#client;
    if (client.depth > 0) this.abandon(text);
    else client.answer(errorReply(text));
    return "malformed";
  }

  pushed(): void {} // nothing that passes through asks for pushes

  lost(): void {} // seen when the next piece is handed on

  clientClosed(): void {} // a request that is there as a whole is left to the server

  /** Gives up waiting for a blocked slot or a connection in time; called about once a second. */
  tick(): void {
    if (this.#link !== null || this.#isDiscarding) return;
    const { options } = this.#client.shared;
    const { slotWaitMs, backendDialMs } = options;
    const server = this.#slot?.server;
    if (
      this.#unlinkedSinceMs > 0 && server?.isPrivateSpent === true &&
      clock.nowMs - this.#unlinkedSinceMs > backendDialMs
    ) {
      server.privateRefusals++;
      server.leavePrivateQueue(this.#client);
      this.#giveUp(privateConnectionsSpent(server.address, options));
      return this.#client.resume();
    }
    if (this.#waitingSinceMs === 0) return;
    if (clock.nowMs - this.#waitingSinceMs <= slotWaitMs) return;
    this.#giveUp(slotWaitedOut(this.#slot!.id, slotWaitMs));
    this.#client.resume();
  }

  /**
   * There will be no whole request: half of one is of no use to the server.
   *
   * @param error What it is answered with; empty: with nothing, as Redis, since its client sends no more.
   */
  abandon(error = ""): void {
    this.#isDiscarding = true;
    this.#slot?.server?.leavePrivateQueue(this.#client);
    this.#link?.breakOffRequest(error);
  }
}
