/**
 * Where clients read from as users, and by their own word.
 *
 * @module
 */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { ServersOfGroup, WHO } from "../../support/replica_group.ts";
import { addReplicas, configure } from "../../support/replica_setup.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { RouterServer } from "../../support/router_server.ts";

/** Waits until it is this server that answers a client, and so it stays. */
async function isAnsweredBy(client: RespClient, who: string): Promise<void> {
  await until(async () => await client.call("GET", WHO) === who);
  for (let i = 0; i < 10; i++) assertEquals(await client.call("GET", WHO), who);
}

Deno.test("users and clients say where they read from", async (t) => {
  await using group = await ServersOfGroup.start(1);

  await t.step("a client as its user, until it says something else", async () => {
    await using proxy = await RouterServer.start({ servers: [group.master] });
    const { router } = proxy;
    router.shared.slots.setReplicas([group.servers()]);
    using client = await proxy.client();
    using other = await proxy.client();
    await client.call("ACL", "SETUSER", "reader", "on", ">pw", "+@all", "~*");
    router.setUserReads([{ name: "reader", readFrom: "prefer_replica" }]);
    await isAnsweredBy(client, "master");
    await client.call("AUTH", "reader", "pw");
    await isAnsweredBy(client, "replica 0");
    await isAnsweredBy(other, "master");
    await client.call("READWRITE");
    await isAnsweredBy(client, "master");
    router.setUserReads([{ name: "reader", readFrom: "replica" }]);
    await isAnsweredBy(client, "master");
    await client.call("READONLY");
    assertEquals(proxy.sessionOf(client).reads?.policy, "replica");
    await isAnsweredBy(client, "replica 0");
    await client.call("RESET");
    await isAnsweredBy(client, "master");
    await client.call("HELLO", 3, "AUTH", "reader", "pw");
    await isAnsweredBy(client, "replica 0");
    router.setUserReads([{ name: "default", readFrom: "nearest" }]);
    await isAnsweredBy(client, "master");
    assertEquals(proxy.sessionOf(other).reads?.policy, "nearest");
    router.setUserReads([]);
    assertEquals(proxy.sessionOf(other).reads, null);
    assertEquals(proxy.leftovers(), []);
  });

  await t.step("a client sees what it is writing when it is sent to replicas", async () => {
    await using proxy = await RouterServer.start({ servers: [group.master] });
    proxy.router.shared.slots.setReplicas([group.servers()]);
    const [link] = group.links;
    using before = await proxy.client();
    await before.call("READONLY");
    await isAnsweredBy(before, "replica 0"); // it has caught up
    link!.stall();
    for (let i = 0; i < 5; i++) {
      using client = await proxy.client();
      const replies = await client.pipeline([["SET", `k${i}`, i], ["READONLY"], ["GET", `k${i}`]]);
      assertEquals(replies.map(({ value }) => value), ["OK", "OK", `${i}`]);
    }
    link!.resume();
  });

  await t.step("users in the store do so in every worker of every proxy", async () => {
    await using proxy = await ProxyProcess.start({
      servers: [group.master],
      cpu: 2,
      config: { acl: "store" },
    });
    await configure(proxy, "acl", "set", "reader", "on >pw +@all ~*");
    await configure(proxy, "acl", "set", "default", "on nopass +@all ~*");
    await assertRejects(
      () => configure(proxy, "acl", "read-from", "nobody", "replica"),
      Error,
      "there is no Redis user nobody in the store",
    );
    await assertRejects(
      () => configure(proxy, "acl", "read-from", "reader", "slave"),
      Error,
      '"slave" is not one of master, prefer_master, prefer_replica, replica, nearest',
    );
    const clients = await Promise.all(Array.from({ length: 6 }, () => proxy.client()));
    for (const client of clients) assertEquals(await client.call("AUTH", "reader", "pw"), "OK");
    assertEquals(
      (await configure(proxy, "--output=table", "acl", "read-from", "reader", "prefer_replica"))
        .trim(),
      "user reader reads at all proxies: prefer_replica",
    );
    await configure(proxy, "acl", "limit", "reader", "--connections=100");
    await configure(proxy, "acl", "set", "reader", "+@all");
    assertMatch(
      await configure(proxy, "--output=table", "acl", "list"),
      /reader .* 100 connections +prefer_replica\n/,
    );
    await addReplicas(proxy, [group]);
    await group.follow();
    for (const client of clients) {
      assertMatch(`${await client.call("CLIENT", "INFO")}`, / flags=r /);
      await until(async () => await client.call("GET", WHO) !== "master");
    }
    await configure(proxy, "acl", "read-from", "reader");
    for (const client of clients) {
      assertMatch(`${await client.call("CLIENT", "INFO")}`, / flags=N /);
      client.close();
    }
  });
});
