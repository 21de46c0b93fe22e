/**
 * How much one session asks for at once: by what the replies to its requests are expected to have.
 *
 *      request ─► large reply expected? ─ no ─► trusted? ─ yes ─► asked
 *                        │ yes                     └─ no ─► few under way? ─► newcomers' gate ─► asked
 *                        └─► room in the session? ─► gate of its server open? ─► asked
 *                                  └─ no ──────────────────┴─ no ─► it stays unread, is tried again
 *
 * Nobody knows what the reply to a request has whose like was never seen. So a session begins with few at
 * a time, and may have twice as many under way with each small reply that it gets. After a large one it
 * begins with one, and its next reply is expected to be as large.
 *
 * A request that is refused has not been taken from the session's input: the session looks at it again
 * when its replies have gone, or when the gate calls.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import type { Server } from "../backends/backend_pool.ts";
import { type ReplyGate, UNKNOWN_BYTES } from "../backends/reply_semaphore.ts";
import { LARGE_REPLY_BYTES, requestKind } from "./reply_sizes.ts";
import type { Request } from "../request.ts";
import type { Session } from "./session.ts";
import type { Slot } from "../slots/slot.ts";

/** Bytes that the replies of a session's requests in flight may amount to, with those not sent. */
export const REPLY_BYTES_HIGH = 4 * 1024 * 1024;

/** Requests that a new session may have under way. */
const TRUST_FIRST = 4;
/** Requests that a session may have under way when it has proved that its replies are small. */
const TRUSTED = 64;

/** One session's expectations; see the drawing above. */
export class Asking {
  /** What the replies of the requests in flight are expected to have, in bytes. */
  expectedBytes = 0;
  /** The request that was dispatched last must wait and be dispatched again. */
  isRefused = false;

  readonly #session: Session;
  /** Requests that may be under way, doubled up to {@linkcode TRUSTED}; then there is no bound. */
  #trust = TRUST_FIRST;
  /** The gates in whose lines the session is: all those of one request, joined at the same time. */
  #gates: readonly ReplyGate[] = NO_GATES;
  /** The last reply to a reading command, while that was a large one: its size, and the command. */
  #largeBytes = 0;
  #largeCommand: Command | null = null;

  constructor(session: Session) {
    this.#session = session;
  }

  /**
   * Sends one request to a slot, unless its reply may not be asked for now. Copies `bytes[start, end)`.
   *
   * @param keyHash Hash of its key, or of what stands for it.
   */
  forward(
    command: Command,
    slot: Slot,
    keyHash: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const kind = requestKind(command.id, keyHash, end - start);
    const expected = this.expectedOf(command, kind);
    // Most requests, of which nothing is asked but this.
    const isPlain = expected < LARGE_REPLY_BYTES && this.#isTrustedWith(command);
    const server = !isPlain && slot.isOpen ? slot.server : null;
    if (!isPlain && !this.mayAsk(command, server, expected)) return;
    const request = this.#session.enqueue(command);
    request.kind = kind;
    this.#session.charge(request, end - start);
    if (isPlain) {
      request.expectedBytes = expected;
      this.expectedBytes += expected;
    } else {
      this.expect(request, server, expected);
    }
    slot.send(request, bytes, start, end);
  }

  /** What a reply to such a request is expected to have, in bytes. */
  expectedOf(command: Command, kind: number): number {
    const { replySizes } = this.#session.router;
    const known = replySizes.largeReply(kind);
    if (known > 0) return known;
    return this.#seemsLarge(command) ? this.#largeBytes : replySizes.typical(command.id);
  }

