/**
 * Traces: requests as spans at a receiver, of all workers, and what happens when there is none.
 *
 * @module
 */

import { assert, assertAlmostEquals, assertEquals, assertLess, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { until } from "../../support/deadline.ts";
import { OtlpReceiver } from "../../support/otlp_receiver.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RouterServer, slotOf } from "../../support/router_server.ts";

Deno.test("each sampled request is a span that says where its time went, and no key or value", async () => {
  await using otlp = new OtlpReceiver();
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    servers: [redis],
    cpu: 2,
    config: { request_sample: 1 },
    env: otlp.env,
  });
  const clients = await Promise.all(Array.from({ length: 8 }, () => proxy.client()));
  for (const client of clients) await client.call("SET", "aSecretKey", "aSecretValue");
  const [client] = clients;
  await client!.call("MGET", "aSecretKey", "another", "third");
  await client!.call("LPUSH", "aSecretKey", "x").catch(() => {});
  await client!.call("AUTH", "aSecretPassword").catch(() => {});
  await client!.call("SELECT", 3);
  const ours = () => otlp.spans.filter(({ scope }) => scope === "codis-proxy");
  await until(() => ours().length === 12);

  const sets = ours().filter(({ name }) => name === "SET");
  assertEquals(new Set(sets.map(({ traceId }) => traceId)).size, 8, "each has a trace of its own");
  const { kind, usecs, attributes, events, isError } = sets.at(-1)!;
  assertEquals([kind, isError], [3, false]);
  const { "client.port": _, ...known } = attributes;
  assertEquals(known, {
    "db.system.name": "redis",
    "db.operation.name": "SET",
    "db.namespace": "0",
    "user.name": "default",
    "client.address": "127.0.0.1",
    "server.address": "127.0.0.1",
    "server.port": redis.port,
    "network.peer.address": "127.0.0.1",
    "network.peer.port": redis.port,
    "codis.request.bytes": 49,
    "codis.reply.bytes": 5,
    "codis.sample": 1,
    "codis.slow": attributes["codis.slow"],
    "codis.end": "answered",
    "codis.slot": slotOf("aSecretKey"),
    "codis.keys": 1,
  });
  assert(events.some(({ name }) => name === "network" || name === "server"));
  assertAlmostEquals(events.reduce((sum, event) => sum + event.usecs, 0), usecs, 10);

  const [mget, lpush, auth] = ["MGET", "LPUSH", "AUTH"].map((name) =>
    ours().find((span) => span.name === name)!
  );
  assertEquals(mget!.attributes["codis.keys"], 3);
  assertEquals([lpush!.isError, lpush!.attributes["error.type"]], [true, "server_error"]);
  assertEquals([auth!.isError, auth!.usecs], [true, 0]);
  assertEquals(otlp.bodies.filter((body) => body.includes("aSecret")), []);
  for (const each of clients) each.close();
});

Deno.test("with request_sample = 0 only slow requests are spans, and a lost receiver harms nobody", async () => {
  const otlp = new OtlpReceiver();
  await using redis = await RedisServer.start({ args: ["--enable-debug-command", "yes"] });
  await using proxy = await ProxyProcess.start({
    servers: [redis],
    config: { request_sample: 0, slowlog_slower_than: 300_000 },
    env: { ...otlp.env, OTEL_EXPORTER_OTLP_TIMEOUT: "500" },
  });
  using client = await proxy.client();
  using sleeper = await redis.client();
  const slow = async (key: string) => {
    await sleeper.send("DEBUG", "SLEEP", 0.6);
    await delay(20);
    await client.call("SET", key, 1);
  };
  await client.call("GET", "fast");
  await slow("slow");
  const ours = () => otlp.spans.filter(({ scope }) => scope === "codis-proxy");
  await until(() => ours().length > 0);
  const [span] = ours();
  assertEquals([span!.name, span!.attributes["codis.slow"], span!.attributes["codis.sample"]], [
    ...["SET", true, 0],
  ]);
  assert(span!.events.some(({ name, usecs }) => name === "server" && usecs > 200_000));
  assertEquals(ours().length, 1);

  await otlp[Symbol.asyncDispose]();
  await slow("again");
  assertEquals(await client.call("GET", "again"), "1");
  assertEquals(String(await client.call("SLOWLOG", "LEN")), "2");
  const startedMs = performance.now();
  assertEquals(await proxy.stop(), 0);
  assertLess(performance.now() - startedMs, 5_000);
  assertMatch(proxy.stderr, /proxy exit/);
});

Deno.test("without OTEL_DENO and access_log nothing is sampled for them", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({
    servers: [redis],
    options: { requestSample: 1, slowerThanUs: -1, hotKeySamples: 0 },
  });
  using client = await proxy.client();
  const { sampling, slowLog } = proxy.router.shared;
  const before = sampling.left;
  assertEquals(await client.call("SET", "k", 1), "OK");
  assertEquals(before - sampling.left, 1, "only the countdown has moved");
  assertEquals(slowLog.reports, null);
});
