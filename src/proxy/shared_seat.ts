/**
 * What the workers of one proxy count together, in memory that they share: client ids, so that none is
 * given twice, and clients, so that `max_clients` holds for all workers together however the system
 * spreads connections over them. It is touched when a client comes or goes, never by a request.
 *
 * @module
 */

import type { Peers, RouterSeat } from "../router/seat.ts";

/** The shared memory; both may be posted to a worker. */
export interface SharedCounts {
  /** The newest client id. */
  readonly lastId: BigInt64Array<SharedArrayBuffer>;
  /** Clients of each worker. */
  readonly sessions: Int32Array<SharedArrayBuffer>;
}

/** Makes the memory for so many workers. */
export function newSharedCounts(workers: number): SharedCounts {
  return {
    lastId: new BigInt64Array(new SharedArrayBuffer(8)),
    sessions: new Int32Array(new SharedArrayBuffer(4 * workers)),
  };
}

/** The seat of worker number `seat`. */
export function sharedSeat(counts: SharedCounts, seat: number, peers: Peers): RouterSeat {
  const { lastId, sessions } = counts;
  return {
    nextSessionId: () => Number(Atomics.add(lastId, 0, 1n)) + 1,
    hasSessions: (count) => void Atomics.store(sessions, seat, count),
    sessionsElsewhere: () => {
      let total = 0;
      for (let i = 0; i < sessions.length; i++) if (i !== seat) total += Atomics.load(sessions, i);
      return total;
    },
    peers,
  };
}
