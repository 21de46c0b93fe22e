/**
 * What the dashboard guarantees about proxies that do not confirm a change: which are named, which are
 * waited for and for how long, and which get the action again.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { type ConfirmContext, Confirmer } from "../../../src/control/confirm.ts";
import type { Announcement } from "../../../src/control/control.ts";
import { UnconfirmedError } from "../../../src/control/errors.ts";
import { Publisher } from "../../../src/control/publish.ts";
import { encodeProxy, type ProxyRecord } from "../../../src/model/proxy.ts";
import { slotIn } from "../../../src/model/slot.ts";
import { loadAction, loadActionNames } from "../../../src/store/actions.ts";
import { createProxy, deleteProxy, loadProxy } from "../../../src/store/proxies.ts";
import { type Store, StoreError } from "../../../src/store/store.ts";
import { until } from "../../support/deadline.ts";
import { FakeTimers } from "../../support/fake_timers.ts";
import { RECORD } from "../../support/proxy_record.ts";
import { StoreFolder } from "../../support/store.ts";

const [A, B] = ["a", "b"].map((id): ProxyRecord => ({
  ...RECORD,
  id,
  addr: `${id}:1`,
  state: "online",
})) as [ProxyRecord, ProxyRecord];

const CHANGE: Announcement = {
  type: "slot_premigrate",
  target: slotIn("test", 5, 1, "pre_migrate"),
  mustConfirm: true,
};

/** A publisher whose time passes only in {@linkcode Publishing.until}. */
class Publishing {
  readonly store: Store;
  readonly timers = new FakeTimers();
  readonly events: string[] = [];
  readonly publisher: Publisher;

  private constructor(store: Store, context: Partial<ConfirmContext>) {
    this.store = store;
    this.publisher = new Publisher(
      store,
      new Confirmer(
        store,
        {
          isOurs: () => true,
          seemsGone: () => Promise.resolve(false),
          holdsUpFailover: () => false,
          reasonOf: () => Promise.resolve("it is busy"),
          report: (level, text) => void this.events.push(`${level}: ${text}`),
          checkLead: () => Promise.resolve(),
          ...context,
        },
        {},
        this.timers,
      ),
    );
  }

  static async start(
    folder: StoreFolder,
    proxies: readonly ProxyRecord[],
    context: Partial<ConfirmContext> = {},
  ): Promise<Publishing> {
    const store = await folder.openFilled("x:1");
    for (const proxy of proxies) await createProxy(store, proxy);
    return new Publishing(store, context);
  }

  /** Lets time pass until something has happened; none passes while only the store is waited for. */
  async until(isDone: () => boolean | Promise<boolean>): Promise<void> {
    await until(async () => {
      if (await isDone()) return true;
      if (this.timers.nextMs !== undefined) this.timers.advance(500);
      return false;
    });
  }

  /** Lets time pass until `promise` is settled. */
  async settled(promise: Promise<unknown>): Promise<void> {
    let isSettled = false;
    promise.catch(() => {}).finally(() => isSettled = true);
    await this.until(() => isSettled);
  }

  /** Waits, without letting time pass, until an action is stored; returns its name. */
  async action(number: number): Promise<string> {
    await until(async () => (await loadActionNames(this.store)).length >= number);
    return (await loadActionNames(this.store))[number - 1]!;
  }

  async confirm(action: string, id: string): Promise<void> {
    await this.store.coordinator.create(this.store.paths.answer(action, id), "");
  }
}

Deno.test("a proxy that is gone is named once, and a silent one is marked offline after 30 s", async () => {
  await using folder = await StoreFolder.make();
  const publishing = await Publishing.start(folder, [A, B]);
  const { store, timers, events } = publishing;
  const published = publishing.publisher.publish([CHANGE]);
  await publishing.action(1);
  await deleteProxy(store, "b");
  await publishing.settled(published);
  const error = await assertRejects(() => published, UnconfirmedError);
  const text = error.message.replace(/action \d+/, "action N");
  assertEquals(
    text,
    "receiver timeout: slot_premigrate (action N) was not confirmed by a (it is busy), " +
      "b (it is gone); marked offline: a",
  );
  assertEquals(events[0], "warning: proxy a has not confirmed yet: it is busy");
  assertEquals(events.length, 3, "one warning, one that a has not left, one error");
  // 30 s to confirm, and 15 s to leave.
  assertEquals(Math.round(timers.nowMs() / 1000), 45);
  assertEquals((await loadProxy(store, "a"))?.state, "mark_offline");
  assertEquals(publishing.publisher.confirmer.waitingFor, []);
});

Deno.test("an action that is gone from the store is sent again, and nobody is marked offline for it", async () => {
  await using folder = await StoreFolder.make();
  const publishing = await Publishing.start(folder, [A, B]);
  const { store, events, publisher } = publishing;
  const published = publisher.publish([CHANGE]);
  const first = await publishing.action(1);
  await publishing.confirm(first, "a");
  await until(() => publisher.confirmer.afterMs(first).has("a"));
  await store.coordinator.deleteTree(store.paths.actions);
  await store.coordinator.deleteTree(store.paths.responses);
  await publishing.until(async () => (await loadActionNames(store)).length === 1);
  const [again] = await loadActionNames(store);
  assertEquals((await loadAction(store, again!)).receivers, [encodeProxy(B)]);
  assertEquals(events.length, 1);
  await publishing.confirm(again!, "b");
  await publishing.settled(published);
  await published;
  assertEquals((await loadProxy(store, "b"))?.state, "online");
});

