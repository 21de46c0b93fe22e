/**
 * A router's place in its proxy: alone, or one of several workers that share it.
 *
 * @module
 */

import type { AclLogEntry } from "../acl/acl_log.ts";
import type { UsersAnswer, UsersChange } from "../acl/users_owner.ts";
import type { BudgetPartners } from "./client/byte_budget.ts";
import type { UnblockReply } from "./blocking/blocked.ts";
import type { MonitorPeers } from "./monitor/monitors.ts";
import type { PauseMode } from "./client/pause.ts";
import type { FoundInScript } from "./dispatch/script_texts.ts";
import type { ForgottenKeys, HotKeysReading } from "./hot_keys/hot_keys.ts";
import { SUBSCRIBING_NUMBERS, type SubscribingCounts } from "./pubsub/subscribing.ts";
import { newLimitCells } from "./limits/limit_cells.ts";
import type { LimitContext } from "./limits/limited_users.ts";
import type { SlowLogOrder, SlowLogReading } from "./slow_log/slow_log.ts";
import type { StatsSnapshot } from "./stats_snapshot.ts";

/**
 * Which clients CLIENT LIST and CLIENT KILL mean, in plain values, since the clients of other workers are
 * meant, too. Every condition that is given must hold.
 */
export interface ClientFilter {
  /** One of these ids. */
  readonly ids?: readonly number[];
  /** The client's own address. */
  readonly remote?: string;
  /** The address that it has connected to. */
  readonly local?: string;
  /** Redis's type of client; the proxy has no masters and replicas. */
  readonly type?: "normal" | "pubsub" | "none";
  /** All but this one. */
  readonly exceptId?: number;
  /** The clients of a user. */
  readonly user?: string;
}

/** What a router asks of the others of the same proxy; what does not answer in time is left out. */
export interface WorkerPeers extends MonitorPeers {
  /** The stats of all routers together, the asking one included; at most a second old. */
  stats(): Promise<StatsSnapshot>;
  /** The others' ACL LOG, a list each; with `isReset` they forget it. */
  aclLog(isReset: boolean): Promise<readonly (readonly AclLogEntry[])[]>;
  /** Tells the others' slow logs something; resolves with what each of them had before. */
  slowLog(order: SlowLogOrder): Promise<readonly SlowLogReading[]>;
  /** What the others know of hot and big keys, before they forget what is to be forgotten. */
  hotKeys(forgotten: ForgottenKeys): Promise<readonly HotKeysReading[]>;
  /** CLIENT LIST's lines of the others' clients. */
  listClients(filter: ClientFilter): Promise<string>;
  /** Tells the others what was found in a script. */
  scriptSeen(sha: string, found: FoundInScript): void;
  /** Closes clients of the others; resolves with how many. */
  killClients(filter: ClientFilter): Promise<number>;
  /** Pauses the clients of all, this one's too; or no longer, when the mode is null. */
  pause(mode: PauseMode | null, ms: number): Promise<void>;
  /** Clients of this one redirect their invalidations to one of another; resolves with whether there is such a client. */
  redirectTo(clientId: number): Promise<boolean>;
  /** Resolves when a client has what the servers have told those of the others that redirect to it. */
  hearAll(clientId: number): Promise<void>;
  /** Gives an invalidation to a client of another one; resolves with whether there is such a client. */
  invalidate(clientId: number, keys: string): Promise<boolean>;
  /** CLIENT UNBLOCK of a client of another one; resolves with whether it was blocked. */
  unblockClient(id: number, reply: UnblockReply): Promise<boolean>;
}

/** What a client asks of the proxy's configuration: to set keys, or to write what was set into the file. */
export type ConfigOrder =
  | { readonly kind: "set"; readonly pairs: readonly (readonly [key: string, value: string])[] }
  | { readonly kind: "rewrite" };

/** What a router shares with the others of the same proxy. */
export interface WorkerContext extends BudgetPartners {
  /** An id that no client of the proxy has had. */
  nextSessionId(): number;
  /** The id of the next entry of the slow log; each is larger than all before. */
  nextSlowId(): number;
  /** This router has so many clients now. */
  hasSessions(count: number): void;
  /** Clients that the other routers have now. */
  sessionsElsewhere(): number;
  /** Asks the others, which hold more than their shares, to check what they hold. */
  pressOthers(): void;
  /** SUBSCRIBEs that are on their way, here and in the others. */
  readonly subscribing: SubscribingCounts;
  /** What is counted of limited users, here and in the others. */
  readonly limits: LimitContext;
  /** The other routers; null when there are none. */
  readonly peers: WorkerPeers | null;
  /** Changes the users of all routers; resolves when the change is in force in all. */
  changeUsers(change: UsersChange, clientId: number): Promise<UsersAnswer>;
  /**
   * Changes the proxy's own configuration; resolves when the change is in force in all routers.
   *
   * @param by The client that asks for it, for the log.
   * @returns Why nothing was changed; empty: it was.
   */
  changeConfig(order: ConfigOrder, by: string): Promise<string>;
}

/** Why the configuration of a proxy cannot be changed that has no file; as Redis, to write it. */
export function fixedConfig({ kind }: ConfigOrder): string {
  if (kind === "rewrite") return NO_FILE;
  return "can't set immutable config: it is the proxy's own, and the proxy is running without a config file";
}

const NO_FILE = "The server is running without a config file";

/** The context of a router that is the whole proxy. */
export function onlyWorker(): WorkerContext {
  let lastId = 0;
  let slowId = 0;
  return {
    nextSessionId: () => ++lastId,
    nextSlowId: () => slowId++,
    hasSessions: () => {},
    sessionsElsewhere: () => 0,
    shares: 1,
    holds: () => {},
    heldElsewhere: () => 0,
    pressOthers: () => {},
    limits: { cells: newLimitCells(1), worker: 0 },
    subscribing: { numbers: new Int32Array(SUBSCRIBING_NUMBERS), index: 0 },
    peers: null,
    changeUsers: () =>
      Promise.resolve({ error: "ERR the users of this proxy cannot be changed", deleted: 0 }),
    changeConfig: (order) => Promise.resolve(fixedConfig(order)),
  };
}
