/**
 * A large cluster that nobody runs: 64 groups, 32 proxies, 1024 slots, different every second.
 *
 * The same second always gives the same figures.
 *
 * @module
 */

import type {
  ActionView,
  ClusterView,
  EventView,
  GroupView,
  MigrationView,
  ProxyView,
  ServerView,
} from "../../src/api/cluster_view.ts";
import { NOT_STARTED } from "./cluster_view.ts";

export const GROUP_COUNT = 64;
export const PROXY_COUNT = 32;
const SLOT_COUNT = 1024;
const HISTORY_STEPS = 300;
const GIB = 1 << 30;
/** When second 0 is. */
const EPOCH_MS = Date.UTC(2026, 10, 24, 6, 0, 0);

/** A figure between 0 and 1 that looks like chance, from two numbers. */
function chance(a: number, b: number): number {
  const x = Math.sin(a * 127.1 + b * 311.7 + 17.3) * 43758.5453;
  return x - Math.floor(x);
}

function server(group: number, place: number, second: number): ServerView {
  const seed = group * 8 + place;
  const isMaster = place === 0;
  const isDown = group === 23 && place === 1;
  const hasBrokenLink = group === 41 && place === 1;
  const master = `10.0.${group}.1:6379`;
  const known = <T>(value: T): T | null => isDown ? null : value;
  return {
    addr: `10.0.${group}.${place + 1}:6379`,
    type: isMaster ? "master" : group === 12 && place === 2 ? "offline" : "slave",
    is_reachable: !isDown,
    problem: isDown ? "connection refused" : hasBrokenLink ? "its link to the master is down" : "",
    down_seconds: isDown ? 90 + second : 0,
    role: known(isMaster ? "master" : "slave"),
    version: known("7.0.15"),
    uptime_seconds: known(seed * 9_000 + second),
    keys: known(Math.round(2_000_000 * chance(group, 1)) + second * (group % 7)),
    ops: known(Math.round((isMaster ? 9_000 : 300) * chance(seed, second))),
    clients: known(20 + Math.round(30 * chance(seed, 3))),
    refused: null,
    private_connections: isMaster
      ? { in_use: Math.round(900 * chance(seed, 4)), max: 1_000 * PROXY_COUNT }
      : null,
    zone: "",
    reads: null,
    memory_bytes: known(Math.round(GIB * (0.5 + 3.4 * chance(group, 2)))),
    maxmemory_bytes: known(group % 5 === 0 ? 0 : 4 * GIB),
    replication: isMaster || isDown
      ? null
      : { master, is_up: !hasBrokenLink, lag_bytes: Math.round(4_000 * chance(seed, second)) },
  };
}

function groups(slots: readonly number[], second: number): GroupView[] {
  return Array.from({ length: GROUP_COUNT }, (_, i) => {
    const id = i + 1;
    const count = id % 4 === 0 ? 3 : 2;
    return {
      id,
      slots: slots.filter((owner) => owner === id).length,
      servers: Array.from({ length: count }, (_, place) => server(id, place, second)),
    };
  });
}

function proxy(i: number, second: number): ProxyView {
  const isStale = i === 18;
  return {
    id: `proxy_${i + 1}`,
    addr: `10.1.0.${i + 1}:19000`,
    debug_var_addr: `10.1.0.${i + 1}:11000`,
    state: i === 30 ? "offline" : i === 31 ? "mark_offline" : "online",
    pid: 4000 + i,
    start_at: "2026-11-20 08:15:00.25 +0000 UTC",
    is_reachable: i !== 25,
    problem: i === 25 ? "no answer within 2 s" : isStale ? "the coordinator is out of reach" : "",
    version: i === 25 ? null : "0.1.0",
    ops: i === 25 ? null : Math.round(20_000 * chance(i, second)),
    p50_ms: i === 25 ? null : 0.2 + 0.2 * chance(i, second + 1),
    p99_ms: i === 25 ? null : 0.6 + 2 * chance(i, second + 2),
    errors: i === 25 ? null : Math.round(10 * chance(i, second + 3)) / 10,
    failures: i === 25 ? null : 0,
    sessions: i === 25 ? null : 100 + Math.round(300 * chance(i, 5)),
    memory_bytes: i === 25 ? null : Math.round(90_000_000 * (1 + chance(i, 6))),
    stale_seconds: i === 25 ? null : isStale ? 40 + second : 0,
    table_version: i === 25 ? null : 1_200 + i,
    drain: null,
    slots_offline: i === 25 ? null : 0,
  };
}

