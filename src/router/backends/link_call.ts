/**
 * A question of the proxy's own over a client's link, and its reply.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import { clock } from "../../base/clock.ts";
import {
  acquireRequest,
  type FlightCounter,
  recycleRequest,
  type Request,
  type RequestOwner,
} from "../request.ts";
import type { Link } from "./link.ts";

/** One question; see the header. */
export class LinkCall implements RequestOwner {
  readonly isGone = false;
  readonly #slot: FlightCounter | null;
  readonly #done: (reply: Uint8Array, error: string) => void;
  #pieces: Uint8Array[] = [];

  /**
   * @param slot What counts it as in flight.
   * @param done Called once: with the reply, and with its text where it is an error or did not come.
   */
  constructor(
    slot: FlightCounter | null,
    done: (reply: Uint8Array, error: string) => void,
  ) {
    this.#slot = slot;
    this.#done = done;
  }

  /** Sends it. Copies `bytes`. */
  send(link: Link, bytes: Uint8Array): void {
    const request = acquireRequest(this);
    request.slot = this.#slot;
    request.startedMs = clock.nowMs;
    link.send(request, bytes, 0, bytes.length);
  }

  replied(request: Request, bytes: Uint8Array, start: number, end: number, isLast: boolean): void {
    this.#pieces.push(bytes.slice(start, end));
    if (!isLast) return;
    const reply = concat(this.#pieces);
    const isError = request.replyType === 45 /* - */;
    const text = isError ? new TextDecoder().decode(reply.subarray(1)).trimEnd() : "";
    this.#end(request);
    this.#done(reply, text);
  }

  failed(request: Request, text: string): void {
    this.#end(request);
    this.#done(new Uint8Array(0), text);
  }

  #end(request: Request): void {
    request.state = "settled";
    request.slot?.leave();
    request.slot = null;
    recycleRequest(request);
  }
}
