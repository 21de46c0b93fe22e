/**
 * What operators may rely on when there are several dashboards, or one that died: one leads, the next
 * takes over and finishes changes that were interrupted, and a replaced one changes nothing.
 *
 * @module
 */

import { assertEquals, assertLess, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { encodeSlot, freshSlot, slotIn } from "../../../src/model/slot.ts";
import { Leadership } from "../../../src/control/leadership.ts";
import { encodeIntent, loadIntent } from "../../../src/control/intent.ts";
import { createFence } from "../../../src/store/fences.ts";
import { createProxy } from "../../../src/store/proxies.ts";
import { loadActionNames } from "../../../src/store/actions.ts";
import { loadSlots } from "../../../src/store/slots.ts";
import { readIfThere } from "../../../src/store/store.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { deadLife } from "../../support/process_life.ts";
import { RECORD } from "../../support/proxy_record.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";

/** A dashboard that does nothing when it leads. */
const NOTHING = { onLead: () => Promise.resolve(), onDepose: () => Promise.resolve() };

Deno.test("of two dashboards one leads, and the other takes over when it goes", async () => {
  await using folder = await StoreFolder.make();
  const first = await DashboardServer.start(await folder.openFilled("127.0.0.1:1"));
  await using second = await DashboardServer.start(await folder.open(), { waitsForLead: false });
  // A program of ours is told which one leads; requests of others are passed on to that one.
  const ours = { "user-agent": "codis-proxy cli" };
  const told = (method: string, path: string) => second.ask(method, path, undefined, ours);
  await until(async () => (await told("GET", "/api/cluster")).json.leader !== "");
  for (const [method, path] of [["GET", "/api/cluster"], ["POST", "/api/slots/init"]] as const) {
    const { status, json } = await told(method, path);
    assertEquals([status, json.leader], [503, first.addr]);
  }
  assertEquals((await second.get("/api/cluster")).json.dashboard.addr, first.addr);
  assertEquals((await second.get("/api/slots")).json.length, 1024);
  assertEquals((await (await fetch(`http://${second.addr}/healthz`)).json()).state, "standing by");
  await first[Symbol.asyncDispose]();
  const began = performance.now();
  await second.leads();
  assertLess(performance.now() - began, 2_000);
  await second.done("PUT", "/api/server_groups", { id: 7 });
});

Deno.test("a dashboard that was replaced without noticing changes nothing", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("127.0.0.1:1");
  await using dashboard = await DashboardServer.start(store);
  await store.coordinator.write(store.paths.dashboardEpoch, "somebody else");
  const { status, json } = await dashboard.ask("PUT", "/api/server_groups", { id: 7 });
  assertEquals(status, 503);
  assertMatch(json.error, /leads/);
  assertEquals((await dashboard.get("/api/server_groups")).json.length, 1);
  // Nobody else is there: it leads again by itself.
  await until(async () =>
    (await dashboard.ask("PUT", "/api/server_groups", { id: 7 })).status === 200
  );
});

Deno.test("a dashboard whose entry was removed stands by, and leads again", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("127.0.0.1:1");
  await using dashboard = await DashboardServer.start(store);
  await store.coordinator.delete(store.paths.dashboard);
  await until(async () => await readIfThere(store, store.paths.dashboard) !== undefined);
  await until(async () =>
    (await dashboard.ask("PUT", "/api/server_groups", { id: 7 })).status === 200
  );
});

Deno.test("an entry of its own that was left behind does not keep a dashboard from leading", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("127.0.0.1:1");
  // As when its session outlived a coordinator that was away, or the answer to `create` was lost.
  const addr = "127.0.0.1:18087";
  const leadership = new Leadership(store, addr, NOTHING);
  const own = leadership.entry;
  await store.coordinator.create(store.paths.dashboard, own, "ephemeral");
  leadership.start(false);
  try {
    await until(() => leadership.isLeading, 3_000);
    assertEquals(await readIfThere(store, store.paths.dashboard), own);
  } finally {
    await leadership.stop();
  }
});

Deno.test("of two dashboards with one address and one process number, as in containers, one leads", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("127.0.0.1:1");
  const [first, second] = ["codis:18087", "codis:18087"].map((addr) =>
    new Leadership(store, addr, NOTHING)
  );
  first!.start(false);
  try {
    await until(() => first!.isLeading);
    second!.start(false);
    await until(() => second!.leader !== "");
    await delay(200);
    assertEquals([first!.isLeading, second!.isLeading], [true, false]);
    await first!.stop();
    await until(() => second!.isLeading);
  } finally {
    await Promise.all([first!.stop(), second!.stop()]);
  }
});

Deno.test("a change that a dashboard started before it died is finished by the next one", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("127.0.0.1:1");
  const { paths, coordinator } = store;
  // As kill -9 leaves it in the middle of `slot init -f`: half of the slots written, nobody told.
  const writes = Array.from({ length: 1024 }, (_, id) => ({
    path: paths.slot(id),
    data: encodeSlot(freshSlot("test", id)),
  }));
  for (const { path, data } of writes.slice(0, 500)) await coordinator.write(path, data);
  const target = { from: 0, to: 1023, status: "offline", group_id: -1 } as const;
  await coordinator.create(
    paths.intent,
    encodeIntent({
      kind: "change",
      at: Date.now(),
      change: {
        summary: "1024 slots, nobody's",
        writes,
        announcements: [{ type: "multi_slot_changed", target, mustConfirm: true }],
      },
    }),
  );
  await using dashboard = await DashboardServer.start(store);
  assertEquals((await loadSlots(store)).filter(({ group_id }) => group_id !== -1), []);
  assertEquals((await loadActionNames(store)).length, 1);
  assertEquals(await loadIntent(store), undefined);
  await dashboard.done("POST", "/api/slot", { from: 0, to: 1023, new_group: 1 });
});

