/**
 * The tree as a dashboard knows it.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { encodeServer } from "../../../src/model/server.ts";
import { encodeSlot } from "../../../src/model/slot.ts";
import { TreeMonitor } from "../../../src/monitor/tree.ts";
import { loadSlot } from "../../../src/store/slots.ts";
import { StoreFolder } from "../../support/store.ts";

Deno.test("what is written while everything is read is not forgotten", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("a:1,b:1");
  // Slots are read before the change, and arrive after it.
  const gate = Promise.withResolvers<void>();
  const late = new Proxy(store.coordinator, {
    get(target, name) {
      const member = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return async (...args: unknown[]) => {
        const read = await member.apply(target, args);
        if (JSON.stringify(args).includes(store.paths.slots)) await gate.promise;
        return read;
      };
    },
  });
  const tree = new TreeMonitor({ ...store, coordinator: late });
  const refreshed = tree.refresh();
  await delay(100);
  const writes = [
    {
      path: store.paths.server(1, "a:1"),
      data: encodeServer({ type: "offline", group_id: 1, addr: "a:1" }),
    },
    {
      path: store.paths.slot(7),
      data: encodeSlot({ ...await loadSlot(store, 7), group_id: 2 }),
    },
  ];
  for (const { path, data } of writes) await store.coordinator.write(path, data);
  await tree.written(writes);
  gate.resolve();
  await refreshed;
  assertEquals(tree.groups[0]!.servers?.map(({ type }) => type), ["offline"]);
  assertEquals(tree.slots[7]!.group_id, 2);
});
