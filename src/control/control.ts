/**
 * What every operation of the control plane works with: the store, the one way to change it,
 * connections to Redis servers, and events.
 *
 *     operation ── reads ──► store
 *         └── change({ writes, action }) ──► all of it, or nothing ──► announced ──► confirmed
 *
 * @module
 */

import type { EventView } from "../api/cluster_view.ts";
import type { ActionRecord } from "../model/action.ts";
import type { RedisConnection } from "../redis/connection.ts";
import type { Store } from "../store/store.ts";
import type { OutageReport } from "./outages.ts";

/** The new content of an entry; `data: null` deletes it. */
export interface EntryWrite {
  readonly path: string;
  readonly data: string | null;
}

/** An action for proxies; the rest of the record is filled in when it is sent. */
export type Announcement = {
  [T in ActionRecord["type"]]: {
    readonly type: T;
    readonly target: Extract<ActionRecord, { type: T }>["target"];
    /** Whether the change waits until every online proxy has confirmed. */
    readonly mustConfirm: boolean;
  };
}[ActionRecord["type"]];

/** One change of the store, and how it is announced to proxies. */
export interface ClusterChange {
  /** What it is, in words, for the log and the page: `slot 5 → group 2, migrate`. */
  readonly summary: string;
  readonly writes: readonly EntryWrite[];
  readonly announcements: readonly Announcement[];
  /**
   * Whether a proxy that does not know of the change does no harm. Then it is also made while a proxy that
   * may be serving is not online.
   *
   * @default false
   */
  readonly mayMiss?: boolean;
  /**
   * How long proxies may take to confirm, in milliseconds. Those that are late stay online, and follow later.
   * Longer where a proxy is not ours: it follows the newest action only.
   *
   * @default as in Codis 2.0: then proxies that are late are marked offline
   */
  readonly withinMs?: number;
  /**
   * What is changed when proxies know of this change, or are known to miss it: as certainly as the change itself.
   * Proxies need not confirm it.
   */
  readonly then?: Omit<ClusterChange, "then">;
}

/** See the header. */
export interface Control {
  readonly store: Store;
  /**
   * Carries a change out, if every proxy that may be serving is online. Once it has started it will be
   * finished, by the next dashboard if this one dies.
   *
   * @throws {StoreError} When a fenced proxy is not online and must confirm: nothing was changed.
   * @throws {NotLeaderError} When another dashboard has taken over: nothing was changed by us.
   * @throws {UnconfirmedError} When a proxy did not confirm in time, or is gone: everything was changed,
   * and the proxy marked offline if it is there.
   */
  change(change: ClusterChange): Promise<void>;
  /**
   * Asks the store who leads: this process may have been stopped for so long that another one took over.
   *
   * @throws {NotLeaderError} When another dashboard does.
   */
  proveLead(): Promise<void>;
  /**
   * Connects to a Redis server with the product's password; the caller closes it.
   *
   * @param replyMs Longest time that a reply may take, in milliseconds. @default 5000
   * @throws {RedisUnreachableError | RedisError} When that fails.
   */
  redis(addr: string, replyMs?: number): Promise<RedisConnection>;
  /**
   * Whether every proxy that may be serving knows a way in which keys move; `unknown` while one has not
   * answered. Codis 2.0's proxies know none of them: they would move a key that moves in chunks whole at the
   * same time, and ask a codis-server to give stock Redis keys by SLOTSMGRTTAGONE, which fails.
   */
  proxiesFollow(way: "follows_chunks" | "follows_leaving"): Promise<"yes" | "no" | "unknown">;
  /** Writes an event into the log and onto the page. */
  report(level: EventView["level"], text: string): void;
  /** Reports that something is out, is well, or has happened; as often as one likes. */
  outage(report: OutageReport): void;
}
