/**
 * A cluster whose servers have IPv6 addresses only: served, listed, moved, followed, and made the master.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { configure } from "../../support/replica_setup.ts";
import { RespClient } from "../../support/resp_client.ts";

const HOST = "::1";

Deno.test("servers, clients and HTTP over IPv6", async () => {
  await using servers = await RedisServer.startMany(3, { args: ["--bind", HOST] });
  const [one, two, replica] = servers.map(({ port }) => `[${HOST}]:${port}`) as [
    string,
    string,
    string,
  ];
  await using proxy = await ProxyProcess.start({
    servers: [{ addr: one }, { addr: two }],
    host: "",
  });
  using client = await RespClient.connect(proxy.port, HOST);
  const keys = Array.from({ length: 200 }, (_, i) => `key${i}`);
  await client.pipeline(keys.map((key) => ["SET", key, key]));
  const shown = String(await client.call("INFO", "proxy"));
  assertMatch(shown, new RegExp(`backend_0:addr=\\[::1\\]:${servers[0]!.port},`));
  assertMatch(String(await client.call("CLIENT", "LIST")), /addr=\[::1\]:\d+ laddr=\[::1\]:\d+ /);

  // REPLICAOF and MIGRATE get the address as Redis wants it: without brackets.
  await configure(proxy, "server", "add", "1", replica, "slave");
  using direct = await RespClient.connect(servers[2]!.port, HOST);
  await until(async () =>
    /master_host:::1\r[^]*master_link_status:up/.test(String(await direct.call("INFO")))
  );
  await configure(proxy, "slot", "migrate", "0", "511", "2", "--wait");
  using source = await RespClient.connect(servers[0]!.port, HOST);
  assertEquals(await source.call("DBSIZE"), 0);
  const replies = await client.pipeline(keys.map((key) => ["GET", key]));
  assertEquals(replies.map(({ value }) => value), keys);
  await configure(proxy, "server", "promote", "1", replica);

  // A server is stored once, however it is spelled.
  const other = replica.replace(HOST, "0:0:0:0:0:0:0:1");
  await assertRejects(
    () => configure(proxy, "server", "add", "3", other, "master"),
    Error,
    `${replica} is in group 1 already`,
  );
  const view = await fetch(`http://[${HOST}]:${proxy.httpPort}/api/cluster`);
  assert((await view.text()).includes(replica));
});
