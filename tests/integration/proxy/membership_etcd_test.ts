/**
 * A proxy's life with etcd.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { encodeProxy } from "../../../src/model/proxy.ts";
import { loadProxy } from "../../../src/store/proxies.ts";
import { until } from "../../support/deadline.ts";
import type { EtcdServer } from "../../support/etcd_server.ts";
import { startEtcd } from "../../support/remote_coordinator.ts";
import { StoreServer } from "../../support/store.ts";
import { TcpRelay } from "../../support/tcp_relay.ts";
import { TestProxy } from "./membership.ts";
import { testRemoteMembership } from "./membership_faults.ts";

const etcd = await startEtcd();

testRemoteMembership(etcd, (name, body) => Deno.test(name, body));

Deno.test("etcd: a proxy whose record another client has overwritten writes it anew, until its session ends", async () => {
  await using place = await StoreServer.make(etcd);
  const store = await place.openFilled("a:1,b:2");
  await using relay = TcpRelay.start(etcd.server.port);
  const own = await place.open("test", { ports: [relay.port] });
  await using _proxy = await new TestProxy(own).start();
  const record = await loadProxy(store, "proxy_1");
  const path = store.paths.proxy("proxy_1");
  // As etcdctl does: the entry does not belong to any session any more.
  const answer = await fetch(`${(etcd.server as EtcdServer).url}/v3/kv/put`, {
    method: "POST",
    body: JSON.stringify({ key: btoa(path), value: btoa("garbage") }),
  });
  assertEquals(answer.ok, true, await answer.text());
  await until(async () => (await store.coordinator.read(path)).data === encodeProxy(record!));
  relay.stall();
  await until(async () => await loadProxy(store, "proxy_1") === undefined);
  relay.resume();
});
