/**
 * WAIT: how many replicas have what the client wrote, the least of all servers that it wrote to; WAITAOF: how
 * many have it on disk, the servers themselves and their replicas.
 *
 *      WAIT ─► each server: link ─► PING, WAIT ─► the least of the answers
 *
 * A server counts the replicas that have what the connection's command before WAIT had seen, whatever
 * connection wrote it: the PING has seen all writes that are answered. Where slots have moved since the first
 * write, what was written may be at any server, and all are asked. Where a connection was lost that a write
 * took, nobody can tell: to Redis itself, the client would have lost its own.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import type { Command } from "../../command/command.ts";
import { Encoder, encodeRequest, errorReply, PING } from "../../resp/encoder.ts";
import type { Link, LinkUser } from "../backends/link.ts";
import { openLink } from "../backends/link_wait.ts";
import type { Master, Server } from "../backends/server.ts";
import type { Client } from "../client/client.ts";
import { CLIENTS_CLOSED, SLOT_NOT_READY, writesInDoubt } from "../errors.ts";
import type { LocalCall } from "../local/local_call.ts";
import { argumentText } from "../local/local_call.ts";
import type { Request } from "../request.ts";
import { type Blocked, UNBLOCKED, type UnblockReply } from "./blocked.ts";

/** Pause before a server is told again to unblock a link that did not block yet, in milliseconds. */
const UNBLOCK_AGAIN_MS = 10;

/** Answers WAIT and WAITAOF. */
export function wait({ client, command, args }: LocalCall): Uint8Array | null {
  const { shared, replies } = client;
  if (shared.refusal !== "") return errorReply(shared.refusal);
  const isInTransaction = replies.isCapturing;
  if (client.depth > 0 && !isInTransaction) {
    client.isAtBarrier = true; // the writes before it are settled first
    client.credit.isRefused = true;
    return null;
  }
  const lost = replies.trail?.lostServer() ?? "";
  if (lost !== "") {
    replies.trail!.waited();
    return errorReply(writesInDoubt(lost));
  }
  const masters = writtenTo(client);
  if (masters.length === 0) return errorReply(SLOT_NOT_READY);
  replies.trail?.waited();
  const words = Array.from({ length: args.count - 1 }, (_, i) => argumentText(args, i + 1));
  // Nothing blocks in a transaction; what is no number is the server's to refuse.
  const isAtOnce = isInTransaction && words.every((word) => /^\d{1,9}$/.test(word));
  const request = encodeRequest([command.name, ...(isAtOnce ? words.map(() => "0") : words)]);
  new WaitCommand(client, command, masters, request);
  return null;
}

/** The servers that WAIT is about. */
function writtenTo({ replies, shared }: Client): readonly Master[] {
  const { trail } = replies;
  const masters = shared.slots.masters();
  if (trail === null || trail.version !== shared.slots.version) return masters;
  const written = masters.filter(({ server }) => trail.hasServer(server));
  return written.length === 0 ? masters : written;
}

/** One server that is asked. */
interface Asked {
  readonly server: Server;
  link: Link | null;
  /** Ends the wait for a link. */
  stop: () => void;
}

/** One WAIT; see the drawing above. */
class WaitCommand implements Blocked, LinkUser {
  readonly isAtServer = true;
  readonly #client: Client;
  readonly #asked: Asked[];
  #parent: Request | null;
  #left: number;
  /** WAIT has one number, WAITAOF two. */
  readonly #least: number[];
  #unblockers: ((isUnblocked: boolean) => void)[] = [];
  /** Whether the client sends no more: it is gone unless the servers answer at once. */
  #isEnding = false;

