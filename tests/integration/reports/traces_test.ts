/**
 * Traces: requests as spans at a receiver, of all workers, and what happens when there is none.
 *
 * @module
 */

import { assert, assertAlmostEquals, assertEquals, assertLess, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { whenBlocked } from "../../support/blocked_clients.ts";
import { until } from "../../support/deadline.ts";
import { OtlpReceiver } from "../../support/otlp_receiver.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RouterServer, slotOf } from "../../support/router_server.ts";

/** Requests that take longer are slow, in milliseconds. */
const SLOW_MS = 300;
/** How long they are held up: a busy machine keeps the proxy itself from working for a part of it. */
const HELD_MS = 1_000;

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
  // Where a busy machine held up the proxy meanwhile, that is what all of the time was for.
  const waited = sets.flatMap(({ events }) => events).map(({ name }) => name);
  assert(waited.includes("network") || waited.includes("server"), waited.join());
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
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    servers: [redis],
    config: { request_sample: 0, slowlog_slower_than: SLOW_MS * 1000 },
    env: { ...otlp.env, OTEL_EXPORTER_OTLP_TIMEOUT: "500" },
  });
  using client = await proxy.client();
  using holder = await redis.client();
  const slow = async (key: string) => {
    await holder.call("CLIENT", "PAUSE", 60_000, "WRITE");
    const answer = client.call("SET", key, 1);
    // Only what is there already is held up for sure, however busy the machine is.
    await whenBlocked(redis, 1);
    await delay(HELD_MS);
    await holder.call("CLIENT", "UNPAUSE");
    await answer;
  };
  const askedMs = performance.now();
  await client.call("GET", "fast");
  // On a busy machine this one may be slow, too.
  const isFast = performance.now() - askedMs < SLOW_MS;
  await slow("slow");
  const ours = () => otlp.spans.filter(({ scope }) => scope === "codis-proxy");
  await until(() => ours().some(({ name }) => name === "SET"));
  const span = ours().find(({ name }) => name === "SET");
  assertEquals([span!.attributes["codis.slow"], span!.attributes["codis.sample"]], [true, 0]);
  assert(span!.events.some(({ name, usecs }) => name === "server" && usecs > 200_000));
  if (isFast) assertEquals(ours().length, 1);

  await otlp[Symbol.asyncDispose]();
  await slow("again");
  assertEquals(await client.call("GET", "again"), "1");
  const noted = Number(await client.call("SLOWLOG", "LEN"));
  assert(isFast ? noted === 2 : noted >= 2, `${noted}`);
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
