/**
 * What a registration guarantees about time: how often it asks, how long it waits, how long requests are
 * held. No test waits by the clock.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { ConnectionLossError } from "../../../../src/coordinator/errors.ts";
import {
  Registration,
  type RegistrationEvents,
  type RegistrationTimes,
} from "../../../../src/proxy/membership/registration.ts";
import { deleteFence, loadFences } from "../../../../src/store/fences.ts";
import { changeProxyState, createProxy, deleteProxy } from "../../../../src/store/proxies.ts";
import { type Store, StoreError } from "../../../../src/store/store.ts";
import { until } from "../../../support/deadline.ts";
import { FakeTimers } from "../../../support/fake_timers.ts";
import { RECORD } from "../../../support/proxy_record.ts";
import { StoreFolder } from "../../../support/store.ts";

const TIMES: RegistrationTimes = { takeoverMs: 300, gapMs: 60_000, askMs: 3_000, holdMs: 10_000 };

/** A registration with timers of its own, and what it has asked for. */
class TestRegistration implements AsyncDisposable {
  readonly timers = new FakeTimers();
  readonly asked: string[] = [];
  readonly registration: Registration;

  constructor(store: Store, events: Partial<RegistrationEvents> = {}) {
    this.registration = new Registration(
      store,
      RECORD,
      {
        askOnline: () => changeProxyState(store, RECORD.id, "online"),
        onOnline: () => Promise.resolve(void this.asked.push("load")),
        onMarkOffline: () => {},
        setServing: (serving) => this.asked.push(serving),
        ...events,
      },
      TIMES,
      this.timers,
    );
  }

  /** Waits until the last thing that was asked for is `what`. */
  async isAt(what: string): Promise<void> {
    await until(() => this.asked.at(-1) === what);
  }

  /** Lets time pass as soon as something waits for it to. */
  async advance(ms: number): Promise<void> {
    await until(() => this.timers.nextMs !== undefined);
    this.timers.advance(ms);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registration.stop();
  }
}

Deno.test("a proxy that is refused asks again after 200 ms, then less and less often, up to askMs", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("a:1");
  let asks = 0;
  await using test = new TestRegistration(store, {
    askOnline: () => {
      if (++asks < 7) return Promise.reject(new Error("no"));
      return changeProxyState(store, RECORD.id, "online");
    },
  });
  await test.registration.start();
  await until(() => test.timers.nextMs !== undefined);
  for (const [i, waitMs] of [200, 400, 800, 1_600, 3_000, 3_000].entries()) {
    test.timers.advance(waitMs - 1);
    assertEquals(asks, i + 1);
    await test.advance(1);
    await until(() => asks === i + 2);
  }
  await test.isAt("load");
});

Deno.test("an id that another process keeps is waited for no longer than takeoverMs", async () => {
  await using folder = await StoreFolder.make();
  const [store, other] = [await folder.openFilled("a:1"), await folder.open()];
  await createProxy(other, { ...RECORD, pid: 6 });
  await using test = new TestRegistration(store);
  const starting = assertRejects(() => test.registration.start(), StoreError, "is taken");
  await test.advance(300);
  await starting;
});

Deno.test("requests are held for a new table until holdMs, then refused until there is one", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("a:1");
  let slow = Promise.resolve();
  const test = new TestRegistration(store, {
    onOnline: () => slow.then(() => void test.asked.push("load")),
  });
  await using _stopped = test;
  await test.registration.start();
  await test.isAt("load");
  const { promise, resolve } = Promise.withResolvers<void>();
  slow = promise;
  await deleteFence(store, RECORD.addr);
  await test.isAt("held");
  test.timers.advance(9_999);
  assertEquals(test.asked.at(-1), "held");
  test.timers.advance(1);
  assertEquals(test.asked.at(-1), "refused");
  resolve();
  await test.isAt("serving");
  assertEquals(test.asked, ["load", "held", "refused", "load", "serving"]);
});

