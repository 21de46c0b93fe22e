/**
 * The reply to EXEC: the server's array, passed on unread where nothing of the proxy's own stands in it.
 *
 *      server ─► +OK +QUEUED … (led) ─► array ─┬─ nothing of ours ─► client
 *                  └─ errors, kept ──────┐     └─ held ─► our commands are executed ─┬─► merged ─► client
 *                                        └── each in its command's place, if others are executed
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import { clock } from "../../base/clock.ts";
import { elementsOf } from "../../resp/elements.ts";
import { arrayHeader, errorReply } from "../../resp/encoder.ts";
import { RequestParser } from "../../resp/request_parser.ts";
import type { Command } from "../../command/command.ts";
import type { Client } from "../client/client.ts";
import type { EverywhereCommand, LaterCommand, Transaction } from "../client/transaction.ts";
import { answerLocally } from "../local/answer.ts";
import { SUBSCRIPTION_KINDS } from "../pubsub/kinds.ts";
import type { Request, RequestOwner } from "../request.ts";
import { errorText, ExecLeads } from "./exec_leads.ts";
import { executeElsewhere } from "./fan_out.ts";

const MINUS = 45;

/** Owns an EXEC that is on its way, in its client's FIFO; see the drawing above. */
export class ExecReply implements RequestOwner {
  /** Replies that come before the array. */
  readonly leads: ExecLeads;
  readonly #client: Client;
  readonly #transaction: Transaction;
  readonly #settled: ((isFailure: boolean) => void) | null;
  /** What is held: an error, or an array that is not passed on as it is. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;

  /** @param settled Called when nothing more is to come of the server; whether EXEC has got no reply. */
  constructor(
    client: Client,
    transaction: Transaction,
    settled: ((isFailure: boolean) => void) | null = null,
  ) {
    this.#client = client;
    this.#settled = settled;
    this.#transaction = transaction;
    const { sentCommands, database } = transaction;
    this.leads = database < 0
      ? new ExecLeads(sentCommands)
      : new ExecLeads(sentCommands + 1, [...transaction.selects(), sentCommands]);
  }

  /** Whether the array is held, since what the client gets is another one. */
  get isRewritten(): boolean {
    const { database, later, everywhere } = this.#transaction;
    return later.length > 0 || everywhere.length > 0 || database >= 0;
  }

  get isGone(): boolean {
    return this.#client.replies.isGone;
  }

  replied(request: Request, bytes: Uint8Array, start: number, end: number, isLast: boolean): void {
    const { replies } = this.#client;
    const isError = request.replyType === MINUS;
    if (isLast) this.#settled?.(false);
    if (replies.isGone && isLast) {
      if (isError) this.#breakOffIfOpen(request, errorText(bytes.subarray(start, end)));
      else if (this.leads.hasRefusedSelect) request.backend?.breakOff(this.leads.unfitting);
    }
    if (replies.isGone || !(isError || this.isRewritten || this.leads.hasRefused)) {
      if (isLast && !replies.isGone && !isError && request.replyBytes > NULL_BYTES_MAX) {
        this.#countCommands(request);
      }
      return replies.replied(request, bytes, start, end, isLast);
    }
    this.#held.push(bytes.slice(start, end));
    this.#heldBytes += end - start;
    replies.holds(end - start);
    if (!isLast) return;
    const reply = concat(this.#held);
    replies.holds(-this.#heldBytes);
    this.#held = [];
    if (isError) return this.#answerError(request, errorText(reply));
    const executed = elementsOf(reply);
    if (executed === null) return this.#complete(request, reply); // a null: it was not executed
    if (this.leads.hasQueuedNothing) return this.#answerError(request, "EXECABORT");
    const elements = this.leads.inPlace(executed);
    if (elements === null) return this.#answerUnfitting(request);
    if (this.#transaction.database >= 0) elements.pop(); // SELECT of the database before
    this.executed(request, elements);
  }

  failed(request: Request, text: string): void {
    const { replies } = this.#client;
    if (!replies.isGone) replies.holds(-this.#heldBytes);
    this.#heldBytes = 0;
    this.#settled?.(true);
    replies.failed(request, text);
  }

  /** The server has not executed it, or not as a transaction. */
  #answerError(request: Request, text: string): void {
    const { backend } = request;
    this.#complete(request, errorReply(this.leads.shown(text)));
    this.#breakOffIfOpen({ backend }, text);
  }

  /** The server has executed something else than was asked for: nobody knows what follows on the connection. */
  #answerUnfitting(request: Request): void {
    const { backend } = request;
    const { unfitting } = this.leads;
    this.#complete(request, errorReply(unfitting));
    backend?.breakOff(unfitting);
  }

  /** Else all that follows on the connection would be queued. */
  #breakOffIfOpen({ backend }: Pick<Request, "backend">, text: string): void {
    if (this.leads.isOpen(text)) backend?.breakOff(`EXEC was refused: ${text}`);
  }

  /** The servers' part is executed: executes ours, and answers. */
  executed(request: Request, elements: readonly Uint8Array[] = []): void {
    const client = this.#client;
    const { database, later, everywhere, isSubscribing } = this.#transaction;
    if (database >= 0) client.database = database;
    if (isSubscribing) client.replies.withholdPushes(); // they follow the acknowledgement, in EXEC's reply
    this.#countCommands(request);
    const replies: Uint8Array[] = [...elements];
    const left = [...later, ...everywhere].sort((a, b) => a.place - b.place);
    const next = () => {
      const entry = left.shift();
      if (entry === undefined) return this.#complete(request, arrayOf(replies));
      const { place, command, bytes, refusal } = entry;
      if (refusal !== "") {
        replies.splice(place, 0, errorReply(refusal));
        return next();
      }
      const parser = new RequestParser();
      parser.parse(bytes, 0, bytes.length);
      if (isEverywhere(entry)) {
        const server = request.backend?.server;
        return executeElsewhere(client, entry, parser, server, replies[place]!, (reply) => {
          replies[place] = reply;
          next();
        });
      }
      client.replies.capture((reply) => {
        // An acknowledgement is a push, which CLIENT REPLY OFF does not hold back, as it does EXEC's reply.
        if (request.isMuted && isAcknowledged(command, reply)) client.replies.push(reply);
        replies.splice(place, 0, reply);
        next();
      }, () => answerLocally(client, command, parser));
    };
    next();
  }

  #complete(request: Request, reply: Uint8Array): void {
    const { replies } = this.#client;
    request.owner = replies;
    replies.completed(request, reply);
  }

  #countCommands(request: Request): void {
    const { stats } = this.#client.shared;
    const { commands, later } = this.#transaction;
    const elapsedMs = clock.nowMs - request.startedMs;
    let next = 0;
    for (let i = 0; i < commands.length; i++) {
      if (later[next]?.place === i) next++; // counted when it is answered
      else stats.answered(commands[i]!.id, elapsedMs, this.leads.isRefused(i - next));
    }
  }
}

function isEverywhere(command: LaterCommand): command is EverywhereCommand {
  return "database" in command;
}

function isAcknowledged({ name }: Command, reply: Uint8Array): boolean {
  return reply[0] !== MINUS &&
    SUBSCRIPTION_KINDS.some(({ subscribe, unsubscribe }) =>
      name === subscribe || name === unsubscribe
    );
}

/** The longest null, `*-1` and a line end; an array with something in it has more bytes. */
const NULL_BYTES_MAX = 5;

function arrayOf(elements: readonly Uint8Array[]): Uint8Array {
  return concat([arrayHeader(elements.length), ...elements]);
}
