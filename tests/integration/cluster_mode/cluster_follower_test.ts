/**
 * What a proxy makes of the entries of all proxies, for the map of a cluster: with each kind of coordinator.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { ProxyRecord } from "../../../src/model/proxy.ts";
import { ClusterFollower, nodeOf } from "../../../src/proxy/membership/cluster_nodes.ts";
import type { ClusterMap } from "../../../src/router/cluster_map.ts";
import { changeProxyState, createProxy, deleteProxy } from "../../../src/store/proxies.ts";
import { until } from "../../support/deadline.ts";
import { RECORD } from "../../support/proxy_record.ts";
import { startZookeeper } from "../../support/remote_coordinator.ts";
import { StoreFolder, type StorePlace, StoreServer } from "../../support/store.ts";

const ZOOKEEPER = await startZookeeper();

function proxy(number: number, more: Partial<ProxyRecord> = {}): ProxyRecord {
  return { ...RECORD, id: `proxy_${number}`, addr: `10.0.0.1:${number}`, state: "online", ...more };
}

async function follows(place: StorePlace): Promise<void> {
  const store = await place.open();
  const own = proxy(2);
  let map: ClusterMap | undefined;
  const changed = (next: ClusterMap) => void (map = next);
  const follower = new ClusterFollower({ store, product: "test", own: () => own, changed });
  const ports = () => map?.nodes.map(({ port }) => port).join();
  const isMap = (wanted: string) => until(() => ports() === wanted);
  try {
    assertEquals(ports(), "2", "who serves is there before anybody was read");
    await createProxy(store, proxy(3));
    await isMap("3");
    await createProxy(store, own);
    await createProxy(store, proxy(1, { state: "offline" }));
    await isMap("2,3");
    // In the order of ids, whoever came first.
    await createProxy(store, proxy(10));
    await isMap("10,2,3");
    await store.coordinator.write(store.paths.proxy("proxy_3"), "broken");
    await changeProxyState(store, "proxy_10", "mark_offline");
    await isMap("2,3");
    await follower.leave();
    await isMap("3");
    assertEquals(map!.own, nodeOf("test", own));
    for (const id of ["proxy_2", "proxy_3", "proxy_10"]) await deleteProxy(store, id);
    await createProxy(store, proxy(4));
    await isMap("4");
    await deleteProxy(store, "proxy_4");
    await createProxy(store, proxy(5, { state: "offline" }));
    await changeProxyState(store, "proxy_5", "mark_offline");
    assertEquals(ports(), "4", "while nobody is there, the last ones stay");
  } finally {
    follower.stop();
  }
}

Deno.test("the map has who is online and drains no clients; what cannot be read stays", async () => {
  await using folder = await StoreFolder.make();
  await follows(folder);
});

Deno.test("the same with ZooKeeper", async () => {
  await using server = await StoreServer.make(ZOOKEEPER);
  await follows(server);
});

Deno.test("nodeOf(): a node of its product and id alone", () => {
  const { id } = nodeOf("test", proxy(1));
  assertMatch(id, /^[0-9a-f]{40}$/);
  assertEquals(nodeOf("test", proxy(1, { addr: "[::1]:9", pid: 9, tls_addr: "[::1]:10" })), {
    ...{ id, host: "::1", port: 9, tlsPort: 10 },
  });
  assert(nodeOf("other", proxy(1)).id !== id);
  assert(nodeOf("test", proxy(2)).id !== id);
});
