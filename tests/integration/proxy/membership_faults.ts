/**
 * A proxy's life with a coordinator on a server, when that or the network to it fails, and all else of
 * that life.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { delay } from "@std/async/delay";
import { slotIn } from "../../../src/model/slot.ts";
import { checkFences, loadFences } from "../../../src/store/fences.ts";
import { loadProxies, loadProxy } from "../../../src/store/proxies.ts";
import { saveSlot } from "../../../src/store/slots.ts";
import { type Store, StoreError } from "../../../src/store/store.ts";
import { until } from "../../support/deadline.ts";
import type { RemoteCoordinator } from "../../support/remote_coordinator.ts";
import { StoreServer } from "../../support/store.ts";
import { TcpRelay } from "../../support/tcp_relay.ts";
import { RECORD } from "../../support/proxy_record.ts";
import { answered, send, testMembership, TestProxy } from "./membership.ts";

/** Longest time from the coordinator's return to a proxy that is online again, in milliseconds. */
const RETURN_MS = 10_000;

/** Registers both suites. */
export function testRemoteMembership(
  remote: RemoteCoordinator,
  register: (name: string, body: () => Promise<void>) => void,
): void {
  testMembership({ name: remote.name, start: () => StoreServer.make(remote) }, register);
  const test = (promise: string, body: () => Promise<void>) =>
    register(`${remote.name}: ${promise}`, body);

  test("a proxy whose session expired is registered again, fenced all the time", async () => {
    await using place = await StoreServer.make(remote);
    const store = await place.openFilled("a:1,b:2");
    await using relay = TcpRelay.start(remote.server.port);
    const own = await place.open("test", { ports: [relay.port] });
    await using proxy = await new TestProxy(own).start();
    relay.stall();
    await until(async () => await loadProxy(store, "proxy_1") === undefined);
    assertEquals(proxy.table.fills.size, 1024, "it serves the last table");
    const fences = await loadFences(store);
    const proxies = await loadProxies(store);
    assertThrows(() => checkFences(fences, proxies), StoreError, "here:9000");
    relay.resume();
    await backOnline(remote, store);
    assertEquals(proxy.membership.registration.registrations, 2);
    assertEquals(await loadFences(store), ["here:9000"]);
    await follows(proxy, store);
    assertEquals(proxy.happened.filter((what) => what === "held"), [], "no request had to wait");
  });

  test("a proxy outlives its coordinator's end, and follows on when it is back", async () => {
    await using place = await StoreServer.make(remote);
    const store = await place.openFilled("a:1,b:2");
    const own = await place.open();
    await using proxy = await new TestProxy(own).start();
    await remote.server.kill();
    try {
      await until(() => own.coordinator.state === "disconnected");
      await delay(remote.sessionTimeoutMs / 2);
      assertEquals(proxy.table.fills.size, 1024);
    } finally {
      await remote.server.restart();
    }
    await backOnline(remote, store);
    await follows(proxy, store);
    assertEquals(proxy.happened.filter((what) => what === "held"), []);
  });

  test("an action is answered although the connection was cut while it was sent", async () => {
    await using place = await StoreServer.make(remote);
    const store = await place.openFilled("a:1,b:2");
    await using relay = TcpRelay.start(remote.server.port);
    const own = await place.open("test", { ports: [relay.port] });
    await using proxy = await new TestProxy(own).start();
    for (let round = 0; round < 3; round++) {
      relay.cut();
      await follows(proxy, store, round);
    }
    assertEquals(proxy.membership.registration.registrations, 1);
  });
}

/** Waits until proxy_1 is online, as everybody sees it. */
async function backOnline(remote: RemoteCoordinator, store: Store): Promise<void> {
  const began = performance.now();
  await until(
    async () => (await loadProxy(store, "proxy_1").catch(() => undefined))?.state === "online",
  );
  const tookMs = Math.round(performance.now() - began);
  console.log(`${remote.name}: online ${tookMs} ms after the coordinator's return`);
  assert(tookMs < RETURN_MS);
}

/** Moves a slot and waits for the answer. */
async function follows(proxy: TestProxy, store: Store, slotId = 7): Promise<void> {
  const target = slotIn("test", slotId, 2, "online");
  await saveSlot(store, target);
  await answered(store, await send(store, { type: "slot_changed", target }, [RECORD]));
  assertEquals(proxy.table.fills.get(slotId)?.backendAddr, "b:2");
}
