/**
 * How many requests a client may have in flight while others, with few, are served.
 *
 *      nobody else with few    as many as `session_max_pipeline` says
 *      somebody                64: what is sent later waits behind all of them, at the proxy and the server
 *
 * Clients with long pipelines do not slow each other down by this: only who has all that it sent in flight,
 * and little of it, counts as one with few.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";

/** Requests in flight that are few. */
const FEW = 64;
/** For so long after somebody with few was served, the next is expected; milliseconds. */
const EXPECTED_MS = 100;

/** The clients of a thread; see the header. */
export class FairTurns {
  #servedMs = -Infinity;

  /** Whether a client with so many requests in flight must wait before it asks for more. */
  mustWait(depth: number): boolean {
    return depth >= FEW && clock.nowMs - this.#servedMs < EXPECTED_MS;
  }

  /** All that a client has sent so far is in flight, so many requests, and it did not have to wait. */
  served(depth: number): void {
    if (depth <= FEW) this.#servedMs = clock.nowMs;
  }
}
