/**
 * INFO over several servers: everything that redis-server shows, true of the whole.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { RedisServer } from "../../support/redis_server.ts";
import { RouterServer } from "../../support/router_server.ts";

/** Names of sections and fields, in order; those of commands differ. */
function namesOf(info: string): string[] {
  return info.split("\r\n")
    .map((line) => line.startsWith("#") ? line : line.split(":")[0]!)
    .filter((name) => name !== "" && !/^(cmdstat|latency_percentiles|errorstat|db\d)/.test(name));
}

/** Fields that only the proxy has. */
const ADDED =
  /^(# Proxy|codis_proxy_version|proxy_|slots_|backend|read_from|retried_reads|replica_\d|total_failed|acl_access|client_output)/;

function field(info: string, name: string): string {
  return new RegExp(`^${name}:(.*)\r$`, "m").exec(info)?.[1] ?? `no ${name}`;
}

for (
  const words of [
    [],
    ["all"],
    ["everything"],
    ["cpu", "clients", "CPU"],
    ["nonsense"],
    ["stats"],
    ["default", "commandstats"],
    ["modules"],
    ["module_list"],
  ]
) {
  Deno.test(`INFO ${words.join(" ")} has every section and field of redis-server, in its order`, async () => {
    await using servers = await RedisServer.startMany(2);
    await using proxy = await RouterServer.start({ servers });
    using client = await proxy.client();
    using direct = await servers[0]!.client();
    const own = String(await client.call("INFO", ...words));
    const names = namesOf(own).filter((name) => !ADDED.test(name));
    assertEquals(names, namesOf(String(await direct.call("INFO", ...words))));
  });
}

Deno.test("INFO adds up what the masters have, and says what libraries look for", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  for (let i = 0; i < 50; i++) await client.call("SET", `k${i}`, i);
  for (let i = 0; i < 60; i++) await client.call("GET", `k${i}`);
  await client.call("EXPIRE", "k1", 100);
  const info = String(await client.call("INFO", "everything"));
  assertEquals(field(info, "keyspace_hits"), "50");
  assertEquals(field(info, "keyspace_misses"), "10");
  assertMatch(field(info, "db0"), /^keys=50,expires=1,avg_ttl=\d+$/);
  assertMatch(field(info, "cmdstat_get"), /^calls=60,/);
  assertMatch(field(info, "used_memory_peak_human"), /^\d+\.\d\d[KM]$/);
  assertMatch(field(info, "instantaneous_ops_per_sec"), /^\d+$/);
  assertEquals(field(info, "maxmemory_policy"), "noeviction");
  assertEquals(field(info, "redis_mode"), "standalone");
  assertEquals(field(info, "role"), "master");
  assertEquals(field(info, "connected_clients"), "1");
  assertEquals(field(info, "tcp_port"), String(proxy.port));
  using direct = await servers[1]!.client();
  await direct.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
  assertEquals(field(String(await client.call("INFO")), "maxmemory_policy"), "allkeys-lru");
});

Deno.test("INFO is answered without a master that is down, and says how many have answered", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  assertEquals(field(String(await client.call("INFO")), "backends_answering"), "2");
  await servers[1]!.stop();
  const info = String(await client.call("INFO"));
  assertEquals(field(info, "backends_answering"), "1");
  assert(Number(field(info, "used_memory")) > 0);
});
