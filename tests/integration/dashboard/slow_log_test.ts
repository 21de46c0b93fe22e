/**
 * The slow requests of all proxies at the dashboard, and who may see them.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { SlowRequestEntry } from "../../../src/api/slow_log.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";

Deno.test("GET /api/slowlog shows slow requests with stages that add up, to operators", async () => {
  await using server = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    servers: [server],
    config: { slowlog_slower_than: 0, dashboard_token: "t0ken-of-the-product" },
  });
  using client = await proxy.client();
  await client.call("CLIENT", "SETNAME", "shop");
  await client.call("SET", "clé", "v");
  const headers = { authorization: "Bearer t0ken-of-the-product" };
  const ask = async (path: string, init: RequestInit = { headers }) => {
    const response = await fetch(proxy.url(path), init);
    return { status: response.status, text: await response.text() };
  };
  const { status, text } = await ask("/api/slowlog?limit=50");
  assertEquals(status, 200, text);
  const { entries, events, problems } = JSON.parse(text) as {
    entries: (SlowRequestEntry & { proxy_id: string })[];
    events: unknown[];
    problems: unknown[];
  };
  assertEquals([problems, Array.isArray(events)], [[], true]);
  const set = entries.find(({ command }) => command === "set")!;
  assertEquals([set.args, set.client_name, set.user, set.server, set.end], [
    ["SET", "clé", "v"],
    "shop",
    "default",
    server.addr,
    "answered",
  ]);
  assertEquals(Object.values(set.stages).reduce((sum, usecs) => sum + usecs, 0), set.usecs);
  assert(set.proxy_id !== "" && Math.abs(set.at - Date.now()) < 60_000);
  assertEquals(
    JSON.parse((await ask("/slowlog")).text).entries.some((each: SlowRequestEntry) =>
      each.command === "set"
    ),
    true,
  );
  for (const limit of ["0", "x"]) {
    assertEquals((await ask(`/api/slowlog?limit=${limit}`)).status, 400);
  }
});
