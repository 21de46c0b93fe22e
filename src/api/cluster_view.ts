/**
 * What `GET /api/cluster` answers: the whole cluster at one moment, for the page and for scripts.
 *
 * Times named `…_at` are Unix milliseconds, durations are named with their unit, sizes are bytes. What
 * is not known is `null`. Fields are spelled as in the rest of the API.
 *
 * @module
 */

import type { SlotRule } from "../hash/placement.ts";
import type { AllowedCommand } from "../model/allowed_command.ts";
import type { Role } from "../model/dashboard_user.ts";
import type { OutageEvent } from "../model/outage_event.ts";
import type { MigrateTaskStatus } from "../model/migrate_task.ts";
import type { ProxyState } from "../model/proxy.ts";
import type { ServerType } from "../model/server.ts";
import type { DrainState } from "./proxy_stats.ts";

/** Where all is stored. */
export interface CoordinatorView {
  readonly kind: string;
  readonly state: string;
  /** Why the last change could not be stored, as on a full disk; left out: it was. */
  readonly problem?: string;
}

/** The cluster. */
export interface ClusterView {
  readonly product: string;
  readonly version: string;
  /** When this was put together. */
  readonly at: number;
  readonly coordinator: CoordinatorView;
  readonly dashboard: DashboardView;
  /** Requests per second over all proxies that are online. */
  readonly ops: number;
  /** Clients of all proxies. */
  readonly sessions: number;
  /** Keys on all masters that can be reached. */
  readonly keys: number;
  /** `used_memory` of all masters that can be reached. */
  readonly memory_bytes: number;
  readonly history: HistoryView;
  readonly groups: readonly GroupView[];
  readonly slots: SlotsView;
  readonly proxies: readonly ProxyView[];
  /** Which keys belong together, in the order in which rules are tried. */
  readonly slot_rules: readonly SlotRule[];
  /** Commands that only the servers know and an operator lets through. */
  readonly allowed_commands: readonly AllowedCommand[];
  /** The sentinels that watch the masters; null: there are none. */
  readonly sentinels: SentinelsView | null;
  /** Fenced addresses without an online proxy: while there is one, nothing can be changed. */
  readonly dead_fences: readonly string[];
  /** Records of the store that cannot be read, and why; all others count. */
  readonly unreadable_records: readonly { readonly path: string; readonly reason: string }[];
  readonly migrations: readonly MigrationView[];
  /** How far all of them together are; null while there are none. */
  readonly migration_totals: MigrationTotals | null;
  /** Since when migrations are paused (0: not known); null while they are not. */
  readonly migrations_paused_since: number | null;
  /** The newest actions, newest first, at most 20. */
  readonly actions: readonly ActionView[];
  /** What the dashboard did and decided, newest first, at most 100. */
  readonly events: readonly EventView[];
  /** A change that is being carried out. */
  readonly change: ChangeView | null;
  /** The begins of outages that have not ended, newest first. */
  readonly open_outages: readonly OutageEvent[];
  /** Who asks; in the answer to a request only. */
  readonly you?: YouView;
}

/** Whoever sent the request that is answered. */
export interface YouView {
  /** `alice`, `token ci`, `dashboard_token`, `this machine`. */
  readonly name: string;
  readonly role: Role;
  /** A user who has logged in, a token, or whoever is at a place where no login is needed. */
  readonly kind: "user" | "token" | "place";
}

/** The dashboard that answers. */
export interface DashboardView {
  readonly addr: string;
  readonly pid: number;
  readonly started_at: number;
  /** Who replaces a master that is down: nobody, the dashboard, or Sentinel. */
  readonly failover: "off" | "auto" | "sentinel";
  readonly failover_after_seconds: number;
  /** Whether changes need a token or a login. */
  readonly needs_token: boolean;
  /** Whether people log in with a name and a password. */
  readonly has_users: boolean;
}

/** The last minutes, one value per step in each list, oldest first. */
export interface HistoryView {
  readonly step_ms: number;
  readonly at: readonly number[];
  readonly ops: readonly number[];
  readonly p50_ms: readonly (number | null)[];
  readonly p99_ms: readonly (number | null)[];
  readonly sessions: readonly number[];
}

