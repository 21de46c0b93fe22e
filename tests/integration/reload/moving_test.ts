/**
 * The configuration changes while slots move.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { slotOf } from "../../support/router_server.ts";

/**
 * How fast keys move at first: for so few, the rests that busy servers get by themselves take less than a tenth of
 * the time.
 */
const KEYS_PER_SECOND = 4;
/** How long a reload may take, in milliseconds. */
const RELOAD_MS = 3_000;

/** Adds lines to the config file and has the proxy read it; returns the status and what has changed. */
async function reload(proxy: ProxyProcess, ...lines: string[]): Promise<[number, string]> {
  const file = `${proxy.folder}/config.ini`;
  await Deno.writeTextFile(file, `${await Deno.readTextFile(file)}${lines.join("\n")}\n`);
  const signal = AbortSignal.timeout(RELOAD_MS);
  const response = await fetch(proxy.url("/api/reload"), { method: "POST", signal });
  const { changed } = await response.json();
  return [response.status, changed.map(({ key }: { key: string }) => key).join(" ")];
}

Deno.test("while slots move: no request fails, and the move goes on, faster now", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await ProxyProcess.start({
    servers,
    cpu: 2,
    config: { server_commands: "on", migrate_keys_per_second: KEYS_PER_SECOND },
  });
  using client = await proxy.client();
  const keys = Array.from({ length: 100 * KEYS_PER_SECOND }, (_, i) => `{a}${i}`);
  await client.pipeline(keys.map((key) => ["SET", key, key]));
  const slots = async () => (await (await fetch(proxy.url("/slots"))).json() as {
    state: string;
    group_id: number;
  }[]);
  const owner = async () => {
    return (await slots()).find(({ state }) => state === "migrating");
  };
  // Whichever server has them.
  const [first] = await Promise.all(servers.map(async (server) => {
    using direct = await server.client();
    return Number(await direct.call("DBSIZE"));
  }));
  const target = first === 0 ? 1 : 2;
  // Slots without keys would come before it, otherwise.
  const from = slotOf("{a}");
  const to = from + 15;
  await fetch(proxy.url("/api/migrate"), {
    method: "POST",
    body: JSON.stringify({ from, to, new_group: target, delay: 0 }),
  }).then((response) => response.text());
  await until(async () => await owner() !== undefined);
  for (let i = 0; i < 5; i++) {
    assertEquals(await reload(proxy, `max_clients=${600 + i}`, `slot_wait_timeout=${10 + i}`), [
      200,
      "slot_wait_timeout max_clients",
    ]);
    for (const key of keys.slice(80 * i, 80 * i + 20)) {
      assertEquals(await client.call("GET", key), key);
    }
  }
  assertMatch((await reload(proxy, "migrate_keys_per_second=0"))[1], /migrate_keys_per_second/);
  // At the rate before it would take 100 s.
  await until(async () => {
    const direct = await servers[target - 1]!.client();
    const size = Number(await direct.call("DBSIZE"));
    direct.close();
    return size === keys.length;
  });
});