Deno.test("a proxy whose process is gone is not waited for, and it is not marked offline", async () => {
  await using folder = await StoreFolder.make();
  const publishing = await Publishing.start(folder, [A, B], {
    seemsGone: ({ id }) => Promise.resolve(id === "b"),
  });
  const { publisher, store, timers } = publishing;
  const published = publisher.publish([CHANGE]);
  await publishing.confirm(await publishing.action(1), "a");
  await publishing.settled(published);
  await assertRejects(
    () => published,
    UnconfirmedError,
    "was not confirmed by b (it is gone, and its session has not ended yet)",
  );
  assertEquals(timers.nowMs() < 3_000, true);
  assertEquals((await loadProxy(store, "b"))?.state, "online");
  // No slot is blocked again until its session has ended.
  await publisher.checkPresent([A, { ...B, state: "offline" }]);
  await assertRejects(
    () => publisher.checkPresent([A, B]),
    StoreError,
    "proxy b at b:1 seems to be gone",
  );
});

Deno.test("a change on which a failover waits does not wait for a proxy that hangs", async () => {
  await using folder = await StoreFolder.make();
  let isWaiting = false;
  const publishing = await Publishing.start(folder, [A, B], {
    holdsUpFailover: ({ id }) => isWaiting && id === "b",
  });
  const { publisher, store, timers } = publishing;
  const published = publisher.publish([CHANGE]);
  await publishing.confirm(await publishing.action(1), "a");
  await publishing.until(() => timers.nowMs() >= 5_000);
  assertEquals(publisher.confirmer.waitingFor.map(({ proxy_id }) => proxy_id), ["b"]);
  isWaiting = true;
  const sinceMs = timers.nowMs();
  await publishing.settled(published);
  await assertRejects(
    () => published,
    UnconfirmedError,
    "was not confirmed by b (it does not answer, and a failover does not wait for it)",
  );
  assertEquals(timers.nowMs() - sinceMs <= 1_000, true);
  assertEquals((await loadProxy(store, "b"))?.state, "online");
  await assertRejects(() => publisher.checkPresent([A, B]), StoreError, "proxy b at b:1");
});

Deno.test("a proxy that only seemed to be gone for a moment is waited for", async () => {
  await using folder = await StoreFolder.make();
  let rounds = 0;
  const publishing = await Publishing.start(folder, [A], {
    seemsGone: () => Promise.resolve(++rounds % 3 !== 0),
  });
  const published = publishing.publisher.publish([CHANGE]);
  await publishing.until(() => rounds >= 5);
  await publishing.confirm(await publishing.action(1), "a");
  await publishing.settled(published);
  await published;
});

Deno.test("a proxy that was started again counts as one that has confirmed", async () => {
  await using folder = await StoreFolder.make();
  const publishing = await Publishing.start(folder, [A]);
  const { store } = publishing;
  const published = publishing.publisher.publish([CHANGE]);
  await publishing.action(1);
  await deleteProxy(store, "a");
  await createProxy(store, { ...A, start_at: "2026-11-23 05:16:07 +0000 UTC" });
  await publishing.settled(published);
  await published;
});

Deno.test("a Codis 2.0 proxy that did not read actions yet gets the action again", async () => {
  await using folder = await StoreFolder.make();
  const publishing = await Publishing.start(folder, [A, B], { isOurs: ({ id }) => id === "a" });
  const { store } = publishing;
  const published = publishing.publisher.publish([CHANGE]);
  await publishing.confirm(await publishing.action(1), "a");
  // It reads the newest action only, which says what it missed.
  await publishing.until(async () => (await loadActionNames(store)).length > 1);
  const second = await publishing.action(2);
  const { type, target, receivers } = await loadAction(store, second);
  assertEquals({ type, target }, { type: CHANGE.type, target: CHANGE.target });
  assertEquals(receivers, [encodeProxy(B)]);
  await publishing.confirm(second, "b");
  await publishing.settled(published);
  await published;
});

Deno.test("a slow proxy of ours gets an action once", async () => {
  await using folder = await StoreFolder.make();
  const publishing = await Publishing.start(folder, [A]);
  const published = publishing.publisher.publish([CHANGE]);
  const name = await publishing.action(1);
  await publishing.until(() => publishing.timers.nowMs() >= 20_000);
  assertEquals(await loadActionNames(publishing.store), [name]);
  assertEquals(publishing.publisher.confirmer.waitingFor, [{
    proxy_id: "a",
    reason: "it is busy",
  }]);
  await publishing.confirm(name, "a");
  await publishing.settled(published);
  await published;
  assertEquals([...publishing.publisher.confirmer.afterMs(name).keys()], ["a"]);
});
