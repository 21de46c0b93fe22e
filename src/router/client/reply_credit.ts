/**
 * How much one client may ask for at once: by how large the replies to its requests are expected to be.
 *
 *      request ─► large reply expected? ─ no ─► trusted? ─ yes ─► sent
 *                        │ yes                     └─ no ─► few in flight? ─► newcomers' semaphore ─► sent
 *                        └─► client holds little? ─► its server's semaphore free? ─► sent
 *                                  └─ no ──────────────────┴─ no ─► it stays unread, is tried again
 *
 * Nobody knows how large the reply to a request is whose like was never seen. So a client begins with few
 * at a time, and may have twice as many in flight with each small reply that it gets. After a large one it
 * begins with one, and its next reply is expected to be as large.
 *
 * A request that is refused has not been taken from the client's input: it is dispatched again when the
 * client's replies have gone, or when the semaphore resumes the client.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { type ReplySemaphore, UNKNOWN_BYTES } from "../backends/reply_semaphore.ts";
import type { Server } from "../backends/server.ts";
import type { Request } from "../request.ts";
import type { BudgetWaiter, ByteBudget } from "./byte_budget.ts";
import { LARGE_REPLY_BYTES, type ReplySizes } from "./reply_sizes.ts";

/** Bytes that the replies of a client's requests in flight may amount to, with those not sent. */
export const REPLY_BYTES_HIGH = 4 * 1024 * 1024;

/** Requests that a new client may have in flight. */
const TRUST_FIRST = 4;
/** Requests that a client may have in flight when it has proved that its replies are small. */
const TRUSTED = 64;

/** A client as its credit knows it. */
export interface Creditor extends BudgetWaiter {
  readonly shared: { readonly budget: ByteBudget; readonly replySizes: ReplySizes };
  /** Requests in flight. */
  readonly depth: number;
  /** Bytes of replies not sent yet. */
  readonly unsentBytes: number;
}

/** What a server's replies are counted by. */
export type CountedServer = Pick<Server, "largeReplies" | "newcomerReplies">;

/** One client's credit; see the drawing above. */
export class ReplyCredit {
  /** What the replies of the requests in flight are expected to have, in bytes. */
  expectedBytes = 0;
  /** The request that was dispatched last must wait and be dispatched again. */
  isRefused = false;

  readonly #client: Creditor;
  /** Requests that may be in flight, doubled up to {@linkcode TRUSTED}; then there is no bound. */
  #trust = TRUST_FIRST;
  /** The semaphores that the client waits for: all those of one request, joined at the same time. */
  #awaited: readonly ReplySemaphore[] = NOTHING;
  /** The last reply to a reading command, while that was a large one: its size, and the command. */
  #largeBytes = 0;
  #largeCommand: Command | null = null;

  constructor(client: Creditor) {
    this.#client = client;
  }

  /** What a reply to such a request is expected to have, in bytes. */
  expectedOf(command: Command, kind: number): number {
    const { replySizes } = this.#client.shared;
    const known = replySizes.largeReply(kind);
    if (known > 0) return known;
    return this.#seemsLarge(command) ? this.#largeBytes : replySizes.typical(command.id);
  }

