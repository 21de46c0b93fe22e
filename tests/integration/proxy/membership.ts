/**
 * A proxy's life with the coordinator, as one suite over any of them, with a table that only remembers.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import type { Timers } from "../../../src/base/timers.ts";
import { ConnectionLossError } from "../../../src/coordinator/errors.ts";
import type { ActionRecord } from "../../../src/model/action.ts";
import { decodeProxy, encodeProxy, type ProxyRecord } from "../../../src/model/proxy.ts";
import { freshSlot, slotIn } from "../../../src/model/slot.ts";
import { isSurelyGone, ProcessLife } from "../../../src/base/process_life.ts";
import { goOnline } from "../../../src/proxy/membership/go_online.ts";
import { Membership } from "../../../src/proxy/membership/membership.ts";
import { OwnEntry } from "../../../src/proxy/membership/own_entry.ts";
import type { RegistrationTimes } from "../../../src/proxy/membership/registration.ts";
import { OtherProcess } from "../../../src/proxy/upgrade/other_process.ts";
import { createAction, loadAnswers } from "../../../src/store/actions.ts";
import { createFence, deleteFence, loadFences } from "../../../src/store/fences.ts";
import { saveServer } from "../../../src/store/groups.ts";
import {
  changeProxyState,
  createProxy,
  deleteProxy,
  loadProxy,
  watchProxy,
} from "../../../src/store/proxies.ts";
import { saveSlot } from "../../../src/store/slots.ts";
import { type Store, StoreError } from "../../../src/store/store.ts";
import { CoordinatorProcess } from "../../support/coordinator_process.ts";
import { until, within } from "../../support/deadline.ts";
import { FakeTimers } from "../../support/fake_timers.ts";
import { deadLife } from "../../support/process_life.ts";
import { RECORD } from "../../support/proxy_record.ts";
import { RecordedSlotTable } from "../../support/slot_table.ts";
import type { StorePlace } from "../../support/store.ts";

const GROUP = { id: 1, product_name: "test", servers: null };

const TIMES: RegistrationTimes = { takeoverMs: 300, gapMs: 60_000, askMs: 20 };

/** A proxy under test, and what happened to it. */
export class TestProxy implements AsyncDisposable {
  readonly table = new RecordedSlotTable();
  readonly happened: string[] = [];
  readonly membership: Membership;
  readonly store: Store;

  constructor(
    store: Store,
    times: Partial<RegistrationTimes> = {},
    record: ProxyRecord = RECORD,
    timers?: Timers,
    other?: OtherProcess,
  ) {
    this.store = store;
    this.membership = new Membership(
      store,
      record,
      this.table,
      {
        askOnline: () => goOnline(store, record.id, undefined),
        onServing: () => this.happened.push("loaded"),
        onMarkOffline: () => this.happened.push("mark_offline"),
        setServing: (serving) => this.happened.push(serving),
      },
      { ...TIMES, ...times },
      timers,
      undefined,
      undefined,
      other,
    );
  }

  async start(): Promise<this> {
    await this.membership.start();
    await this.seen("loaded");
    return this;
  }

  /** Waits until something has happened `times` times. */
  async seen(what: string, times = 1): Promise<void> {
    await until(() => this.happened.filter((each) => each === what).length >= times);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.membership.stop();
  }
}

/** Sends a dashboard's action for every proxy that is online. */
export async function send(
  store: Store,
  action: Pick<ActionRecord, "type" | "target">,
  receivers: ProxyRecord[] = [RECORD],
): Promise<string> {
  const json = receivers.map((proxy) => encodeProxy({ ...proxy, state: "online" }));
  return await createAction(
    store,
    { ...action, desc: "", ts: "1", receivers: json } as ActionRecord,
  );
}

/** Waits until proxy_1 has answered an action. */
export async function answered(store: Store, name: string): Promise<void> {
  await until(async () => (await loadAnswers(store, name)).includes("proxy_1"));
}

/** One kind of coordinator. */
export interface MembershipSubject {
  readonly name: string;
  /** An empty place for the stores of one test. */
  start(): Promise<StorePlace>;
}

