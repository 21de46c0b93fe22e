/**
 * What a dashboard reports when a server stops answering: events, and how many slots are served.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import type { ClusterView } from "../../../src/api/cluster_view.ts";
import { concernsOf } from "../../../src/dashboard/page/attention.js";
import { slotIn } from "../../../src/model/slot.ts";
import { saveSlot } from "../../../src/store/slots.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";

Deno.test("a dead master is reported once, its slots are not served, and its return is reported", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(3);
  const [one, two, replica] = servers.map(({ addr }) => addr);
  const store = await folder.openFilled(`${one},${two}`);
  // One slot migrates from the group whose master dies, to the other.
  const migrating = slotIn("test", 5, 2, "migrate");
  const migrate_status = { from: 1, to: 2 };
  await saveSlot(store, { ...migrating, state: { ...migrating.state, migrate_status } });
  await using dashboard = await DashboardServer.start(store);
  await dashboard.done("PUT", "/api/server_group/2/addServer", { addr: replica, type: "slave" });
  const view = async (): Promise<ClusterView> => (await dashboard.get("/api/cluster")).json;
  const told = async () =>
    (await view()).events.filter(({ text }) => text.includes(" answer")).reverse()
      .map(({ level, text }) => `${level}: ${text.replace(/answer: [^\d].*/, "answer: …")}`);
  await until(async () => (await view()).groups[1]?.servers.length === 2);
  assertEquals((await view()).slots.served, 1024);

  // One after the other: of two that die at once, either may be noticed first.
  await servers[0]!.kill();
  await until(async () => (await told()).length === 1);
  await servers[2]!.kill();
  const down = [
    `error: group 1: the master ${one} does not answer: …`,
    `warning: group 2: the replica ${replica} does not answer: …`,
  ];
  await until(async () => (await told()).length === 2);
  assertEquals(await told(), down);
  const { slots, groups } = await view();
  assertEquals(slots.served, 512, "all but the one whose keys cannot be moved to group 2");
  assertEquals(groups[0]!.slots, 511);
  const [concern] = concernsOf(await view());
  assertMatch(
    concern!.text,
    new RegExp(`^Master ${one} of group 1, which owns 511 slots, has not`),
  );

  await servers[0]!.restart();
  await until(async () => (await view()).slots.served === 1024);
  await until(async () => (await told()).length === 3);
  const after = (await told())[2]!;
  assertMatch(after, /^info: group 1: the master .* answers again, after \d+ s$/);
});