Deno.test("a dashboard that takes over does not wait for proxies that are gone, and takes requests", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("127.0.0.1:1,127.0.0.1:2");
  // As kill -9 of a proxy and of the dashboard leaves them: a change is under way, a session lasts.
  using life = deadLife();
  await createProxy(store, { ...RECORD, state: "online", description: life.text });
  await createFence(store, RECORD.addr, life.text);
  const target = { from: 0, to: 9, status: "online", group_id: 1 } as const;
  const announcements = [{ type: "multi_slot_changed", target, mustConfirm: true }] as const;
  const change = { summary: "slots 0 to 9", writes: [], announcements };
  const intent = encodeIntent({ kind: "change", at: Date.now(), change });
  await store.coordinator.create(store.paths.intent, intent);
  const began = performance.now();
  await using dashboard = await DashboardServer.start(store, { waitsForLead: false });
  const refusals = new Set<string>();
  await until(async () => {
    const body = { from: 3, to: 3, new_group: 2 };
    const { status, text } = await dashboard.ask("POST", "/api/migrate", body);
    if (status !== 200) refusals.add(text);
    return status === 200;
  });
  for (const text of refusals) assertMatch(text, /no dashboard leads|taking over/);
  await dashboard.done("PUT", "/api/server_groups", { id: 7 });
  assertLess(performance.now() - began, 5_000);
  assertEquals(await loadIntent(store), undefined);
});

for (const isOldAlive of [true, false]) {
  const what = isOldAlive ? "undone while the old master answers" : "finished when it is down";
  Deno.test(`a promotion that was interrupted is ${what}`, async () => {
    await using folder = await StoreFolder.make();
    await using servers = await RedisServer.startMany(2);
    const store = await folder.openFilled(servers[0]!.addr);
    const [old, addr] = servers.map((server) => server.addr) as [string, string];
    {
      await using dashboard = await DashboardServer.start(store);
      await dashboard.done("PUT", "/api/server_group/1/addServer", { addr, type: "slave" });
    }
    using candidate = await servers[1]!.client();
    await until(async () =>
      /link_status:up/.test(`${await candidate.call("INFO", "replication")}`)
    );
    // As kill -9 leaves it after the candidate was told to follow nobody.
    assertEquals(await candidate.call("REPLICAOF", "NO", "ONE"), "OK");
    await store.coordinator.create(
      store.paths.intent,
      encodeIntent({ kind: "promote", at: Date.now(), group_id: 1, addr, old_addr: old }),
    );
    if (!isOldAlive) await servers[0]!.kill();
    await using dashboard = await DashboardServer.start(store);
    const group = (await dashboard.get("/api/server_group/1")).json;
    const types = Object.fromEntries(
      group.servers.map((server: { addr: string; type: string }) => [server.addr, server.type]),
    );
    const role = async () =>
      /role:(\w+)/.exec(`${await candidate.call("INFO", "replication")}`)![1];
    if (isOldAlive) {
      assertEquals(types, { [old]: "master", [addr]: "slave" });
      assertEquals(await role(), "slave");
    } else {
      assertEquals(types, { [old]: "offline", [addr]: "master" });
      assertEquals(await role(), "master");
    }
    assertEquals(await loadIntent(store), undefined);
  });
}

Deno.test("the entry of a Codis 2.0 dashboard is respected, unless it is to be taken over", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("127.0.0.1:1");
  const entry = '{"addr": "old:18087", "pid": 7}';
  await store.coordinator.create(store.paths.dashboard, entry);
  {
    await using polite = await DashboardServer.start(store, { waitsForLead: false });
    await delay(300);
    const { status, json } = await polite.ask("PUT", "/api/server_groups", { id: 7 });
    assertEquals([status, json.leader], [503, "old:18087"]);
    assertMatch(json.error, /stands by: the one at old:18087 leads, and cannot be reached$/);
    assertEquals(await readIfThere(store, store.paths.dashboard), entry);
  }
  await using heir = await DashboardServer.start(store, { takeOver: true });
  await heir.done("PUT", "/api/server_groups", { id: 7 });
});

Deno.test("half a change is finished before the next one", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("127.0.0.1:1");
  await using dashboard = await DashboardServer.start(store);
  await store.coordinator.create(
    store.paths.intent,
    encodeIntent({
      kind: "change",
      at: Date.now(),
      change: {
        summary: "slot 3: nobody's",
        writes: [{ path: store.paths.slot(3), data: encodeSlot(freshSlot("test", 3)) }],
        announcements: [],
      },
    }),
  );
  // The next change finishes it first.
  await dashboard.done("PUT", "/api/server_groups", { id: 7 });
  await dashboard.done("POST", "/api/slot", { from: 3, to: 3, new_group: 1 });
  assertEquals((await loadSlots(store))[3], slotIn("test", 3, 1, "online"));
  assertEquals(await loadIntent(store), undefined);
});