/** What a history reaches back to. */
export type FiguresSpan = "1h" | "24h" | "7d";

/** `GET /api/history`: one value per step in each list, oldest first; null where nothing is known. */
export interface FiguresView {
  readonly step_ms: number;
  readonly at: readonly number[];
  /** By name: `ops`, `p50_ms`, `p99_ms`, `errors`, `failures`, `sessions`, `clients`, `keys`, `memory_bytes`, `lag_bytes`. */
  readonly figures: Readonly<Record<string, readonly (number | null)[]>>;
}

/** A group and its servers, the master first. */
export interface GroupView {
  readonly id: number;
  /** Slots it owns. */
  readonly slots: number;
  readonly servers: readonly ServerView[];
}

/** One Redis server, as stored and as it last answered. */
export interface ServerView {
  readonly addr: string;
  /** As stored. */
  readonly type: ServerType;
  readonly is_reachable: boolean;
  /** Why it is not reachable, or how it differs from what is stored, or from other masters; `""`: nothing. */
  readonly problem: string;
  /** How long it has not been reachable. */
  readonly down_seconds: number;
  readonly role: "master" | "slave" | null;
  readonly version: string | null;
  readonly uptime_seconds: number | null;
  readonly keys: number | null;
  readonly ops: number | null;
  readonly clients: number | null;
  /** Connections of the proxies that belong to one client each, over all proxies; null: none says so. */
  readonly private_connections: { readonly in_use: number; readonly max: number } | null;
  /** How many proxies refuse requests for it, which it would not answer in time, and why; null: none. */
  readonly refused: { readonly proxies: number; readonly cause: string } | null;
  /** The zone that it is in; `""`: none. */
  readonly zone: string;
  /**
   * Its share of its group's reads by clients that may read from replicas, 0 to 1, and why it serves none;
   * null where there are no such clients.
   */
  readonly reads: { readonly share: number | null; readonly why_out: string } | null;
  readonly memory_bytes: number | null;
  /** 0: no limit. */
  readonly maxmemory_bytes: number | null;
  /** Of a replica: the master it follows, whether the link is up, how far it is behind. */
  readonly replication: {
    readonly master: string;
    readonly is_up: boolean;
    readonly lag_bytes: number | null;
  } | null;
}

/** The sentinels, and what they say. */
export interface SentinelsView {
  /** Whether they may watch something else than the table says; the dashboard is putting that right. */
  readonly out_of_sync: boolean;
  /** Why they could not be told what to watch; `""`: they were. */
  readonly problem: string;
  /** How many of them must find a master down. */
  readonly quorum: number;
  /** How long a master must not have answered. */
  readonly down_after_ms: number;
  readonly servers: readonly SentinelView[];
  /** The groups that have a master. */
  readonly groups: readonly {
    readonly group_id: number;
    /** Why Sentinel does not decide about its master; `""`: it does. */
    readonly problem: string;
  }[];
}

/** One sentinel. */
export interface SentinelView {
  readonly addr: string;
  readonly is_reachable: boolean;
  /** Why it is not; `""`: it is. */
  readonly problem: string;
  readonly down_seconds: number;
  /** The masters that it watches, as it sees them, by group. */
  readonly masters: readonly {
    readonly group_id: number;
    readonly addr: string;
    readonly config_epoch: number;
    /** `s_down`, `o_down`, `failover_in_progress`, … */
    readonly flags: readonly string[];
    readonly replicas: number;
    readonly other_sentinels: number;
  }[];
}

/** The 1024 slots; list index = slot number. */
export interface SlotsView {
  /** The group that owns each; -1: none. */
  readonly group: readonly number[];
  /** One letter each: `o`nline, `x` offline, `m`igrate, `p`re_migrate, `u`nreadable, `-` not stored. */
  readonly status: string;
  /** Where keys of migrating slots come from, by slot number. */
  readonly from: Readonly<Record<string, number>>;
  /** Requests per second, over all proxies that report them. */
  readonly ops: readonly number[];
  /** Slots whose requests can be answered: online or migrating, and no master that they need is down. */
  readonly served: number;
}