function migrations(second: number): MigrationView[] {
  const moved = (second * 1_500) % 90_000;
  const running: MigrationView = {
    name: "0000000100",
    slot_id: 100,
    from_group: 7,
    to_group: 20,
    status: "migrating",
    phase: "moving",
    created_at: EPOCH_MS - 60_000,
    delay_ms: 0,
    keys_moved: moved,
    keys_left: 90_000 - moved,
    bytes_moved: moved * 100,
    keys_per_second: 1_500,
    bytes_per_second: 150_000,
    eta_seconds: Math.round((90_000 - moved) / 1_500),
    problem: "",
    problem_since: null,
    note: '1 big key moves last: "{a}feed" with 45.8 MB stops both servers for about 1.9 s',
    big_keys: [{ key: "{a}feed", database: 0, bytes: 48_000_000, stop_ms: 1920, stays: false }],
  };
  const stuck: MigrationView = {
    ...running,
    name: "0000000099",
    slot_id: 99,
    status: "error",
    phase: "failed",
    keys_moved: 1_234,
    keys_left: 5_678,
    bytes_moved: 123_400,
    keys_per_second: 0,
    bytes_per_second: 0,
    eta_seconds: null,
    problem: "10.0.20.1:6379: OOM command not allowed when used memory > 'maxmemory'",
    problem_since: EPOCH_MS - 30_000,
    note: "",
    big_keys: [],
  };
  const waiting = Array.from({ length: 80 }, (_, i): MigrationView => ({
    ...running,
    name: String(101 + i).padStart(10, "0"),
    slot_id: 101 + i,
    from_group: 7 + Math.floor((5 + i) / 16),
    status: "pending",
    phase: "waiting",
    delay_ms: 10,
    ...NOT_STARTED,
    note: "",
    big_keys: [],
  }));
  return [stuck, running, ...waiting];
}

function actions(now: number): ActionView[] {
  const receivers = Array.from({ length: 30 }, (_, i) => `proxy_${i + 1}`);
  return Array.from({ length: 20 }, (_, i) => ({
    name: String(5_000 - i).padStart(10, "0"),
    type: i % 3 === 0 ? "slot_migrate" : i % 3 === 1 ? "slot_premigrate" : "slot_changed",
    summary: `slot ${100 - Math.floor(i / 3)} → group 20, ${
      ["migrate", "pre_migrate", "online"][i % 3]
    }`,
    created_at: now - i * 4_000 - 1_000,
    receivers,
    answers: receivers.slice(0, i === 0 ? 27 : 30).map((proxy_id, place) => ({
      proxy_id,
      after_ms: Math.round(4 + 60 * chance(place, i)),
    })),
  }));
}

function events(now: number): EventView[] {
  const texts: readonly (readonly [EventView["level"], string])[] = [
    ["info", "slot 98 is in group 20 now: 88 123 keys moved in 58 s"],
    ["info", "proxy proxy_12 went online"],
    ["warning", "replica 10.0.41.2:6379 of group 41 lost its master"],
    ["error", "slot 99: 10.0.20.1:6379: OOM command not allowed when used memory > 'maxmemory'"],
  ];
  return Array.from({ length: 100 }, (_, i) => {
    const [level, text] = texts[i % texts.length]!;
    return { at: now - i * 17_000 - 2_000, level, text };
  });
}