/** Registers the suite; `register` hands a test to `Deno.test`. */
export function testMembership(
  subject: MembershipSubject,
  register: (name: string, body: () => Promise<void>) => void,
): void {
  const test = (promise: string, body: () => Promise<void>) =>
    register(`${subject.name}: ${promise}`, body);

  test("a proxy registers, goes online, loads 1024 slots and leaves nothing behind", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1,b:2");
    const proxy = await new TestProxy(store).start();
    assertEquals(await loadProxy(store, "proxy_1"), { ...RECORD, state: "online" });
    assertEquals(await loadFences(store), ["here:9000"]);
    assertEquals(proxy.table.fills.size, 1024);
    assertEquals(proxy.table.fills.get(0), {
      slotId: 0,
      groupId: 1,
      backendAddr: "a:1",
      migrateFromAddr: "",
      migrateFromGroupId: -1,
      isBlocked: false,
    });
    assertEquals(proxy.table.fills.get(1023)?.backendAddr, "b:2");
    assertEquals(proxy.membership.registration.staleMs, 0);
    await proxy.membership.stop();
    await proxy.membership.stop();
    assertEquals(proxy.membership.registration.state, "stopped");
    assertEquals(await loadProxy(store, "proxy_1"), undefined);
    assertEquals(await loadFences(store), []);
    assertEquals(proxy.happened, ["loaded"]);
  });

  test("a proxy waits until its slots can be served, and then goes online by itself", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1");
    await saveSlot(store, freshSlot("test", 5));
    await using proxy = new TestProxy(store);
    await proxy.membership.start();
    assertEquals((await loadProxy(store, "proxy_1"))?.state, "offline");
    assertEquals(proxy.membership.registration.state, "waiting");
    assertEquals(await loadFences(store), [], "it serves nobody, and holds up nobody");
    await saveSlot(store, slotIn("test", 5, 1, "online"));
    await proxy.seen("loaded");
    assertEquals(proxy.table.fills.size, 1024);
    assertEquals(await loadFences(store), ["here:9000"]);
  });

  test("a proxy is fenced before it reads its first table, and reads it only while online", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1,b:2");
    await using proxy = new TestProxy(store);
    let isFirst = true;
    const { read } = store.coordinator;
    store.coordinator.read = async function (path) {
      // Behind its back, between "online" and its fence, somebody sets it offline and changes a slot.
      if (
        isFirst && path === store.paths.proxy("proxy_1") && (await loadFences(store)).length > 0
      ) {
        isFirst = false;
        assertEquals(proxy.table.fills.size, 0, "nothing was read before the fence");
        await changeProxyState(store, "proxy_1", "offline");
        await saveSlot(store, slotIn("test", 3, 2, "online"));
        setTimeout(() => changeProxyState(store, "proxy_1", "online"), 50);
      }
      return await read.call(this, path);
    };
    await proxy.start();
    assertEquals(isFirst, false);
    assertEquals(proxy.table.fills.get(3)?.backendAddr, "b:2");
    assertEquals(await loadFences(store), ["here:9000"]);
  });

  test("an action is answered only when it is in force", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1,b:2");
    await using proxy = await new TestProxy(store).start();
    const slot = slotIn("test", 3, 2, "online");
    await saveSlot(store, slot);
    const goOn = proxy.table.slow(3);
    const name = await send(store, { type: "slot_changed", target: slot });
    const other = await send(store, { type: "group_remove", target: GROUP });
    await delay(100);
    assertEquals(await loadAnswers(store, name), []);
    assertEquals(await loadAnswers(store, other), [], "one after the other");
    goOn();
    await answered(store, name);
    assertEquals(proxy.table.fills.get(3)?.backendAddr, "b:2");
    await answered(store, other);
    const answer = await store.coordinator.read(store.paths.answer(name, "proxy_1"));
    assertEquals(answer.data, encodeProxy({ ...RECORD, state: "online" }));
  });

  test("a migration goes through blocked, pulling and at rest; blocked again, its keys are in two groups", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1,b:2");
    await using proxy = await new TestProxy(store).start();
    const premigrate = slotIn("test", 7, 1, "pre_migrate");
    const migrate = {
      ...slotIn("test", 7, 2, "migrate"),
      state: { status: "migrate", migrate_status: { from: 1, to: 2 }, last_op_ts: "0" },
    } as const;
    const online = slotIn("test", 7, 2, "online");
    const reversing = { ...migrate, state: { ...migrate.state, status: "pre_migrate" } } as const;
    const steps = [
      ["slot_premigrate", premigrate],
      ["slot_migrate", migrate],
      ["slot_premigrate", reversing],
      ["slot_migrate", migrate],
      ["slot_changed", online],
    ] as const;
    for (const [type, target] of steps) {
      await saveSlot(store, target);
      await answered(store, await send(store, { type, target }));
    }
    const seen = proxy.table.history.filter(({ slotId }) => slotId === 7).map(({ fill }) => [
      fill?.backendAddr,
      fill?.migrateFromAddr,
      fill?.migrateFromGroupId,
      fill?.isBlocked,
    ]);
    assertEquals(seen, [
      ["a:1", "", -1, false],
      ["a:1", "", -1, true],
      ["b:2", "a:1", 1, false],
      ["b:2", "a:1", 1, true],
      ["b:2", "a:1", 1, false],
      ["b:2", "", -1, false],
    ]);
  });

  test("no action is skipped, and none that is for others is answered", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1,b:2");
    const before = await send(store, {
      type: "slot_changed",
      target: slotIn("test", 1, 1, "online"),
    });
    await using proxy = await new TestProxy(store).start();
    const goOn = proxy.table.slow(100);
    const names: string[] = [];
    for (let slotId = 100; slotId < 130; slotId++) {
      const target = slotIn("test", slotId, 2, "online");
      await saveSlot(store, target);
      names.push(await send(store, { type: "slot_changed", target }));
    }
    const earlier = { ...RECORD, pid: 6 };
    const foreign = await send(
      store,
      { type: "slot_changed", target: slotIn("test", 200, 1, "online") },
      [earlier],
    );
    goOn();
    for (const name of names) await answered(store, name);
    await until(() => proxy.membership.lastAction === foreign);
    assertEquals(proxy.table.version, Number(foreign), "every proxy numbers alike");
    assertEquals(await loadAnswers(store, foreign), []);
    assertEquals(await loadAnswers(store, before), []);
    const order = proxy.table.history.slice(1024).map(({ slotId }) => slotId);
    assertEquals(order, Array.from({ length: 30 }, (_, i) => 100 + i));
  });

  test("a new master reaches the slots of its group, also those on their way out", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1,b:2");
    const leaving = {
      ...slotIn("test", 7, 2, "migrate"),
      state: { status: "migrate", migrate_status: { from: 1, to: 2 }, last_op_ts: "0" },
    } as const;
    await saveSlot(store, leaving);
    await using proxy = await new TestProxy(store).start();
    await saveServer(store, { type: "offline", group_id: 1, addr: "a:1" });
    // Between the two writes the group has no master: such a slot is not served, the rest is.
    await answered(
      store,
      await send(store, { type: "slot_changed", target: slotIn("", 9, 1, "online") }),
    );
    assertEquals(proxy.table.fills.has(9), false);
    assertEquals(proxy.table.fills.get(8)?.backendAddr, "a:1");
    await saveServer(store, { type: "master", group_id: 1, addr: "c:3" });
    await answered(store, await send(store, { type: "group_changed", target: GROUP }));
    const of = (slotId: number) => proxy.table.fills.get(slotId);
    assertEquals([of(0)?.backendAddr, of(9)?.backendAddr, of(511)?.backendAddr], [
      "c:3",
      "c:3",
      "c:3",
    ]);
    assertEquals([of(7)?.backendAddr, of(7)?.migrateFromAddr], ["b:2", "c:3"]);
    assertEquals(of(1023)?.backendAddr, "b:2");
  });

  test("slots whose records cannot be read at the start are served within seconds of their repair", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1,b:2");
    const paths = [store.paths.server(1, "a:1"), store.paths.slot(1000)];
    const texts = await Promise.all(
      paths.map(async (path) => (await store.coordinator.read(path)).data),
    );
    await store.coordinator.write(paths[0]!, "garbage");
    await using proxy = new TestProxy(store);
    await proxy.start();
    await store.coordinator.write(paths[1]!, "garbage");
    const target = slotIn("test", 1000, 2, "online");
    await answered(store, await send(store, { type: "slot_changed", target }));
    assertEquals(proxy.table.fills.size, 511);
    const { count, reason } = proxy.membership.slots.faults;
    assertEquals(count, 513);
    assert(reason.startsWith(`${paths[0]} cannot be read: `), reason);
    for (const [i, path] of paths.entries()) await store.coordinator.write(path, texts[i]!);
    await until(() => proxy.table.fills.size === 1024, 6_000);
    assertEquals(proxy.table.fills.get(0)?.backendAddr, "a:1");
    assertEquals(proxy.membership.slots.faults, { count: 0, reason: "" });
  });

  test("a proxy whose store has lost all data holds up nobody who sets it up again, and then serves", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1,b:2");
    const { slots, servers, actions, responses, fences, proxies } = store.paths;
    await using proxy = await new TestProxy(store).start();
    const target = slotIn("test", 9, 1, "online");
    await answered(store, await send(store, { type: "slot_changed", target }));
    for (const path of [slots, servers, actions, responses, fences, proxies]) {
      await store.coordinator.deleteTree(path);
    }
    await until(async () => (await loadProxy(store, "proxy_1"))?.state === "offline");
    await until(() => proxy.table.fills.size === 0);
    await until(async () => (await loadFences(store)).length === 0);
    await delay(300);
    assertEquals(await loadFences(store), [], "it serves nobody");
    await saveServer(store, { type: "master", group_id: 1, addr: "c:3" });
    for (let slotId = 0; slotId < 1024; slotId++) {
      await saveSlot(store, slotIn("test", slotId, 1, "online"));
    }
    await until(() => proxy.table.fills.size === 1024);
    assertEquals(await loadFences(store), ["here:9000"]);
    assertEquals(proxy.table.fills.get(0)?.backendAddr, "c:3");
    await answered(store, await send(store, { type: "slot_changed", target }));
    await deleteFence(store, "here:9000");
    await until(async () => (await loadFences(store)).length === 1);
  });

  test("slots taken away by range are reset, and the proxy lives on", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1");
    await using proxy = await new TestProxy(store).start();
    await saveSlot(store, freshSlot("test", 0));
    await answered(
      store,
      await send(store, { type: "slot_changed", target: freshSlot("test", 0) }),
    );
    assertEquals(proxy.table.fills.has(0), false);
    const range = { from: 10, to: 19, status: "offline", group_id: 1 } as const;
    await answered(store, await send(store, { type: "multi_slot_changed", target: range }));
    assertEquals(proxy.table.fills.size, 1024 - 11);
    const back = { ...range, status: "online" } as const;
    await answered(store, await send(store, { type: "multi_slot_changed", target: back }));
    assertEquals(proxy.table.fills.size, 1024 - 1);
  });

  test("an operator's mark_offline is passed on once", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1");
    await using proxy = await new TestProxy(store).start();
    await changeProxyState(store, "proxy_1", "mark_offline");
    await proxy.seen("mark_offline");
    await proxy.membership.stop();
    assertEquals(proxy.happened, ["loaded", "mark_offline"]);
    assertEquals(await loadProxy(store, "proxy_1"), undefined);
  });

  test("a proxy finds the store set back by its actions, reads all of it, and answers those of low numbers", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1,b:2");
    await using proxy = await new TestProxy(store).start();
    const { actions, responses } = store.paths;
    const target = slotIn("test", 9, 1, "online");
    for (let i = 0; i < 3; i++) {
      await answered(store, await send(store, { type: "slot_changed", target }));
    }
    const version = proxy.table.version;
    await saveSlot(store, slotIn("test", 3, 2, "online"));
    await store.coordinator.deleteTree(responses);
    await store.coordinator.deleteTree(actions);
    const other = slotIn("test", 10, 1, "online");
    const action = await send(store, { type: "slot_changed", target: other });
    await answered(store, action);
    await until(() => proxy.membership.lastAction === action);
    assertEquals(proxy.table.fills.get(3)?.backendAddr, "b:2", "no action has named it");
    assertEquals(proxy.happened.slice(0, 3), ["loaded", "held", "loaded"]);
    await proxy.seen("serving");
    assert(proxy.table.version >= version, "what was numbered later is later");
    await answered(store, await send(store, { type: "slot_changed", target }));
  });

  test("a proxy that was paused while the store was set back serves no request by the table of before", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1,b:2");
    await using proxy = await new TestProxy(store).start();
    const target = slotIn("test", 9, 1, "online");
    await answered(store, await send(store, { type: "slot_changed", target }));
    const { coordinator, paths } = store;
    await saveSlot(store, slotIn("test", 3, 2, "online"));
    await coordinator.deleteTree(paths.actions);
    proxy.membership.registration.table.notePause();
    await proxy.seen("serving");
    assertEquals(proxy.table.fills.get(3)?.backendAddr, "b:2");
  });

  test("a store that was set back is read anew although that fails at first, and no action is missed", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1,b:2");
    await using proxy = await new TestProxy(store).start();
    const target = slotIn("test", 9, 1, "online");
    await answered(store, await send(store, { type: "slot_changed", target }));
    await saveSlot(store, slotIn("test", 3, 2, "online"));
    const { coordinator, paths } = store;
    const { adopt } = coordinator;
    let failures = 0;
    coordinator.adopt = function (...args) {
      if (failures++ < 2) return Promise.reject(new ConnectionLossError(args[0], "cut"));
      return adopt.apply(this, args);
    };
    await coordinator.deleteTree(paths.responses);
    await coordinator.deleteTree(paths.actions);
    const other = slotIn("test", 10, 1, "online");
    await answered(store, await send(store, { type: "slot_changed", target: other }));
    assertEquals(proxy.table.fills.get(3)?.backendAddr, "b:2");
    assert(failures > 2);
  });

  test("an action gets a number above all others, whatever the coordinator counts", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1");
    await using proxy = await new TestProxy(store).start();
    const target = slotIn("test", 9, 1, "online");
    const first = await send(store, { type: "slot_changed", target });
    await answered(store, first);
    const high = `${Number(first) + 5000}`.padStart(first.length, "0");
    const { data } = await store.coordinator.read(store.paths.action(first));
    await store.coordinator.create(store.paths.action(high), data);
    await until(() => proxy.membership.lastAction === high);
    await store.coordinator.deleteTree(store.paths.responses);
    await using late = await new TestProxy(store, {}, { ...RECORD, id: "proxy_2", addr: "b:1" })
      .start();
    for (let i = 0; i < 12; i++) {
      const name = await send(store, { type: "slot_changed", target });
      await answered(store, name);
      assertEquals(Number(name), Number(high) + i + 1);
      assertEquals(name.length, first.length);
      await until(() => late.membership.lastAction === name);
    }
    assertEquals(proxy.happened, ["loaded"], "nothing was set back");
  });

  test("a proxy whose entry was deleted registers again, its slots kept meanwhile", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1,b:2");
    await using proxy = await new TestProxy(store).start();
    const moved = slotIn("test", 4, 2, "online");
    await saveSlot(store, moved);
    await deleteProxy(store, "proxy_1");
    await proxy.seen("loaded", 2);
    assertEquals(await loadProxy(store, "proxy_1"), { ...RECORD, state: "online" });
    assertEquals(proxy.membership.registration.registrations, 2);
    assertEquals(proxy.table.fills.get(4)?.backendAddr, "b:2", "the table was read again");
    assertEquals(proxy.table.history.length, 1024 + 1, "and what had not changed was left alone");
    assertEquals(proxy.happened, ["loaded", "loaded"], "no request had to wait");
    await answered(store, await send(store, { type: "slot_changed", target: moved }));
  });

  test("requests wait for a new table when the fence was removed behind our back", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1");
    await using proxy = await new TestProxy(store).start();
    await deleteFence(store, "here:9000");
    await deleteProxy(store, "proxy_1");
    await proxy.seen("serving");
    // Loaded behind the fence, and perhaps once more when it is online again.
    const distinct = proxy.happened.filter((what, i, all) => what !== all[i - 1]);
    assertEquals(distinct.slice(0, 4), ["loaded", "held", "loaded", "serving"]);
    assertEquals(await loadFences(store), ["here:9000"]);
  });

  test("a fence that is removed while the proxy serves is made again, and the table read behind it", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1,b:2");
    await using proxy = await new TestProxy(store).start();
    // As Codis 2.0's tools do it: somebody sets the proxy offline, the dead fence is removed, slots change.
    await changeProxyState(store, "proxy_1", "offline");
    await until(() => proxy.membership.registration.state === "waiting");
    const goOn = proxy.table.slow(3);
    await saveSlot(store, slotIn("test", 3, 2, "online"));
    await deleteFence(store, "here:9000");
    await proxy.seen("held");
    await until(async () => (await loadFences(store)).length === 1);
    assertEquals(proxy.happened, ["loaded", "held"], "nothing is served by the old table");
    goOn();
    await proxy.seen("serving");
    assertEquals(proxy.table.fills.get(3)?.backendAddr, "b:2");
    assertEquals(proxy.membership.registration.state, "waiting");
    await proxy.membership.stop();
    assertEquals(await loadFences(store), []);
  });

  test("requests wait no longer than their bound for a new table, and then get errors", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1,b:2");
    await using proxy = await new TestProxy(store, { holdMs: 50 }).start();
    const goOn = proxy.table.slow(3);
    await saveSlot(store, slotIn("test", 3, 2, "online"));
    await deleteFence(store, "here:9000");
    await deleteProxy(store, "proxy_1");
    await proxy.seen("refused");
    assertEquals(proxy.happened, ["loaded", "held", "refused"]);
    goOn();
    await proxy.seen("serving");
    assertEquals(proxy.happened.slice(3).filter((what) => what !== "loaded"), ["serving"]);
    assertEquals(proxy.table.fills.get(3)?.backendAddr, "b:2");
  });

  test("a new table is read behind the fence, also when the proxy is not set online", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1,b:2");
    await using proxy = await new TestProxy(store).start();
    await saveSlot(store, slotIn("test", 3, 2, "online"));
    await saveSlot(store, freshSlot("test", 4)); // an offline slot keeps every proxy from going online
    await deleteFence(store, "here:9000");
    await deleteProxy(store, "proxy_1");
    await proxy.seen("serving");
    await until(() => proxy.membership.registration.state === "waiting");
    assertEquals(proxy.table.fills.get(3)?.backendAddr, "b:2");
    assertEquals(await loadFences(store), ["here:9000"]);
  });

  test("a process paused while it was not online doubts its table as well", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1,b:2");
    const timers = new FakeTimers();
    await using proxy = await new TestProxy(store, { gapMs: 300 }, RECORD, timers).start();
    await saveSlot(store, freshSlot("test", 4));
    await changeProxyState(store, "proxy_1", "offline");
    await until(() => proxy.membership.registration.state === "waiting");
    await saveSlot(store, slotIn("test", 3, 2, "online"));
    timers.pause(700);
    proxy.membership.registration.table.checkGap();
    assertEquals(proxy.happened.at(-1), "held");
    await proxy.seen("serving");
    assertEquals(proxy.table.fills.get(3)?.backendAddr, "b:2");
  });

  test("a paused process makes sure of its place before it serves on", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1");
    const timers = new FakeTimers();
    await using proxy = await new TestProxy(store, { gapMs: 300 }, RECORD, timers).start();
    timers.pause(700);
    proxy.membership.registration.table.checkGap();
    await proxy.seen("serving");
    assertEquals(proxy.happened, ["loaded", "held", "serving"]);
  });

  test("a pause that only a worker has noticed is checked as well", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1");
    await using proxy = new TestProxy(store);
    // There is no table yet that could be old: nobody waits.
    proxy.membership.registration.table.notePause();
    assertEquals(proxy.happened, ["serving"]);
    await proxy.start();
    proxy.membership.registration.table.notePause();
    proxy.membership.registration.table.notePause();
    assertEquals(proxy.happened, ["serving", "loaded", "held"]);
    await proxy.seen("serving", 2);
    assertEquals(proxy.happened, ["serving", "loaded", "held", "serving"]);
  });

  test("a proxy that is set offline serves its last table until it is online again", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1");
    await using proxy = await new TestProxy(store).start();
    await changeProxyState(store, "proxy_1", "offline");
    await until(() => proxy.membership.registration.state === "waiting");
    assert(proxy.membership.registration.staleMs >= 0);
    assertEquals(proxy.table.fills.size, 1024);
    await changeProxyState(store, "proxy_1", "online");
    await proxy.seen("loaded", 2);
  });

  test("while one process takes over from another, their proxy is never away, nor offline", async () => {
    await using folder = await subject.start();
    const [store, newStore] = [await folder.openFilled("a:1"), await folder.open()];
    const [toNew, toOld] = [new OtherProcess(), new OtherProcess()];
    const old = await new TestProxy(store, {}, RECORD, undefined, toNew).start();
    toNew.joined(false, "", () => {});
    toOld.joined(true, "", () => {});
    await using proxy = await new TestProxy(newStore, {}, RECORD, undefined, toOld).start();
    toNew.serves();
    const seen: (string | undefined)[] = [];
    const watch = watchProxy(newStore, "proxy_1");
    const watching = (async () => {
      for await (const entry of watch) seen.push(entry && decodeProxy(entry.data).state);
    })();
    await old.membership.stop();
    await proxy.membership.registration.setLife("life of the new one");
    await toOld.left();
    await store.coordinator.close();
    const entry = await loadProxy(newStore, "proxy_1");
    assertEquals([entry?.state, entry?.description], ["online", "life of the new one"]);
    watch.close();
    await watching;
    assertEquals(new Set(seen), new Set(["online"]));
    assertEquals([proxy.happened, proxy.membership.registration.registrations], [["loaded"], 1]);
  });

  test("whose end proves a proxy's is stored, also when that changes while it registers", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1");
    const own = new OwnEntry(store, RECORD, new OtherProcess());
    const creating = own.create();
    await own.setLife("life of the new one");
    await creating;
    assertEquals((await loadProxy(store, "proxy_1"))?.description, "life of the new one");
  });

  test("a second proxy of the same id is refused, by name", async () => {
    await using folder = await subject.start();
    const [store, other] = [await folder.openFilled("a:1"), await folder.open()];
    await using proxy = await new TestProxy(store).start();
    const second = new TestProxy(other, {}, { ...RECORD, pid: 8, addr: "there:9000" });
    await assertRejects(() => second.membership.start(), StoreError, 'proxy_id "proxy_1" is taken');
    await second.membership.stop();
    assertEquals(await loadFences(store), ["here:9000"]);
    assertEquals(
      (await loadProxy(store, "proxy_1"))?.pid,
      proxy.membership.registration.record.pid,
    );
  });

  test("a proxy takes its id over from an earlier process that is killed", async () => {
    await using folder = await subject.start();
    const store = await folder.openFilled("a:1");
    const earlier = await CoordinatorProcess.start(folder.config);
    const json = encodeProxy({ ...RECORD, pid: 6 });
    await earlier.call("create", store.paths.proxy("proxy_1"), json, "ephemeral");
    await using proxy = new TestProxy(store, { takeoverMs: 10_000 });
    const starting = proxy.membership.start();
    await earlier.kill();
    await within(starting);
    await proxy.seen("loaded");
    assertEquals((await loadProxy(store, "proxy_1"))?.pid, 7);
  });

  test("a proxy takes its place at once from an earlier process that is surely gone", async () => {
    await using folder = await subject.start();
    const [store, other] = [await folder.openFilled("a:1"), await folder.open()];
    // Its session lasts, as after kill -9 while nobody has noticed it yet.
    using life = deadLife();
    const earlier = { ...RECORD, pid: 6, description: life.text };
    await createProxy(other, earlier);
    await createFence(other, RECORD.addr, life.text);
    await saveSlot(store, freshSlot("test", 5));
    await using proxy = new TestProxy(store, { takeoverMs: 60_000 });
    await within(proxy.membership.start());
    assertEquals((await loadProxy(store, "proxy_1"))?.pid, 7);
    assertEquals(await loadFences(store), [], "and its fence is gone with it");
    await until(() => !isSurelyGone(life.text), 2_000); // and the file that told so
    await saveSlot(store, slotIn("test", 5, 1, "online"));
    await proxy.seen("loaded");
    assertEquals(proxy.membership.registration.registrations, 1);
  });

  test("a proxy waits for an earlier process that lives, and leaves its fence", async () => {
    await using folder = await subject.start();
    const [store, other] = [await folder.openFilled("a:1"), await folder.open()];
    const life = ProcessLife.begin("a test");
    await createProxy(other, { ...RECORD, pid: 6, description: life.text });
    await createFence(other, RECORD.addr, life.text);
    const proxy = new TestProxy(store);
    await assertRejects(() => proxy.membership.start(), StoreError, 'proxy_id "proxy_1" is taken');
    await proxy.membership.stop();
    assertEquals((await loadProxy(store, "proxy_1"))?.pid, 6);
    assertEquals(await loadFences(store), ["here:9000"]);
    life.end();
  });

  test("a proxy that is stopped at its start, or while it waits for its id, leaves nothing behind", async () => {
    await using folder = await subject.start();
    const [store, other] = [await folder.openFilled("a:1"), await folder.open()];
    await using _proxy = await new TestProxy(store).start();
    const record = { ...RECORD, pid: 8, addr: "x:1" };
    for (const waitMs of [0, 50]) {
      const second = new TestProxy(other, { takeoverMs: 60_000 }, record);
      const starting = second.membership.start();
      if (waitMs > 0) await delay(waitMs);
      await within(second.membership.stop());
      await starting;
    }
    assertEquals(await loadFences(store), ["here:9000"]);
    assertEquals((await loadProxy(store, "proxy_1"))?.pid, 7);
  });
}
