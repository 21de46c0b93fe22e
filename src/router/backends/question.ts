/**
 * A question of the proxy's own to a server, with one reply that is taken as text.
 *
 * @module
 */

import { latin1 } from "../../resp/latin1.ts";
import {
  acquireRequest,
  type FlightCounter,
  recycleRequest,
  type Request,
  type RequestOwner,
  type RouteBackend,
} from "../request.ts";
import { sendOn } from "../slots/route.ts";

/**
 * Called once, never before {@linkcode askServer} has returned, with the reply, one character for each byte, or
 * with the reason why there is none.
 */
export type Answered = (text: string, isReply: boolean) => void;

/**
 * Asks a server. Copies `bytes`.
 *
 * @param slot Counts the question as in flight until `answered` has returned.
 */
export function askServer(
  backend: RouteBackend,
  bytes: Uint8Array,
  answered: Answered,
  slot: FlightCounter | null = null,
): void {
  const question = new Question(answered, slot);
  const request = acquireRequest(question);
  request.slot = slot;
  sendOn(backend, request, bytes, 0, bytes.length);
  question.isSent = true;
}

/** The owner of one question. */
class Question implements RequestOwner {
  readonly isGone = false;
  isSent = false;
  readonly #answered: Answered;
  readonly #slot: FlightCounter | null;
  #text = "";

  constructor(answered: Answered, slot: FlightCounter | null) {
    this.#answered = answered;
    this.#slot = slot;
  }

  replied(request: Request, bytes: Uint8Array, start: number, end: number, isLast: boolean): void {
    this.#text += latin1(bytes, start, end);
    if (!isLast) return;
    settle(request);
    this.#end(this.#text, true);
  }

  failed(request: Request, text: string): void {
    settle(request);
    // A server that is known to be down fails it at once, while the caller is still asking.
    if (this.isSent) this.#end(text, false);
    else queueMicrotask(() => this.#end(text, false));
  }

  #end(text: string, isReply: boolean): void {
    this.#answered(text, isReply);
    this.#slot?.leave();
  }
}

function settle(request: Request): void {
  request.state = "settled";
  request.slot = null;
  recycleRequest(request);
}