  constructor(client: Client, command: Command, masters: readonly Master[], request: Uint8Array) {
    this.#client = client;
    this.#least = Array.from({ length: command.name === "wait" ? 1 : 2 }, () => Infinity);
    this.#parent = client.replies.park(command);
    client.replies.charge(this.#parent, request.length);
    client.isAtBarrier = true;
    client.blocked = this;
    this.#left = masters.length;
    this.#asked = masters.map(({ server }) => ({ server, link: null, stop: () => {} }));
    for (const asked of this.#asked) this.#ask(asked, request);
  }

  #ask(asked: Asked, request: Uint8Array): void {
    const { server } = asked;
    if (!server.unblocking.isKnown) server.unblocking.ask(() => {});
    const { database, protocol } = this.#client;
    asked.stop = openLink(server, database, protocol, this.#client, this, (link, error) => {
      if (link === null) return this.#end(errorReply(error));
      asked.link = link;
      link.mayBlock = true;
      link.learnId(() => this.#isEnding && this.#unblockEnding(asked));
      link.ask(PING, () => {});
      link.ask(request, (text, isReply) => this.#answered(asked, text, isReply));
      if (this.#isEnding) this.#unblockEnding(asked);
    });
  }

  #answered(asked: Asked, text: string, isReply: boolean): void {
    const { link } = asked;
    asked.link = null;
    if (this.#parent === null) return;
    const counts = /^(?:\*2\r\n:(\d+)\r\n)?:(\d+)\r\n$/.exec(text)?.slice(-this.#least.length);
    if (counts === undefined) {
      link?.giveBack(false);
      if (this.#isEnding && text === `-${UNBLOCKED}\r\n`) return this.#client.close();
      return this.#end(errorReply(isReply ? text.replace(/^-|\r\n$/g, "") : text));
    }
    // What unblocks it may still be on its way.
    link?.giveBack(this.#unblockers.length === 0 && !this.#isEnding);
    for (const [i, count] of counts.entries()) {
      this.#least[i] = Math.min(this.#least[i]!, Number(count));
    }
    if (--this.#left === 0) this.#end(this.#replyOf(this.#least));
  }

  #replyOf(counts: readonly number[]): Uint8Array {
    const out = new Encoder(2);
    if (counts.length > 1) out.array(counts.length);
    for (const count of counts) out.integer(count);
    return out.done();
  }

  #end(reply: Uint8Array): void {
    const parent = this.#parent;
    if (parent === null) return;
    this.#parent = null;
    this.#client.blocked = null;
    for (const asked of this.#asked) {
      asked.stop();
      asked.link?.breakOff();
    }
    for (const done of this.#unblockers) done(true);
    parent.readMs = clock.nowMs; // as for what blocks: the time that it has waited does not count
    this.#client.replies.completed(parent, reply);
  }

  unblock(reply: UnblockReply, done: (isUnblocked: boolean) => void): void {
    this.#unblockers.push(done);
    if (reply === "error") return this.#end(errorReply(UNBLOCKED));
    // The servers answer with the replicas so far; one that cannot be told does not know of any.
    for (const { server, link } of this.#asked) {
      const id = link?.id ?? 0;
      if (id === 0 || !server.unblocking.isThere) {
        return this.#end(this.#replyOf(this.#least.map(() => 0)));
      }
      server.unblocking.unblock(id, () => {}, "TIMEOUT");
    }
  }

  clientEnds(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    for (const asked of this.#asked) this.#unblockEnding(asked);
  }

  /** Makes a server end it: its answer tells whether it has waited. One that cannot be told has the client end. */
  #unblockEnding(asked: Asked): void {
    const { server: { unblocking }, link } = asked;
    if (this.#parent === null || link === null || link.id === 0) return; // comes again when that is known
    const tell = () => {
      if (this.#parent === null || asked.link !== link) return;
      if (!unblocking.isThere) return this.#client.close();
      unblocking.unblock(link.id, (isEnded) => {
        if (this.#parent === null || asked.link !== link) return;
        if (isEnded === null) this.#client.close();
        else if (!isEnded) setTimeout(tell, UNBLOCK_AGAIN_MS); // it did not wait yet, or its answer is on its way
      });
    };
    if (unblocking.isKnown) tell();
    else unblocking.ask(tell);
  }

  served(): void {}

  clientDraining(): void {
    this.#end(errorReply(CLIENTS_CLOSED));
  }

  clientClosed(): void {
    this.#end(errorReply(CLIENTS_CLOSED));
  }

  pushed(): void {}

  lost(): void {} // what was asked over it has failed
}
