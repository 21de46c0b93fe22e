/**
 * What a dashboard does about proxies that do not confirm a change: who is named, who is waited for.
 *
 * @module
 */

import { assertEquals, assertLess, assertMatch, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import type { Announcement } from "../../../src/control/control.ts";
import { UnconfirmedError } from "../../../src/control/errors.ts";
import { Publisher, type PublisherContext } from "../../../src/control/publish.ts";
import { encodeProxy, type ProxyRecord } from "../../../src/model/proxy.ts";
import { slotIn } from "../../../src/model/slot.ts";
import { loadAction, loadActionNames } from "../../../src/store/actions.ts";
import { createProxy, deleteProxy, loadProxy } from "../../../src/store/proxies.ts";
import { type Store, StoreError } from "../../../src/store/store.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { RECORD } from "../../support/proxy_record.ts";
import { StoreFolder } from "../../support/store.ts";

const [A, B] = ["a", "b"].map((id): ProxyRecord => ({
  ...RECORD,
  id,
  addr: `${id}:1`,
  state: "online",
})) as [ProxyRecord, ProxyRecord];

/** Between two looks for proxies that are gone, in milliseconds. */
const LOOK_MS = 30;

const CHANGE: Announcement = {
  type: "slot_premigrate",
  target: slotIn("test", 5, 1, "pre_migrate"),
  mustConfirm: true,
};

function publisher(
  store: Store,
  context: Partial<PublisherContext>,
  confirmMs: number,
): Publisher {
  return new Publisher(store, {
    isOurs: () => true,
    seemsGone: () => Promise.resolve(false),
    reasonOf: () => Promise.resolve("it is busy"),
    report: () => {},
    checkLead: () => Promise.resolve(),
    ...context,
  }, { confirmMs, lookMs: LOOK_MS, leaveMs: 10, tellAgainMs: LOOK_MS });
}

Deno.test("a proxy that is gone is named once, however slow the coordinator is", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("x:1");
  for (const proxy of [A, B]) await createProxy(store, proxy);
  const { read } = store.coordinator;
  let reading = 0;
  store.coordinator.read = async function (path) {
    if (path.startsWith(`${store.paths.proxies}/`)) {
      reading++;
      await delay(LOOK_MS * 1.5);
    }
    return await read.call(this, path);
  };
  const publishing = publisher(store, {}, LOOK_MS * 20).publish([CHANGE]);
  await until(() => reading > 0);
  await until(async () => (await store.coordinator.children(store.paths.actions)).length > 0);
  await deleteProxy(store, "b");
  await assertRejects(
    () => publishing,
    UnconfirmedError,
    "was not confirmed by a, b (it is gone); a were marked offline",
  );
});

Deno.test("nobody waits for a proxy whose process is gone, and it is not marked offline", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("x:1");
  for (const proxy of [A, B]) await createProxy(store, proxy);
  const dead = publisher(store, { seemsGone: ({ id }) => Promise.resolve(id === "b") }, 30_000);
  const began = performance.now();
  const publishing = dead.publish([CHANGE]);
  await until(async () => {
    const [name] = await store.coordinator.children(store.paths.actions);
    if (name === undefined) return false;
    await store.coordinator.create(store.paths.answer(name, "a"), "");
    return true;
  });
  await assertRejects(
    () => publishing,
    UnconfirmedError,
    "was not confirmed by b (it is gone, and its session has not ended yet)",
  );
  assertLess(performance.now() - began, 3_000);
  assertEquals((await loadProxy(store, "b"))?.state, "online");
  // No slot is blocked again until its session has ended.
  await dead.checkPresent([A, { ...B, state: "offline" }]);
  await assertRejects(
    () => dead.checkPresent([A, B]),
    StoreError,
    "proxy b at b:1 seems to be gone",
  );
});

Deno.test("a proxy that only seemed to be gone for a moment is waited for", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("x:1");
  await createProxy(store, A);
  let looks = 0;
  const seemsGone = () => Promise.resolve(++looks % 3 !== 0);
  const publishing = publisher(store, { seemsGone }, 30_000).publish([CHANGE]);
  await until(() => looks >= 5);
  const [name] = await store.coordinator.children(store.paths.actions);
  await store.coordinator.create(store.paths.answer(name!, "a"), "");
  await publishing;
});

Deno.test("a Codis 2.0 proxy that did not look at actions yet is told again", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("x:1");
  for (const proxy of [A, B]) await createProxy(store, proxy);
  const isOurs = ({ id }: ProxyRecord) => id === "a";
  const publishing = publisher(store, { isOurs }, 10_000).publish([CHANGE]);
  const names = async () => (await loadActionNames(store)).slice(-2);
  await until(async () => (await names()).length > 0);
  const [first] = await names();
  await store.coordinator.create(store.paths.answer(first!, "a"), "");
  // It sees the newest only; what it missed is in it.
  await until(async () => (await names()).length > 1);
  const [, second] = await names();
  const { type, target, receivers } = await loadAction(store, second!);
  assertEquals({ type, target }, { type: CHANGE.type, target: CHANGE.target });
  assertEquals(receivers, [encodeProxy(B)]);
  await store.coordinator.create(store.paths.answer(second!, "b"), "");
  await publishing;
});

Deno.test("a proxy of ours that is slow is told once", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("x:1");
  await createProxy(store, A);
  const publishing = publisher(store, {}, 10_000).publish([CHANGE]);
  await delay(LOOK_MS * 5);
  const names = await loadActionNames(store);
  assertEquals(names.length, 1);
  await store.coordinator.create(store.paths.answer(names[0]!, "a"), "");
  await publishing;
});

Deno.test("a proxy whose HTTP port refuses connections where it had answered is gone", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("x:1");
  await using dashboard = await DashboardServer.start(store);
  const http = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    // As a Codis 2.0 proxy does.
    (request) =>
      request.url.endsWith("/debug/vars")
        ? Response.json({ router: { ops: 1 } })
        : new Response("", { status: 404 }),
  );
  await createProxy(store, { ...A, debug_var_addr: `127.0.0.1:${http.addr.port}` });
  const isSeen = async (isReachable: boolean) => {
    const { proxies } = (await dashboard.get("/api/cluster")).json;
    return proxies[0]?.is_reachable === isReachable;
  };
  await until(() => isSeen(true));
  await http.shutdown();
  const began = performance.now();
  const { status, text } = await dashboard.ask("POST", "/api/slots/init?is_force=1");
  assertLess(performance.now() - began, 4_000);
  assertEquals(status, 500);
  assertMatch(
    text,
    /^receiver timeout: .* by a \(it is gone, and its session has not ended yet\)$/,
  );
  assertEquals((await loadProxy(store, "a"))?.state, "online");
});