Deno.test("after a pause requests are held until holdMs, then served if the coordinator cannot be asked", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("a:1");
  await using test = new TestRegistration(store);
  await test.registration.start();
  await test.isAt("load");
  const { read } = store.coordinator;
  let reads = 0;
  store.coordinator.read = (path) => {
    reads++;
    return Promise.reject(new ConnectionLossError(path, "away"));
  };
  test.timers.pause(60_000);
  test.registration.table.checkGap();
  assertEquals(test.asked, ["load", "held"]);
  await until(() => reads > 0);
  test.timers.advance(9_999);
  assertEquals(test.asked.at(-1), "held");
  test.timers.advance(1);
  assertEquals(test.asked, ["load", "held", "serving"]);
  store.coordinator.read = read;
});

Deno.test("after a pause in which the table may have changed behind our fence it is loaded before requests are served", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("a:1");
  let isOvertaken = false;
  await using test = new TestRegistration(store, {
    isOvertaken: () => Promise.resolve(isOvertaken),
  });
  await test.registration.start();
  await test.isAt("load");
  for (const expected of [["held", "serving"], ["held", "load", "serving"]]) {
    test.asked.length = 0;
    test.timers.pause(60_000);
    test.registration.table.checkGap();
    await test.isAt("serving");
    assertEquals(test.asked, expected);
    isOvertaken = true;
  }
});

Deno.test("a process that runs on is not taken for one that was paused", async () => {
  await using folder = await StoreFolder.make();
  await using test = new TestRegistration(await folder.openFilled("a:1"));
  await test.registration.start();
  await test.isAt("load");
  test.timers.advance(600_000);
  assertEquals(test.asked, ["load"]);
});

Deno.test("a fence that is being made when the proxy leaves is removed, too", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("a:1");
  const test = new TestRegistration(store);
  const { coordinator, paths } = store;
  const create = coordinator.create.bind(coordinator);
  const [making, slow, made] = [1, 2, 3].map(() => Promise.withResolvers<void>());
  coordinator.create = async (path, ...more) => {
    if (path !== paths.fence(RECORD.addr)) return await create(path, ...more);
    making!.resolve();
    await slow!.promise;
    return await create(path, ...more).finally(made!.resolve);
  };
  await test.registration.start();
  await making!.promise;
  const stopping = test.registration.stop();
  await delay(50); // in which it would have removed what is not there yet
  slow!.resolve();
  await Promise.all([stopping, made!.promise]);
  await coordinator.close();
  assertEquals(await loadFences(await folder.open()), []);
});

Deno.test("a proxy that has left makes its fence no more, although it was looking for it", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("a:1");
  const test = new TestRegistration(store);
  await test.registration.start();
  await test.isAt("load");
  const { coordinator } = store;
  const children = coordinator.children.bind(coordinator);
  const [looking, slow] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  coordinator.children = async (path) => {
    looking.resolve();
    await slow.promise;
    return await children(path);
  };
  // It was paused, and looks whether its fence is there.
  test.timers.pause(60_000);
  test.registration.table.checkGap();
  await looking.promise;
  await test.registration.stop();
  coordinator.children = children;
  slow.resolve();
  await delay(50); // in which it would be made again
  assertEquals(await loadFences(store), []);
});

Deno.test("a table that is renewed is behind a fence, and was loaded since", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("a:1");
  await using test = new TestRegistration(store);
  await test.registration.start();
  await test.isAt("load");
  await deleteFence(store, RECORD.addr);
  const renewed = test.registration.table.renew();
  assertEquals(test.asked, ["load", "held"]);
  await renewed;
  assertEquals(test.asked.slice(0, 3), ["load", "held", "load"]);
  assertEquals(await loadFences(store), [RECORD.addr]);
});

Deno.test("who sets the proxy offline is heard; a lost entry is not taken for that", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("a:1");
  let offlines = 0;
  await using test = new TestRegistration(store, { onOffline: () => void offlines++ });
  await test.registration.start();
  await test.isAt("load");
  await deleteProxy(store, RECORD.id);
  await until(() => test.registration.registrations === 2 && test.registration.state === "online");
  assertEquals(offlines, 0);
  await changeProxyState(store, RECORD.id, "offline");
  await until(() => offlines === 1);
});
