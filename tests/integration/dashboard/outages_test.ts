/**
 * Outages of real servers become events: once, with their end, for the next dashboard too.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { ServerView } from "../../../src/api/cluster_view.ts";
import { Events } from "../../../src/control/events.ts";
import type { OutageReport } from "../../../src/control/outages.ts";
import { OutageTrail } from "../../../src/dashboard/outages/outage_trail.ts";
import type { OutageEvent } from "../../../src/model/outage_event.ts";
import { OUTAGE_RING, PAGE_RECORDS } from "../../../src/store/page_rings.ts";
import { saveServer } from "../../../src/store/groups.ts";
import { createFolders, type Store } from "../../../src/store/store.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";
import { TcpRelay } from "../../support/tcp_relay.ts";

async function eventsOf(dashboard: DashboardServer, query = ""): Promise<OutageEvent[]> {
  return (await dashboard.get(`/api/events?limit=500${query}`)).json.events;
}

/** Phase, kind and subject of events, by these names of the subjects, in alphabetical order. */
function told(
  events: readonly OutageEvent[],
  names: Readonly<Record<string, string>> = {},
): string[] {
  return events.map(({ phase, kind, subject }) => `${phase} ${kind} ${names[subject] ?? subject}`)
    .sort();
}

const FAILED: OutageReport = {
  ...{ kind: "failover_refused", phase: "once", subject: "group 1", group: 1 },
  ...{ text: "group 1: no failover", cause: "no replica", hint: "start one" },
};

Deno.test("a server that is killed, one that hangs, a link that is cut and a replica that lags are told once each, and their ends by the next dashboard", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(3);
  const [killed, hung, master] = [servers[0]!, servers[1]!, servers[2]!];
  await using relay = TcpRelay.start(master.port);
  await using replica = await RedisServer.start({
    args: ["--replicaof", "127.0.0.1", `${relay.port}`],
  });
  await using slowRelay = TcpRelay.start(master.port);
  await using late = await RedisServer.start({
    args: ["--replicaof", "127.0.0.1", `${slowRelay.port}`],
  });
  const store = await folder.openFilled(servers.map(({ addr }) => addr).join(","));
  for (const { addr } of [replica, late]) {
    await saveServer(store, { type: "slave", group_id: 3, addr });
  }
  const names = {
    [killed.addr]: "killed",
    [hung.addr]: "hung",
    [replica.addr]: "replica",
    [late.addr]: "late",
  };
  const begins = [
    "begin replica_lag late",
    "begin replica_link replica",
    "begin server_down hung",
    "begin server_down killed",
  ];
  const ofServers = "&kind=server_down,replica_link,replica_lag";
  const lagLimits = { ms: 60_000, bytes: 1_000 };
  {
    await using first = await DashboardServer.start(store, { lagLimits });
    await until(async () =>
      (await first.get("/api/cluster")).json.groups[2]?.servers.filter((
        { replication }: ServerView,
      ) => replication?.is_up).length === 2
    );
    await killed.kill();
    hung.pause();
    relay.stall();
    relay.cut();
    slowRelay.stall();
    {
      using client = await master.client();
      await client.call("SET", "key", "x".repeat(5_000));
    }
    await until(async () => (await eventsOf(first, ofServers)).length === 4);
    const events = await eventsOf(first, ofServers);
    assertEquals(told(events, names), begins);
    const one = events.find(({ subject }) => subject === killed.addr)!;
    assertEquals([one.group, one.server, one.severity], [1, killed.addr, "error"]);
    assertMatch(one.text, /^group 1: the master .* does not answer$/);
    assertMatch(one.cause, /refused|lost|closed/);
    assertMatch(one.hint, /start it again/);
    const { json } = await first.get("/api/events?kind=server_down");
    assertEquals(told(json.open, names), begins.slice(2));
    assertEquals(await eventsOf(first, `&since=${one.at + 3_600_000}`), []);
  }
  await killed.restart();

  await using next = await DashboardServer.start(store, { lagLimits });
  await until(async () =>
    told(await eventsOf(next, ofServers), names).includes("end server_down killed")
  );
  hung.resume();
  relay.resume();
  slowRelay.resume();
  await until(async () => (await eventsOf(next, ofServers)).length === 8);
  const events = await eventsOf(next, ofServers);
  assertEquals(told(events, names), [
    ...begins,
    ...begins.map((line) => line.replace("begin", "end")),
  ]);
  assertEquals((await next.get("/api/events")).json.open, []);
  for (const end of events.filter(({ phase }) => phase === "end")) {
    const begin = events.find(({ phase, outage }) => phase === "begin" && outage === end.outage)!;
    assertEquals(end.duration_ms, end.at - begin.at);
    assert(end.duration_ms! > 1_000 && end.duration_ms! < 15_000, `${end.duration_ms}`);
  }
  // The one that stopped was the same one.
  assertEquals(told(await eventsOf(next, "&kind=dashboard_changed")), [
    "once dashboard_changed dashboard",
  ]);
});

