/**
 * What the workers of one proxy count together, in memory that they share: client ids, so that none is
 * given twice, ids of the slow log, clients, so that `max_clients` holds for all workers together however the system spreads
 * connections over them, what is held for clients, for `proxy_max_buffer`, and SUBSCRIBEs that are on their
 * way. It is touched when a client comes or goes, when much more or less is held, and by PUBLISH and
 * SUBSCRIBE, not by other requests, unless their user has limits.
 *
 * @module
 */

import { endConnections, type LimitCells, newLimitCells } from "../../router/limits/limit_cells.ts";
import { endSubscribing, SUBSCRIBING_NUMBERS } from "../../router/pubsub/subscribing.ts";
import type { WorkerContext, WorkerPeers } from "../../router/worker_context.ts";

/** The other workers. */
export interface SharedPeers extends WorkerPeers {
  /** They hold more than their shares, and must look at it. */
  press(): void;
}

/** The shared memory; all of it may be posted to a worker. */
export interface SharedCounts {
  /** The newest client id. */
  readonly lastId: BigInt64Array<SharedArrayBuffer>;
  /** The next id of the slow log. */
  readonly slowId: BigInt64Array<SharedArrayBuffer>;
  /** Clients of each worker. */
  readonly sessions: Int32Array<SharedArrayBuffer>;
  /** KB that each worker holds for its clients. */
  readonly heldKb: Int32Array<SharedArrayBuffer>;
  /** SUBSCRIBEs of each worker that are on their way. */
  readonly subscribing: Int32Array<SharedArrayBuffer>;
  /** Of users with limits. */
  readonly limits: LimitCells;
}

/** Makes the memory for so many workers. */
export function newSharedCounts(workers: number): SharedCounts {
  return {
    lastId: new BigInt64Array(new SharedArrayBuffer(8)),
    slowId: new BigInt64Array(new SharedArrayBuffer(8)),
    sessions: new Int32Array(new SharedArrayBuffer(4 * workers)),
    heldKb: new Int32Array(new SharedArrayBuffer(4 * workers)),
    subscribing: new Int32Array(new SharedArrayBuffer(4 * workers * SUBSCRIBING_NUMBERS)),
    limits: newLimitCells(workers),
  };
}

/** A worker has died, and with it its clients and all that it held. */
export function endCounts(counts: SharedCounts, index: number): void {
  Atomics.store(counts.sessions, index, 0);
  Atomics.store(counts.heldKb, index, 0);
  endConnections(counts.limits, index);
  endSubscribing({ numbers: counts.subscribing, index });
}

/**
 * What worker number `index` shares with the others.
 *
 * @param asker Changes what belongs to all of them.
 */
export function sharedContext(
  counts: SharedCounts,
  index: number,
  asker: Pick<WorkerContext, "changeUsers" | "changeConfig">,
  peers: SharedPeers,
): WorkerContext {
  const { lastId, slowId, sessions, heldKb, subscribing, limits } = counts;
  const elsewhere = (cells: Int32Array) => {
    let total = 0;
    for (let i = 0; i < cells.length; i++) if (i !== index) total += Atomics.load(cells, i);
    return total;
  };
  return {
    nextSessionId: () => Number(Atomics.add(lastId, 0, 1n)) + 1,
    nextSlowId: () => Number(Atomics.add(slowId, 0, 1n)),
    hasSessions: (count) => void Atomics.store(sessions, index, count),
    sessionsElsewhere: () => elsewhere(sessions),
    shares: sessions.length,
    holds: (bytes) => void Atomics.store(heldKb, index, Math.round(bytes / 1024)),
    heldElsewhere: () => 1024 * elsewhere(heldKb),
    pressOthers: () => peers.press(),
    subscribing: { numbers: subscribing, index },
    limits: { cells: limits, worker: index },
    peers,
    changeUsers: asker.changeUsers,
    changeConfig: asker.changeConfig,
  };
}
