/**
 * What the store says of replicas and zones, as the router gets it.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { encodeServerZones } from "../../../../src/model/server_zone.ts";
import type { ServerType } from "../../../../src/model/server.ts";
import { ReplicaLoader } from "../../../../src/proxy/membership/replica_loader.ts";
import { createGroup, saveServer } from "../../../../src/store/groups.ts";
import { zonesWith } from "../../../../src/store/server_zones.ts";
import { RecordedSlotTable } from "../../../support/slot_table.ts";
import { StoreFolder } from "../../../support/store.ts";

Deno.test("each group's replicas are loaded with how far they are; offline servers are none", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  const servers: [number, ServerType, string][] = [
    [1, "master", "10.0.0.1:6379"],
    [1, "slave", "10.0.0.2:6379"],
    [1, "slave", "redis-3:6379"],
    [1, "offline", "redis-4:6379"],
    [2, "slave", "redis-5:6379"],
  ];
  for (const id of [1, 2]) await createGroup(store, id);
  for (const [group_id, type, addr] of servers) await saveServer(store, { type, group_id, addr });
  await store.coordinator.create(
    store.paths.serverZones,
    encodeServerZones([{ addr: "redis-3:6379", zone: "east" }, {
      addr: "10.0.0.1:6379",
      zone: "west",
    }]),
  );
  const table = new RecordedSlotTable();
  const place = { zone: "east", hosts: new Set(["10.0.0.2"]), lookMs: 0 };
  await new ReplicaLoader(store, table, place).load();
  assertEquals(table.replicas, [{
    groupId: 1,
    master: "10.0.0.1:6379",
    distance: 2,
    replicas: [
      { address: "10.0.0.2:6379", distance: 0 },
      { address: "redis-3:6379", distance: 1 },
    ],
  }]);
});

Deno.test("a zone of servers replaces the one before, and nothing is stored when none is left", () => {
  const [a, b] = [{ addr: "a:1", zone: "east" }, { addr: "b:1", zone: "west" }];
  assertEquals(zonesWith([], ["a:1"], "east"), encodeServerZones([a]));
  assertEquals(
    zonesWith([a, b], ["a:1"], "west"),
    encodeServerZones([b, { addr: "a:1", zone: "west" }]),
  );
  assertEquals(zonesWith([a], ["a:1"], ""), null);
});