Deno.test("a wrong kind or time is refused by its rule", async () => {
  await using folder = await StoreFolder.make();
  await using dashboard = await DashboardServer.start(await folder.open());
  const { status, json } = await dashboard.get("/api/events?kind=server_down,x");
  assertEquals([status, json.field], [400, "kind"]);
  assertEquals((await dashboard.get("/api/events?since=yesterday")).json.field, "since");
  assertEquals((await dashboard.get("/api/events?since=2026-11-29T11:00:00Z")).status, 200);
  assertEquals((await dashboard.get("/api/events?limit=501")).status, 400);
});

Deno.test("the store keeps the newest events, and the begin of an outage that goes on however many there are", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  const most = OUTAGE_RING.pages * PAGE_RECORDS;
  {
    await using first = await DashboardServer.start(store);
    const { dashboard } = first;
    dashboard.outage({ kind: "circuit_open", phase: "begin", subject: "s:1", text: "open" });
    for (let i = 0; i < most + 70; i++) {
      dashboard.outage({ ...FAILED, subject: `group ${i}` });
    }
  }
  await using next = await DashboardServer.start(store);
  const events = await eventsOf(next);
  assert(events.length > most - PAGE_RECORDS && events.length <= most, `${events.length}`);
  assertEquals(new Set(events.map(({ id }) => id)).size, events.length);
  const { open } = (await next.get("/api/events")).json;
  assertEquals(told(open), ["begin circuit_open s:1"]);
  next.dashboard.outage({ kind: "circuit_open", phase: "begin", subject: "s:1", text: "open" });
  assertEquals((await eventsOf(next, "&kind=circuit_open")).length, 1);
});

/** What is told of outages on a store that says to be in this state; another dashboard may lead. */
function trailOf(store: Store, now: { state: string; isElsewhere: boolean }): OutageTrail {
  Object.defineProperty(store.coordinator, "state", { get: () => now.state });
  return new OutageTrail({
    store,
    events: new Events(),
    transact: (operations) => store.coordinator.transact(operations),
    isLedElsewhere: () => now.isElsewhere,
  });
}

Deno.test("that the coordinator was lost ends when it is reached again, whoever leads by then", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  await createFolders(store);
  const now = { state: "connected", isElsewhere: false };
  const trail = trailOf(store, now);
  await trail.load();
  trail.start();
  now.state = "disconnected";
  await until(() => trail.open.length === 1);
  now.isElsewhere = true;
  trail.unload();
  const backAt = Date.now();
  now.state = "connected";
  await until(() => trail.open.length === 0);
  const [end, begin] = trail.newest();
  assertEquals([end!.outage, end!.text], [
    begin!.outage,
    "the dashboard reaches the coordinator again",
  ]);
  assert(end!.at - backAt < 5_000 && end!.duration_ms! === end!.at - begin!.at, `${end!.at}`);
  await trail.stop();
});

Deno.test("the next dashboard does not say how long an earlier one did not reach the coordinator", async () => {
  await using folder = await StoreFolder.make();
  const [store, other] = [await folder.open(), await folder.open()];
  await createFolders(store);
  const earlier = trailOf(store, { state: "connected", isElsewhere: false });
  await earlier.load();
  earlier.report({
    ...{ kind: "coordinator_lost", phase: "begin", subject: "coordinator", forMs: 60_000 },
    text: "the dashboard does not reach the coordinator: nothing can be changed",
  });
  await earlier.stop();
  const next = trailOf(other, { state: "connected", isElsewhere: false });
  await next.load();
  const [end] = next.newest();
  assertEquals([end!.phase, end!.text, end!.cause], [
    "end",
    "a dashboard leads that reaches the coordinator",
    "when the earlier one reached it again is not known",
  ]);
  await next.stop();
});
