/**
 * The reply to a command that the proxy answers itself, taken for another reply that it is a part of.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import { clock } from "../../base/clock.ts";
import type { Command } from "../../command/command.ts";
import { errorReply, type Protocol } from "../../resp/encoder.ts";
import { acquireRequest, recycleRequest, type Request, type RequestOwner } from "../request.ts";

/** Whose replies are taken. */
export interface CaptureSource {
  /** Ends what a request weighs. */
  flightEnded(request: Request): void;
}

/** One reply that does not go to the client; see the header. */
export class CapturedReply implements RequestOwner {
  readonly isGone = false;
  readonly #source: CaptureSource;
  readonly #taken: (reply: Uint8Array) => void;
  #pieces: Uint8Array[] = [];

  /** @param taken Called once. */
  constructor(source: CaptureSource, taken: (reply: Uint8Array) => void) {
    this.#source = source;
    this.#taken = taken;
  }

  /** A request that is in no FIFO. */
  park(
    command: Command,
    host: { readonly database: number; readonly protocol: Protocol },
  ): Request {
    const request = acquireRequest(this);
    request.client = this.#source;
    request.command = command;
    request.startedMs = clock.nowMs;
    request.database = host.database;
    request.protocol = host.protocol;
    return request;
  }

  /** It was answered at once. Copies `reply`. */
  answered(reply: Uint8Array): void {
    this.#taken(reply.slice());
  }

  replied(request: Request, bytes: Uint8Array, start: number, end: number, isLast: boolean): void {
    this.#pieces.push(bytes.slice(start, end));
    if (!isLast) return;
    this.#end(request);
    this.#taken(concat(this.#pieces));
  }

  failed(request: Request, text: string): void {
    this.#end(request);
    this.#taken(errorReply(text));
  }

  #end(request: Request): void {
    this.#source.flightEnded(request);
    recycleRequest(request);
  }
}