  /** Whether a large reply is expected just because the client's last one was. */
  #seemsLarge(command: Command): boolean {
    return this.#largeBytes > 0 && command === this.#largeCommand;
  }

  /** Whether such a reply is not counted by any semaphore, as most are not. */
  isUncounted(command: Command, bytes: number): boolean {
    return bytes < LARGE_REPLY_BYTES && this.#isTrustedWith(command);
  }

  /**
   * Whether a reply of so many bytes may be asked for now; else it is refused.
   *
   * @param server Whom it would be sent to; null when that is not known yet.
   */
  mayAsk(command: Command, server: CountedServer | null, bytes: number): boolean {
    if (this.isUncounted(command, bytes)) return true;
    if (server === null && bytes < LARGE_REPLY_BYTES) return true;
    if (!this.#holdsLittle(bytes)) return false;
    const semaphore = this.#semaphoreOf(server, bytes);
    return semaphore === null || this.#isFree(semaphore, bytes) || this.#wait([semaphore]);
  }

  /**
   * Whether the parts of a reply may be asked for now, one of each server.
   *
   * @param servers A null for each one that is not known yet.
   * @returns What is expected of each, in bytes; -1 when it is refused.
   */
  mayAskEach(command: Command, kind: number, servers: readonly (CountedServer | null)[]): number {
    const bytes = Math.ceil(this.expectedOf(command, kind) / servers.length);
    if (this.isUncounted(command, bytes)) return bytes;
    const semaphores: ReplySemaphore[] = [];
    let isKnown = false;
    for (const server of servers) {
      isKnown ||= server !== null;
      const semaphore = this.#semaphoreOf(server, bytes);
      if (semaphore !== null) semaphores.push(semaphore);
    }
    if ((isKnown || bytes >= LARGE_REPLY_BYTES) && !this.#holdsLittle(bytes)) return -1;
    if (semaphores.every((semaphore) => this.#isFree(semaphore, bytes))) return bytes;
    this.#wait(semaphores);
    return -1;
  }

  /** Whether the client may have any number of small replies to such commands in flight. */
  #isTrustedWith(command: Command): boolean {
    return this.#trust >= TRUSTED || command.isWrite;
  }

  /** Whether the client holds so little that it may ask for so many bytes more; else it is refused. */
  #holdsLittle(bytes: number): boolean {
    const client = this.#client;
    if (bytes < LARGE_REPLY_BYTES) {
      if (client.depth < this.#trust) return true;
    } else {
      const { fairShareBytes, isTight } = client.shared.budget;
      const own = client.unsentBytes + this.expectedBytes;
      const high = isTight ? fairShareBytes : REPLY_BYTES_HIGH;
      if (own <= fairShareBytes || own + bytes <= high) return true;
    }
    this.waitForReplies(); // it waits for itself: in a queue it would hold up all that are behind it
    return false;
  }

  /** The request that is being dispatched waits for replies to earlier ones, and is dispatched again. */
  waitForReplies(): void {
    this.isRefused = true;
    this.leaveQueues();
  }

  /** What counts a reply of so many bytes at a server. */
  #semaphoreOf(server: CountedServer | null, bytes: number): ReplySemaphore | null {
    // A client that waits for a slot that changes hands must not keep those of other slots waiting.
    if (server === null) return null;
    if (bytes >= LARGE_REPLY_BYTES) return server.largeReplies;
    return this.#trust > TRUST_FIRST ? null : server.newcomerReplies;
  }

  #isFree(semaphore: ReplySemaphore, bytes: number): boolean {
    const counted = bytes >= LARGE_REPLY_BYTES ? bytes : semaphore.unknownBytes;
    return semaphore.mayAcquire(this.#client, counted);
  }

  /**
   * Waits in the queues of all semaphores of a request. As every client joins all of its queues at one
   * time, the one that has waited longest is the first in each: no client that wants parts of several
   * servers is passed for ever.
   */
  #wait(semaphores: readonly ReplySemaphore[]): false {
    this.isRefused = true;
    const { length } = semaphores;
    if (
      this.#awaited.length === length && semaphores.every((each, i) => each === this.#awaited[i])
    ) {
      return false;
    }
    this.leaveQueues();
    this.#awaited = semaphores;
    for (const semaphore of semaphores) semaphore.wait(this.#client);
    return false;
  }

  /** A request is sent to a server, and so many bytes are expected of it. */
  expect(request: Request, server: CountedServer | null, bytes: number): void {
    const isLarge = bytes >= LARGE_REPLY_BYTES;
    request.isForeseen = isLarge && !this.#seemsLarge(request.command!);
    const isNew = !isLarge && this.#trust <= TRUST_FIRST && !request.command!.isWrite;
    const expected = isNew ? server?.newcomerReplies.unknownBytes ?? UNKNOWN_BYTES : bytes;
    request.expectedBytes = expected;
    this.expectedBytes += expected;
    if (server === null) return;
    if (isLarge) this.#acquire(request, server.largeReplies, expected);
    else if (isNew) this.#acquire(request, server.newcomerReplies, expected);
  }

  /** As {@linkcode expect}, for a reply that {@linkcode isUncounted}. */
  expectUncounted(request: Request, bytes: number): void {
    request.expectedBytes = bytes;
    this.expectedBytes += bytes;
  }

  #acquire(request: Request, semaphore: ReplySemaphore, bytes: number): void {
    request.semaphore = semaphore;
    semaphore.acquire(bytes);
    this.#client.shared.budget.expect(bytes);
  }

  /** A part of a reply is here: it has more than was expected. */
  outgrew(request: Request): void {
    const bytes = request.replyBytes + request.missingBytes;
    const more = bytes - request.expectedBytes;
    request.expectedBytes = bytes;
    this.expectedBytes += more;
    if (bytes < LARGE_REPLY_BYTES) return;
    request.semaphore?.learn(bytes);
    const { budget, replySizes } = this.#client.shared;
    if (request.semaphore === null) {
      this.#acquire(request, request.backend!.largeReplies, bytes);
    } else {
      request.semaphore.acquire(more);
      budget.expect(more);
    }
    if (request.kind !== 0) replySizes.remember(request.kind, bytes);
  }

  /** Nothing more is to come for a request. */
  ended(request: Request): void {
    const bytes = request.expectedBytes;
    request.expectedBytes = 0;
    this.expectedBytes -= bytes;
    const { semaphore } = request;
    if (semaphore === null) return;
    request.semaphore = null;
    if (request.replyBytes > 0) semaphore.learn(request.replyBytes);
    this.#client.shared.budget.expect(-bytes);
    semaphore.release(bytes);
  }

  /** A reply has come as a whole. One that was known to be large says nothing of those to others. */
  learn(command: Command, request: Request): void {
    const bytes = request.replyBytes;
    this.#client.shared.replySizes.learn(request.kind, command.id, bytes);
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

  /** The client has asked, waits for something else, or is gone. */
  leaveQueues(): void {
    if (this.#awaited.length === 0) return;
    const awaited = this.#awaited;
    this.#awaited = NOTHING;
    for (const semaphore of awaited) semaphore.leave(this.#client);
  }
}

const NOTHING: readonly ReplySemaphore[] = [];
