/**
 * Requests that are queued at a connection and of which no byte was sent: they can still go to another server.
 *
 *     sent queue:  | r1  r2 | r3  r4  r5 |        write batch:  | being written | waiting bytes |
 *                   in doubt    unsent                             r1 r2          r3 r4 r5
 *
 * @module
 */

import type { WriteBatch } from "../../io/write_batch.ts";
import { RequestFramer } from "../../resp/request_framer.ts";
import type { Request } from "../request.ts";
import type { SentQueue } from "./sent_queue.ts";

/** A request that was not sent, with its bytes. */
export interface UnsentRequest {
  readonly request: Request;
  readonly bytes: Uint8Array;
}

/** Takes such requests out of a connection's queue, oldest first. Of one in pieces the last are missing. */
export function takeUnsent(sent: SentQueue, batch: WriteBatch): UnsentRequest[] {
  const start = sent.newestStartByte;
  const requests = sent.takeUnsent(batch);
  if (requests.length === 0) return [];
  const bytes = batch.waitingFrom(start);
  let at = 0;
  return requests.map((request) => {
    const from = at;
    // What leads a request was sent in one piece with it.
    for (let left = request.leads?.left ?? 0; left >= 0; left--) {
      at = new RequestFramer().feed(bytes, at, bytes.length);
    }
    return { request, bytes: bytes.subarray(from, at) };
  });
}
