/**
 * What the page of a proxy shows: its clients in an order, commands with errors and percentiles, errors over time.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";

Deno.test("a proxy tells the dashboard its clients, commands and errors, those of all workers", async () => {
  await using server = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    servers: [server],
    args: ["--cpu=2"],
    config: { dashboard_token: "t0ken-of-the-product", proxy_id: "one" },
  });
  const headers = { authorization: "Bearer t0ken-of-the-product" };
  const ask = async (path: string, init: RequestInit = { headers }) => {
    const response = await fetch(proxy.url(path), init);
    const text = await response.text();
    return { status: response.status, text, json: () => JSON.parse(text) };
  };
  // Enough for both workers to have some.
  using clients = new DisposableStack();
  const all = await Promise.all(Array.from({ length: 12 }, async (_, i) => {
    const client = clients.use(await proxy.client());
    await client.call("CLIENT", "SETNAME", `shop-${String(i).padStart(2, "0")}`);
    return client;
  }));
  await all[3]!.call("SET", "k", "v");
  for (let i = 0; i < 5; i++) await all[3]!.call("LPUSH", "k", "v").catch(() => {});

  const names = async (query: string) => {
    const { status, text, json } = await ask(`/api/proxy/one/clients?${query}`);
    assertEquals(status, 200, text);
    return json().clients.map(({ name }: { name: string }) => name);
  };
  const found = (await ask("/api/proxy/one/clients?search=SHOP-0&by=name&limit=4")).json();
  assertEquals([found.total, found.matching, found.clients.length], [12, 10, 4]);
  assertEquals(await names("search=shop&by=name&limit=3"), ["shop-00", "shop-01", "shop-02"]);
  assertEquals(await names("by=name&limit=2&reversed=yes"), ["shop-11", "shop-10"]);
  assertEquals(await names("search=lpush"), ["shop-03"]);
  assertEquals((await names("by=idle&limit=500")).length, 12);
  const [client] = (await ask("/api/proxy/one/clients?search=shop-03")).json().clients;
  assertEquals([client.cmd, client.user, client.db], ["lpush", "default", "0"]);
  for (const [query, field] of [["by=fd", "by"], ["limit=0", "limit"], ["limit=501", "limit"]]) {
    const { status, json } = await ask(`/api/proxy/one/clients?${query}`);
    assertEquals([status, json().field], [400, field]);
  }
  assertEquals(
    (await ask("/clients?by=fd")).text,
    `by = "fd": must be idle, age, tot-mem, addr, name, user, db, cmd\n`,
  );
  // Whoever is not on this machine needs the token, also at the proxy itself.
  for (const path of ["/api/proxy/one/clients", "/clients"]) {
    const { status } = await ask(path, { headers: { "x-forwarded-for": "10.0.0.1" } });
    assert(status === 401 || status === 403, path);
  }

  const config = (await ask("/api/proxy/one/config")).json();
  assertEquals([config.process, config.reload], ["proxy", null]);
  const key = (name: string) => config.keys.find(({ key }: { key: string }) => key === name);
  assertEquals([key("proxy_id").value, key("proxy_id").source], ["one", "file"]);
  // No secret leaves it.
  assertEquals([key("dashboard_token").value, key("dashboard_token").is_secret], ["***", true]);
  assert((await ask("/config", { headers: { "x-forwarded-for": "10.0.0.1" } })).status >= 401);

  const { commands } = (await ask("/api/proxy/one/detail")).json();
  const lpush = commands.find(({ name }: { name: string }) => name === "lpush");
  assertEquals([lpush.calls, lpush.failed], [5, 5]);
  assert(lpush.p50_usecs > 0 && lpush.p50_usecs <= lpush.p99_usecs);
  await until(async () => {
    await all[3]!.call("LPUSH", "k", "v").catch(() => {});
    const { figures } = (await ask("/api/history?of=proxy/one&span=1h")).json();
    return figures.errors?.some((rate: number | null) => rate !== null && rate > 0) &&
      figures.failures?.every((rate: number | null) => !rate);
  }, 8_000);
  assertStringIncludes((await ask("/metrics")).text, "codis_proxy_command_recent_seconds");
});