/** The cluster as it is at a second, counted from when it began. */
export function madeUpCluster(second: number): ClusterView {
  const at = EPOCH_MS + second * 1000;
  const group = Array.from({ length: SLOT_COUNT }, (_, slot) => 1 + Math.floor(slot / 16));
  group[99] = 20;
  group[100] = 20;
  const status = "o".repeat(99) + "mmp" + "o".repeat(SLOT_COUNT - 102);
  const proxies = Array.from({ length: PROXY_COUNT }, (_, i) => proxy(i, second));
  const all = groups(group, second);
  const masters = all.map(({ servers }) => servers[0]!);
  const sum = (values: readonly (number | null)[]) =>
    values.reduce<number>((total, value) => total + (value ?? 0), 0);
  const sessions = sum(proxies.map((each) => each.sessions));
  const step = (i: number) => second - HISTORY_STEPS + 1 + i;
  const steps = Array.from({ length: HISTORY_STEPS }, (_, i) => i);
  const wave = (s: number) => 260_000 + 60_000 * Math.sin(s / 25) + 25_000 * chance(s, 1);
  return {
    product: "shop",
    version: "0.1.0",
    at,
    coordinator: { kind: "zookeeper", state: "connected" },
    dashboard: {
      addr: "10.1.0.100:18087",
      pid: 812,
      started_at: EPOCH_MS - 86_400_000 * 3,
      failover: "auto",
      failover_after_seconds: 10,
      needs_token: false,
      has_users: false,
    },
    ops: Math.round(wave(second)),
    sessions,
    keys: sum(masters.map(({ keys }) => keys)),
    memory_bytes: sum(masters.map(({ memory_bytes }) => memory_bytes)),
    history: {
      step_ms: 1000,
      at: steps.map((i) => EPOCH_MS + step(i) * 1000),
      ops: steps.map((i) => Math.round(wave(step(i)))),
      p50_ms: steps.map((i) => i < 20 ? null : 0.3 + 0.1 * chance(step(i), 2)),
      p99_ms: steps.map((i) => i < 20 ? null : 1 + 0.8 * chance(step(i), 3)),
      sessions: steps.map((i) => sessions + Math.round(200 * Math.sin((step(i) - second) / 40))),
    },
    groups: all,
    slots: {
      group,
      status,
      from: { 99: 7, 100: 7 },
      served: 987,
      ops: Array.from(
        { length: SLOT_COUNT },
        (_, slot) => Math.round(400 * chance(slot, second) + (slot === 517 ? 6_000 : 0)),
      ),
    },
    proxies,
    slot_rules: [
      { pattern: "bull:*:", tag: "" },
      { pattern: "celery*", tag: "celery" },
      { pattern: "a-rather-long-name-of-an-application:sessions:*:", tag: "" },
    ],
    allowed_commands: [
      { name: "ft.search", way: "all" },
      { name: "json.debug|memory", way: "key=2" },
      { name: "tair.wait", way: "block=1" },
    ],
    sentinels: sentinels(),
    dead_fences: [],
    unreadable_records: [],
    migrations: migrations(second),
    migration_totals: {
      slots_done: 3,
      slots_left: 82,
      keys_moved: 270_000 + (second * 1_500) % 90_000,
      keys_left: 5_000_000,
      bytes_moved: 27_000_000,
      keys_per_second: 1_500,
      bytes_per_second: 150_000,
      eta_seconds: 3_333,
    },
    migrations_paused_since: null,
    actions: actions(at),
    events: events(at),
    change: null,
    open_outages: [],
  };
}

/** Three sentinels that agree about two groups. */
function sentinels(): ClusterView["sentinels"] {
  const masters = [1, 2].map((groupId) => ({
    group_id: groupId,
    addr: `10.0.${groupId}.1:6379`,
    config_epoch: 4,
    flags: [],
    replicas: 1,
    other_sentinels: 2,
  }));
  return {
    out_of_sync: false,
    problem: "",
    quorum: 2,
    down_after_ms: 30_000,
    servers: [1, 2, 3].map((i) => ({
      addr: `10.0.9.${i}:26379`,
      is_reachable: true,
      problem: "",
      down_seconds: 0,
      masters,
    })),
    groups: [1, 2].map((group_id) => ({ group_id, problem: "" })),
  };
}
