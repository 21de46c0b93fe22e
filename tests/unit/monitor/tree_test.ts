/**
 * The tree as a dashboard knows it.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { SwitchingCoordinator } from "../../../src/coordinator/switching.ts";
import { encodeServer } from "../../../src/model/server.ts";
import { encodeSlot } from "../../../src/model/slot.ts";
import { encodeSlotRules } from "../../../src/model/slot_rule.ts";
import { TreeMonitor } from "../../../src/monitor/tree.ts";
import { loadSlot, loadSlots, saveSlot } from "../../../src/store/slots.ts";
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

Deno.test("what other processes have changed, and another store, is seen with the next reading", async () => {
  await using folder = await StoreFolder.make();
  await using place = await StoreFolder.make();
  const [store, other] = [await folder.openFilled("a:1,b:1"), await folder.open()];
  const coordinator = new SwitchingCoordinator(store.coordinator);
  const tree = new TreeMonitor({ ...store, coordinator });
  await tree.refresh();
  const groupsOf = () => tree.slots.map((slot) => slot?.group_id);
  const before = groupsOf();
  await saveSlot(other, { ...await loadSlot(store, 7), group_id: 2 });
  await tree.refresh();
  assertEquals(groupsOf(), before.with(7, 2));
  // Its entries have the same versions.
  const next = await place.openFilled("a:1,b:1,c:1");
  await coordinator.switchTo(next.coordinator);
  await tree.refresh();
  assertEquals(groupsOf(), (await loadSlots(next)).map(({ group_id }) => group_id));
  assertEquals(tree.slotCount(3), 341);
});

Deno.test("zones, rules and commands that cannot be read stay as they were, and are named until they can", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("a:1");
  const { serverZones, slotRules, allowedCommands } = store.paths;
  const rules = [{ pattern: "user:*:", tag: "" }];
  await store.coordinator.create(slotRules, encodeSlotRules({ rules, pending: null }));
  const tree = new TreeMonitor(store);
  await tree.refresh();
  const paths = [serverZones, slotRules, allowedCommands].sort();
  for (const path of paths) {
    await store.coordinator.write(path, "garbage")
      .catch(() => store.coordinator.create(path, "garbage"));
  }
  await tree.refresh();
  assertEquals(tree.unreadable.map(({ path }) => path).sort(), paths);
  assertEquals(tree.slotRules, rules);
  for (const path of paths) await store.coordinator.delete(path);
  await tree.refresh();
  assertEquals(tree.unreadable, []);
  assertEquals(tree.slotRules, []);
});
