/**
 * What every operation of the control plane works on: the store, the one way to change it, the way to
 * Redis servers, and the book of what happened.
 *
 *     operation ── reads ──► store
 *         └── change({ writes, action }) ──► all of it, or nothing ──► proxies told ──► confirmed
 *
 * @module
 */

import type { EventView } from "../api/cluster_view.ts";
import type { ActionRecord } from "../model/action.ts";
import type { RedisConnection } from "../redis/connection.ts";
import type { Store } from "../store/store.ts";

/** An entry to be as given, or not to be there (`data: null`). */
export interface EntryWrite {
  readonly path: string;
  readonly data: string | null;
}

/** What proxies are told; the rest of the record is filled in when it is sent. */
export type Announcement = {
  [T in ActionRecord["type"]]: {
    readonly type: T;
    readonly target: Extract<ActionRecord, { type: T }>["target"];
    /** Whether every online proxy must confirm; without, nobody waits. */
    readonly mustConfirm: boolean;
  };
}[ActionRecord["type"]];

/** One change of the store, and what proxies are told of it. */
export interface ClusterChange {
  /** What it is, in words, for the log and the page: `slot 5 → group 2, migrate`. */
  readonly summary: string;
  readonly writes: readonly EntryWrite[];
  readonly announcements: readonly Announcement[];
  /**
   * Whether a proxy that does not hear of it does no harm: then it is made also while one that may be
   * serving cannot be told.
   *
   * @default false
   */
  readonly mayMiss?: boolean;
}

/** See the header. */
export interface Control {
  readonly store: Store;
  /**
   * Carries a change out. It is checked first that every proxy that may be serving can be told; from
   * then on it is carried out to its end, by the next dashboard if this one dies.
   *
   * @throws {StoreError} When a fenced proxy is not online, and must hear of it: nothing was changed.
   * @throws {NotLeaderError} When another dashboard has taken over: nothing was changed by us.
   * @throws {UnconfirmedError} When a proxy did not confirm in time, or is gone: everything was changed,
   * and the proxy marked offline if it is there.
   */
  change(change: ClusterChange): Promise<void>;
  /**
   * Connects to a Redis server with the product's password; the caller closes it.
   *
   * @param replyMs Longest time that a reply may take, in milliseconds. @default 5000
   * @throws {RedisUnreachableError | RedisError} When that fails.
   */
  redis(addr: string, replyMs?: number): Promise<RedisConnection>;
  /**
   * Whether every proxy that may be serving uses big keys at their source while codis-server moves them
   * in chunks; `unknown` while one has not told. Codis 2.0's proxies do not: they would have them moved
   * whole at the same time.
   */
  movesInChunks(): Promise<"yes" | "no" | "unknown">;
  /** Writes an event into the log and onto the page. */
  report(level: EventView["level"], text: string): void;
}
