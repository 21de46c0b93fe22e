/**
 * Views of clusters, as `GET /api/cluster` answers them.
 *
 * @module
 */

import type { ClusterView, MigrationView } from "../../src/api/cluster_view.ts";
import { EVENTS_KEPT } from "../../src/control/events.ts";

/** When the views are from. */
export const VIEW_AT = Date.UTC(2026, 10, 24, 6, 0, 0);

/** A cluster of two groups that has nothing to do. */
export const VIEW: ClusterView = {
  product: "test",
  version: "0.1.0",
  at: VIEW_AT,
  coordinator: { kind: "zookeeper", state: "connected" },
  dashboard: {
    addr: "dash-1:18087",
    pid: 4711,
    started_at: VIEW_AT - 3_600_000,
    failover: "auto",
    failover_after_seconds: 10,
    needs_token: true,
    has_users: false,
  },
  ops: 1234.4,
  sessions: 50,
  keys: 1_000_000,
  memory_bytes: 1.5 * 1024 ** 3,
  history: { step_ms: 1000, at: [], ops: [], p50_ms: [], p99_ms: [], sessions: [] },
  groups: [
    {
      id: 1,
      slots: 512,
      servers: [
        {
          addr: "redis-1:6379",
          type: "master",
          is_reachable: true,
          problem: "",
          down_seconds: 0,
          role: "master",
          version: "7.0.15",
          uptime_seconds: 100,
          keys: 500_000,
          ops: 600.2,
          clients: 3,
          private_connections: null,
          refused: null,
          zone: "",
          reads: null,
          memory_bytes: 512 * 1024 ** 2,
          maxmemory_bytes: 0,
          replication: null,
        },
        {
          addr: "redis-2:6379",
          type: "slave",
          is_reachable: true,
          problem: "",
          down_seconds: 0,
          role: "slave",
          version: "7.0.15",
          uptime_seconds: 100,
          keys: 500_000,
          ops: 0,
          clients: 1,
          private_connections: null,
          refused: null,
          zone: "",
          reads: null,
          memory_bytes: 512 * 1024 ** 2,
          maxmemory_bytes: 0,
          replication: { master: "redis-1:6379", is_up: true, lag_bytes: 12 },
        },
      ],
    },
    {
      id: 2,
      slots: 512,
      servers: [{
        addr: "redis-3:6379",
        type: "master",
        is_reachable: false,
        problem: "connection refused",
        down_seconds: 7,
        role: null,
        version: null,
        uptime_seconds: null,
        keys: null,
        ops: null,
        clients: null,
        private_connections: null,
        refused: null,
        zone: "",
        reads: null,
        memory_bytes: null,
        maxmemory_bytes: null,
        replication: null,
      }],
    },
    { id: 3, slots: 0, servers: [] },
  ],
  slots: {
    group: Array.from({ length: 1024 }, (_, id) => id < 512 ? 1 : 2),
    status: "o".repeat(1024),
    from: {},
    ops: Array.from({ length: 1024 }, () => 1),
    served: 512,
  },
  proxies: [{
    id: "proxy_1",
    addr: "proxy-1:19000",
    debug_var_addr: "proxy-1:11000",
    state: "online",
    pid: 42,
    start_at: "2026-11-24 05:00:00 +0000 UTC",
    is_reachable: true,
    problem: "",
    version: "0.1.0",
    ops: 1234.4,
    p50_ms: 0.2,
    p99_ms: 0.9,
    ...{ errors: 0, failures: 0 },
    sessions: 50,
    memory_bytes: 80 * 1024 ** 2,
    stale_seconds: 0,
    table_version: 7,
    drain: null,
    slots_offline: 0,
  }],
  slot_rules: [],
  allowed_commands: [],
  sentinels: null,
  dead_fences: [],
  unreadable_records: [],
  migrations: [],
  migration_totals: null,
  migrations_paused_since: null,
  actions: [],
  events: [],
  change: null,
  open_outages: [],
};

/** A task that runs. */
export const TASK: MigrationView = {
  name: "0000000001",
  slot_id: 5,
  from_group: 1,
  to_group: 2,
  status: "migrating",
  phase: "moving",
  created_at: VIEW_AT - 60_000,
  delay_ms: 0,
  keys_moved: 10,
  keys_left: 90,
  bytes_moved: 4096,
  keys_per_second: 10.2,
  bytes_per_second: 1024,
  eta_seconds: 9,
  problem: "",
  problem_since: null,
  note: "",
  big_keys: [],
};

/** Whether a dashboard says that it leads, or has had so much to tell since that this is gone. */
export function tellsThatItLeads({ events }: Pick<ClusterView, "events">): boolean {
  return events.length >= EVENTS_KEPT ||
    events.some(({ text }) => text.startsWith("this dashboard leads"));
}

/** What is known of a migration that has not started. */
export const NOT_STARTED = {
  keys_moved: 0,
  keys_left: null,
  bytes_moved: null,
  keys_per_second: null,
  bytes_per_second: null,
  eta_seconds: null,
} as const satisfies Partial<MigrationView>;
