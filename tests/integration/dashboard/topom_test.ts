/**
 * Figures in the form of Codis 3.2, for programs that graph them: every field has the name and the type that it
 * has there.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";

/** As a codis-proxy 3.2 has answered. */
const PROXY_STATS = {
  online: true,
  closed: false,
  sentinels: {},
  ops: {
    total: 3070,
    fails: 0,
    redis: { errors: 49 },
    qps: 0,
    cmd: [
      { opstr: "SET", calls: 3000, usecs: 1018831, usecs_percall: 339, fails: 0, redis_errtype: 0 },
    ],
  },
  sessions: { total: 69, alive: 0 },
  rusage: { now: "2026-11-29 18:44:04.563204561 +0000 UTC m=+331.768122056", cpu: 0, mem: 2947072 },
  backend: { primary_only: false },
};

/** As a codis-dashboard 3.2 has answered; `*` stands for any name. */
const TOPOM_STATS = {
  closed: false,
  slots: [{ id: 0, group_id: 1, action: { index: 1, state: "pending", target_id: 2 } }],
  group: {
    models: [{
      id: 1,
      servers: [
        { server: "127.0.0.1:21521", datacenter: "", action: {}, replica_group: false },
      ],
      promoting: {},
      out_of_sync: true,
    }],
    stats: { "*": { stats: { "*": "-1" }, unixtime: 1795977844 } },
  },
  proxy: {
    models: [{
      id: 1,
      token: "344d482f022aa0ceaf9e5d05df54546c",
      start_time: "2026-11-29 18:38:32.801024525 +0000 UTC m=+0.005942021",
      admin_addr: "127.0.0.1:21551",
      proto_type: "tcp4",
      proxy_addr: "127.0.0.1:21541",
      product_name: "shop",
      pid: 26871,
    }],
    stats: { "*": { stats: PROXY_STATS, unixtime: 1795977844 } },
  },
  slot_action: { interval: 0, disabled: false, progress: { status: "" }, executor: 0 },
  sentinels: { model: { out_of_sync: false }, stats: {}, masters: {} },
};

const kindOf = (value: unknown) => Array.isArray(value) ? "list" : typeof value;

/** Checks that every field of `ours` is one of `theirs`, with the same type. */
function assertShape(ours: unknown, theirs: unknown, at = ""): void {
  assertEquals(kindOf(ours), kindOf(theirs), at);
  if (Array.isArray(ours)) {
    for (const each of ours) assertShape(each, (theirs as unknown[])[0], `${at}[]`);
  } else if (typeof ours === "object") {
    const fields = theirs as Record<string, unknown>;
    for (const [name, value] of Object.entries(ours!)) {
      assert(name in fields || "*" in fields, `${at}.${name} is none of Codis 3.2's`);
      assertShape(value, fields[name] ?? fields["*"], `${at}.${name}`);
    }
  }
}

Deno.test("who graphs Codis 3.2's figures gets ours in the same form", async () => {
  await using first = await RedisServer.start();
  await using second = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ servers: [first, second] });
  using client = await proxy.client();
  for (let i = 0; i < 20; i++) await client.call("SET", `key${i}`, "v");
  await client.call("INCR", "key1");
  const ask = async (path: string) => {
    const response = await fetch(proxy.url(path));
    assertEquals(response.status, 200);
    return await response.json();
  };
  const own = await ask("/proxy/stats");
  assertShape(own, PROXY_STATS);
  assertEquals([own.online, own.ops.total, own.ops.redis.errors, own.sessions.alive], [
    ...[true, 21, 1, 1],
  ]);
  const [incr, set] = own.ops.cmd;
  assertEquals([incr.opstr, incr.redis_errtype, set.opstr, set.calls], ["INCR", 1, "SET", 20]);

  await until(async () => (await ask("/topom/stats")).proxy.stats.proxy_1?.stats?.ops.total === 21);
  const stats = await ask("/topom/stats");
  assertShape(stats, TOPOM_STATS);
  assertEquals(stats.slots.map(({ group_id }: { group_id: number }) => group_id), [
    ...new Array(512).fill(1),
    ...new Array(512).fill(2),
  ]);
  assertEquals(Object.keys(stats.group.stats).sort(), [first.addr, second.addr].sort());
  assertEquals(stats.group.stats[first.addr].stats.role, "master");
  const overview = await ask("/topom");
  assertShape(overview.stats, TOPOM_STATS);
  assertEquals(overview.model.product_name, "test");

  await second.kill();
  await until(async () =>
    (await ask("/topom/stats")).group.stats[second.addr].error?.Cause !== undefined
  );
});
