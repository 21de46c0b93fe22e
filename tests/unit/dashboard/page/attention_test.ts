/**
 * What the page finds worth somebody's attention, and how slots are put together.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { ClusterView } from "../../../../src/api/cluster_view.ts";
import { concernsOf } from "../../../../src/dashboard/page/attention.js";
import { madeUpCluster } from "../../../support/made_up_cluster.ts";

/** The made-up cluster without its troubles. */
function healthy(): ClusterView {
  const view = madeUpCluster(0);
  return {
    ...view,
    groups: view.groups.map((group) => ({
      ...group,
      servers: group.servers.map((server) => ({ ...server, is_reachable: true, problem: "" })),
    })),
    proxies: view.proxies.slice(0, 10),
    migrations: [],
  };
}

function concerns(edit: Partial<ClusterView>): string[] {
  return concernsOf({ ...healthy(), ...edit }).map(({ tone, text }) =>
    `${tone}: ${text.replaceAll("\u202f", " ")}`
  );
}

Deno.test("a healthy cluster needs no attention", () => {
  assertEquals(concerns({}), []);
});

Deno.test("slots that are not served come with what that means", () => {
  const { slots } = healthy();
  assertEquals(concerns({ slots: { ...slots, status: "xx-" + "o".repeat(1021) } }), [
    "bad: 1 slot is not stored",
    "bad: 2 slots are offline: their keys are not served",
  ]);
  assertEquals(concerns({ slots: { ...slots, status: "-".repeat(1024) } }), [
    "bad: The slots are not initialized yet",
  ]);
});

Deno.test("records that cannot be read are named with the reason, and many of them are counted", () => {
  const unreadable = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ path: `/zk/slots/slot_${i}`, reason: "no JSON" }));
  assertEquals(concerns({ unreadable_records: unreadable(1) }), [
    "bad: /zk/slots/slot_0 in the coordinator cannot be read: no JSON",
  ]);
  assertEquals(
    concerns({ unreadable_records: unreadable(7) }).at(-1),
    "bad: 2 more records in the coordinator cannot be read: GET /api/cluster names them",
  );
});

Deno.test("proxies that let their clients go are told, and it is worse when none is left", () => {
  const [one, two] = healthy().proxies.filter(({ state }) => state === "online");
  const drained = { ...one!, id: "p1", drain: "drained" as const };
  const told = "warning: Proxy p1 is drained: it accepts no clients; stop it, or restart it";
  assertEquals(concerns({ proxies: [drained, two!] }), [told]);
  assertEquals(concerns({ proxies: [{ ...drained, drain: "draining" }, two!] }), [
    "warning: Proxy p1 is draining: it lets its clients go",
  ]);
  assertEquals(concerns({ proxies: [drained] }), [
    "bad: No proxy accepts clients: those that are online are drained",
    told,
  ]);
});

Deno.test("a coordinator that is away, or stores nothing, is told", () => {
  const kind = "embedded";
  const problem = "No space left on device (os error 28)";
  assertEquals(concerns({ coordinator: { kind, state: "connected" } }), []);
  assertEquals(concerns({ coordinator: { kind, state: "connected", problem } }), [
    `bad: The coordinator (embedded) could not store the last change: ${problem}`,
  ]);
  assertEquals(concerns({ coordinator: { kind, state: "expired", problem } }), [
    "bad: The coordinator (embedded) is expired",
  ]);
});

Deno.test("a lost master is worse than a lost replica, and comes first", () => {
  const groups = healthy().groups.map((group) => ({
    ...group,
    servers: group.servers.map((server) => ({
      ...server,
      is_reachable: !["10.0.3.1:6379", "10.0.1.2:6379"].includes(server.addr),
      down_seconds: 7,
    })),
  }));
  assertEquals(concerns({ groups }), [
    `bad: Master 10.0.3.1:6379 of group 3, which owns ${groups[2]!.slots} slots, has not been ` +
    "reachable for 7 s",
    "warning: Replica 10.0.1.2:6379 of group 1 has not been reachable for 7 s",
  ]);
});

Deno.test("what keeps the cluster from being changed or served is told", () => {
  assertEquals(concerns({ dead_fences: ["10.1.0.9:19000"], proxies: [] }), [
    "bad: 1 proxy did not stop cleanly (10.1.0.9:19000): the cluster cannot be changed",
    "bad: No proxy is online",
  ]);
  const { at, migrations } = madeUpCluster(0);
  assertEquals(concerns({ migrations, migrations_paused_since: at - 90_000 }), [
    "warning: Migrations are paused for 1 min 30 s: 82 slots wait",
  ]);
  assertEquals(concerns({ coordinator: { kind: "etcd", state: "disconnected" } }), [
    "bad: The coordinator (etcd) is disconnected",
  ]);
});

Deno.test("what keeps many slots from moving is told once, with the slots", () => {
  const [first] = madeUpCluster(0).migrations;
  const down = "redis-3:6379: connection refused";
  const migrations = [1, 2, 3, 7].map((slot_id) => ({ ...first!, slot_id, problem: down }));
  migrations.push({ ...first!, slot_id: 9, problem: "a key is too big" });
  migrations.push({ ...first!, slot_id: 10, problem: "" });
  assertEquals(concerns({ migrations }), [
    `warning: The migrations of 4 slots (1–3, 7) are stuck: ${down}`,
    "warning: The migration of slot 9 is stuck: a key is too big",
  ]);
});

Deno.test("private connections to a server that are nearly used up come with what that means", () => {
  const [group, ...others] = healthy().groups;
  const [master, ...replicas] = group!.servers;
  const withPrivates = (in_use: number) => ({
    groups: [
      {
        ...group!,
        servers: [{ ...master!, private_connections: { in_use, max: 100 } }, ...replicas],
      },
      ...others,
    ],
  });
  assertEquals(concerns(withPrivates(89)), []);
  assertEquals(concerns(withPrivates(90)), [
    "warning: 90 of 100 private connections to 10.0.1.1:6379 are in use: then clients that block, " +
    "watch or subscribe get errors (private_connections_max)",
  ]);
});

Deno.test("sentinels that do not answer, and that do not agree with the table, are named", () => {
  const sentinels = healthy().sentinels!;
  const down = (count: number) =>
    sentinels.servers.map((sentinel, i) => ({
      ...sentinel,
      ...i < count
        ? { is_reachable: false, problem: "connection refused", down_seconds: 9, masters: [] }
        : {},
    }));
  assertEquals(concerns({ sentinels: { ...sentinels, servers: down(1) } }), [
    "warning: Sentinel 10.0.9.1:26379 has not been reachable for 9 s: connection refused",
  ]);
  assertEquals(concerns({ sentinels: { ...sentinels, servers: down(2) } }), [
    "bad: 1 of 3 sentinels answer: a master that goes down is not replaced",
    "warning: Sentinel 10.0.9.1:26379 has not been reachable for 9 s: connection refused",
    "warning: Sentinel 10.0.9.2:26379 has not been reachable for 9 s: connection refused",
  ]);
  assertEquals(concerns({ sentinels: { ...sentinels, quorum: 4 } }), [
    "bad: sentinel_quorum is 4, and there are only 3 sentinels: no master is replaced",
  ]);
  const groups = [{ group_id: 2, problem: "the sentinels disagree" }];
  assertEquals(concerns({ sentinels: { ...sentinels, groups } }), [
    "bad: Sentinel and group 2: the sentinels disagree",
  ]);
});