/** One proxy, as stored and as it last answered. */
export interface ProxyView {
  readonly id: string;
  readonly addr: string;
  readonly debug_var_addr: string;
  readonly state: ProxyState;
  /** It lets its clients go, or accepts none any more and has none left; null: neither. */
  readonly drain: DrainState | null;
  readonly pid: number;
  /** As stored: Go's print of a time. */
  readonly start_at: string;
  readonly is_reachable: boolean;
  /** Why it is not reachable, or what is wrong with it; `""`: nothing. */
  readonly problem: string;
  readonly version: string | null;
  readonly ops: number | null;
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
  /** Answers that were errors, each second. */
  readonly errors: number | null;
  /** Requests that the proxy failed itself, each second: no server, lost connection, deadline. */
  readonly failures: number | null;
  readonly sessions: number | null;
  readonly memory_bytes: number | null;
  /** How long its table has been without anybody to change it. */
  readonly stale_seconds: number | null;
  readonly table_version: number | null;
  /** Slots it does not serve. */
  readonly slots_offline: number | null;
}

/** How far one migration, or all of them, are. */
export interface MoveStats {
  readonly keys_moved: number;
  /** Still to move; null before it was counted. Of all: slots not counted yet as those that were. */
  readonly keys_left: number | null;
  /** Memory that the moved keys took at the source; keys that clients' requests moved count as nothing. */
  readonly bytes_moved: number | null;
  readonly keys_per_second: number | null;
  readonly bytes_per_second: number | null;
  readonly eta_seconds: number | null;
}

/**
 * The state of a migration task: it waits in the queue; moves keys; was cancelled and moves them back, or
 * will; is paused with all others; has failed and is tried again; cannot go on.
 * `finished` is Codis 2.0's.
 */
export type MigrationPhase = (typeof MIGRATION_PHASES)[number];

/** Every {@linkcode MigrationPhase}. */
export const MIGRATION_PHASES = [
  "waiting",
  "moving",
  "moving back",
  "paused",
  "failed",
  "stuck",
  "finished",
] as const;

/** One migration task. */
export interface MigrationView extends MoveStats {
  /** Its name in the store. */
  readonly name: string;
  readonly slot_id: number;
  readonly from_group: number | null;
  readonly to_group: number;
  readonly status: MigrateTaskStatus;
  readonly phase: MigrationPhase;
  readonly created_at: number;
  readonly delay_ms: number;
  /** What keeps it from going on, since when; `""`: nothing. */
  readonly problem: string;
  readonly problem_since: number | null;
  /** What else an operator should know while it moves or waits; `""`: nothing. */
  readonly note: string;
  /** Keys of it that stop their servers when they move, and have not moved; the biggest, at most 20. */
  readonly big_keys: readonly BigKeyView[];
}

/** All migrations, since there was nothing to move; what was cancelled before it began is left out. */
export interface MigrationTotals extends MoveStats {
  readonly slots_done: number;
  readonly slots_left: number;
}

/** A key so big that its move stops both servers for a while. */
export interface BigKeyView {
  /** Bytes that are no text are escaped, and long keys cut. */
  readonly key: string;
  readonly database: number;
  /** Memory it takes at the source. */
  readonly bytes: number;
  /** About how long both servers stop for it. */
  readonly stop_ms: number;
  /** Whether it is not moved, as `migrate_big_key_policy` says. */
  readonly stays: boolean;
}

/** One action and who confirmed it. */
export interface ActionView {
  readonly name: string;
  readonly type: string;
  /** In words: `slot 5 → group 2, migrate`. */
  readonly summary: string;
  readonly created_at: number;
  /** Proxies that must confirm. */
  readonly receivers: readonly string[];
  readonly answers: readonly {
    readonly proxy_id: string;
    /** After the action was made; null when no dashboard saw it. */
    readonly after_ms: number | null;
  }[];
}

/** One line of what happened. */
export interface EventView {
  readonly at: number;
  readonly level: "info" | "warning" | "error";
  readonly text: string;
}

/** A change on its way. */
export interface ChangeView {
  readonly summary: string;
  readonly since: number;
  /** Proxies that have not confirmed, and why not, as far as they answer. */
  readonly waiting_for: readonly { readonly proxy_id: string; readonly reason: string }[];
}