  /** Whether a large reply is expected just because the session's last one was. */
  #seemsLarge(command: Command): boolean {
    return this.#largeBytes > 0 && command === this.#largeCommand;
  }

  /**
   * Whether a reply of so many bytes may be asked for now; else it is refused.
   *
   * @param server Whom it would be sent to; null when that is not known yet.
   */
  mayAsk(command: Command, server: Server | null, bytes: number): boolean {
    if (bytes < LARGE_REPLY_BYTES && this.#isTrustedWith(command)) return true;
    if (server === null && bytes < LARGE_REPLY_BYTES) return true;
    if (!this.#hasRoom(bytes)) return false;
    const gate = this.#gateOf(server, bytes);
    return gate === null || this.#isOpen(gate, bytes) || this.#wait([gate]);
  }

  /**
   * Whether the parts of a reply may be asked for now, one of each server.
   *
   * @param servers A null for each one that is not known yet.
   * @returns What is expected of each, in bytes; -1 when it is refused.
   */
  mayAskEach(command: Command, kind: number, servers: readonly (Server | null)[]): number {
    const bytes = Math.ceil(this.expectedOf(command, kind) / servers.length);
    if (bytes < LARGE_REPLY_BYTES && this.#isTrustedWith(command)) return bytes;
    const gates: ReplyGate[] = [];
    let isKnown = false;
    for (const server of servers) {
      isKnown ||= server !== null;
      const gate = this.#gateOf(server, bytes);
      if (gate !== null) gates.push(gate);
    }
    if ((isKnown || bytes >= LARGE_REPLY_BYTES) && !this.#hasRoom(bytes)) return -1;
    if (gates.every((gate) => this.#isOpen(gate, bytes))) return bytes;
    this.#wait(gates);
    return -1;
  }

  /** Whether the session may have any number of small replies to such commands under way. */
  #isTrustedWith(command: Command): boolean {
    return this.#trust >= TRUSTED || command.isWrite;
  }

  /** Whether the session itself may have a reply of so many bytes more under way; else it is refused. */
  #hasRoom(bytes: number): boolean {
    const session = this.#session;
    if (bytes < LARGE_REPLY_BYTES) {
      if (session.depth < this.#trust) return true;
    } else {
      const { fairShareBytes, isTight } = session.router.budget;
      const own = session.unsentBytes + this.expectedBytes;
      const high = isTight ? fairShareBytes : REPLY_BYTES_HIGH;
      if (own <= fairShareBytes || own + bytes <= high) return true;
    }
    this.isRefused = true;
    this.leaveLine(); // it waits for itself: in a line it would hold up all who are behind it
    return false;
  }

  /** The gate of a server that a reply of so many bytes is asked for through. */
  #gateOf(server: Server | null, bytes: number): ReplyGate | null {
    // Who waits for a slot that changes hands must not keep those of other slots.
    if (server === null) return null;
    if (bytes >= LARGE_REPLY_BYTES) return server.gate;
    return this.#trust > TRUST_FIRST ? null : server.newcomerGate;
  }

  #isOpen(gate: ReplyGate, bytes: number): boolean {
    const counted = bytes >= LARGE_REPLY_BYTES ? bytes : gate.unknownBytes;
    return gate.isOpenFor(this.#session, counted);
  }

  /**
   * Waits in the lines of all gates of a request. As everybody joins all theirs at one time, whoever has
   * waited longest is the first in each: nobody who wants parts of several servers is passed for ever.
   */
  #wait(gates: readonly ReplyGate[]): false {
    this.isRefused = true;
    const { length } = gates;
    if (this.#gates.length === length && gates.every((gate, i) => gate === this.#gates[i])) {
      return false;
    }
    this.leaveLine();
    this.#gates = gates;
    for (const gate of gates) gate.wait(this.#session);
    return false;
  }

  /** A request is sent to a server, and so many bytes are expected of it. */
  expect(request: Request, server: Server | null, bytes: number): void {
    const isLarge = bytes >= LARGE_REPLY_BYTES;
    request.isForeseen = isLarge && !this.#seemsLarge(request.command!);
    const isNew = !isLarge && this.#trust <= TRUST_FIRST && !request.command!.isWrite;
    const expected = isNew ? server?.newcomerGate.unknownBytes ?? UNKNOWN_BYTES : bytes;
    request.expectedBytes = expected;
    this.expectedBytes += expected;
    if (server === null) return;
    if (isLarge) this.#take(request, server.gate, expected);
    else if (isNew) this.#take(request, server.newcomerGate, expected);
  }

  #take(request: Request, gate: ReplyGate, bytes: number): void {
    request.gate = gate;
    gate.take(bytes);
    this.#session.router.budget.expect(bytes);
  }

  /** A part of a reply is here: it has more than was expected. */
  outgrew(request: Request): void {
    const bytes = request.replyBytes + request.missingBytes;
    const more = bytes - request.expectedBytes;
    request.expectedBytes = bytes;
    this.expectedBytes += more;
    if (bytes < LARGE_REPLY_BYTES) return;
    request.gate?.learn(bytes);
    const { budget, replySizes } = this.#session.router;
    if (request.gate === null) {
      this.#take(request, request.backend!.server.gate, bytes);
    } else {
      request.gate.take(more);
      budget.expect(more);
    }
    if (request.kind !== 0) replySizes.remember(request.kind, bytes);
  }

  /** Nothing more is to come for a request. */
  ended(request: Request): void {
    const bytes = request.expectedBytes;
    request.expectedBytes = 0;
    this.expectedBytes -= bytes;
    const { gate } = request;
    if (gate === null) return;
    request.gate = null;
    if (request.replyBytes > 0) gate.learn(request.replyBytes);
    this.#session.router.budget.expect(-bytes);
    gate.giveBack(bytes);
  }

  /** A reply has come as a whole. One that was known to be large says nothing of those to others. */
  learn(command: Command, request: Request): void {
    const bytes = request.replyBytes;
    this.#session.router.replySizes.learn(request.kind, command.id, bytes);
    if (bytes >= LARGE_REPLY_BYTES) {
      if (request.isForeseen) return;
      this.#trust = 1;
      this.#largeBytes = bytes;
      this.#largeCommand = command;
    } else if (!command.isWrite) {
      this.#largeBytes = 0;
      if (this.#trust < TRUSTED) this.#trust *= 2;
    }
  }

  /** The session has asked, waits for something else, or is gone. */
  leaveLine(): void {
    if (this.#gates.length === 0) return;
    const gates = this.#gates;
    this.#gates = NO_GATES;
    for (const gate of gates) gate.leave(this.#session);
  }
}

const NO_GATES: readonly ReplyGate[] = [];
