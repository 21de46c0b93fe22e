/**
 * The access log: a line for each sampled or slow request, of all workers; rotation; a disk that is full or hangs.
 *
 * @module
 */

import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { until } from "../../support/deadline.ts";
import type { Place } from "../../support/place.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { slotOf } from "../../support/router_server.ts";

type Line = Record<string, unknown>;

/** The lines of all files of an access log, the oldest file first. */
async function linesOf(folder: string, name: string): Promise<Line[]> {
  const files = [...Deno.readDirSync(folder)].map((entry) => entry.name)
    .filter((file) => file.startsWith(`${name}.`))
    .sort((a, b) => Number(a.slice(name.length + 1)) - Number(b.slice(name.length + 1)));
  const texts = await Promise.all(files.map((file) => Deno.readTextFile(`${folder}/${file}`)));
  return texts.join("").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

Deno.test("the access log has each request of all workers, and no key, value or password", async () => {
  await using redis = await RedisServer.start();
  const folder = await Deno.makeTempDir();
  try {
    await using proxy = await ProxyProcess.start({
      servers: [redis],
      cpu: 2,
      config: { access_log: `${folder}/access`, request_sample: 1, slowlog_slower_than: -1 },
    });
    const clients = await Promise.all(Array.from({ length: 8 }, () => proxy.client()));
    for (const [i, client] of clients.entries()) {
      await client.call("CLIENT", "SETNAME", `c${i}`);
      await client.call("SET", "aSecretKey", "aSecretValue");
    }
    const [client] = clients;
    await client!.pipeline([["MULTI"], ["SET", "{t}a", 1], ["SET", "{t}b", 2], ["EXEC"]]);
    await client!.call("MGET", "aSecretKey", "b", "c");
    await client!.call("LPUSH", "aSecretKey", "x").catch(() => {});
    await client!.call("AUTH", "aSecretPassword").catch(() => {});
    for (const each of clients) each.close();
    await proxy.stop();
    const lines = await linesOf(folder, "access");
    const of = (command: string) => lines.filter((line) => line.command === command);
    assertEquals(of("set").length, 8);
    assertEquals(new Set(of("set").map(({ name }) => name)).size, 8);
    const { time, client: address, usecs, stages, ...rest } = of("set").find(({ name }) =>
      name === "c3"
    )!;
    assertMatch(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assertMatch(String(address), /^127\.0\.0\.1:\d+$/);
    const sum = Object.values(stages as Record<string, number>).reduce((a, b) => a + b, 0);
    assertEquals(sum, usecs);
    assertEquals(rest, {
      ...{ name: "c3", user: "default", db: 0, command: "set", keys: 1 },
      ...{ slot: slotOf("aSecretKey"), server: redis.addr },
      ...{ request_bytes: 49, reply_bytes: 5, end: "answered", sample: 1 },
    });
    assertEquals(of("exec").map(({ slot, keys }) => [slot, keys]), [[slotOf("{t}a"), 2]]);
    assertEquals(of("mget").map(({ keys }) => keys), [3]);
    assertEquals(of("lpush").map(({ error }) => error), [true]);
    assertEquals(of("auth").map(({ error, usecs }) => [error, usecs]), [[true, 0]]);
    assertEquals(JSON.stringify(lines).includes("aSecret"), false);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Counted lines that were lost, as /metrics has them. */
async function lostLines(proxy: ProxyProcess): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${proxy.httpPort}/metrics`);
  const text = await answer.text();
  return Number(/^codis_proxy_lost_access_lines_total (\d+)$/m.exec(text)?.[1]);
}

/** Files there get no larger than 2 or 4 MB: the system refuses more, as a full disk does. */
const SMALL_FILES: Place = {
  host: "127.0.0.1",
  enter: ["sh", "-c", `trap "" XFSZ; ulimit -f 4096; exec "$0" "$@"`],
};

Deno.test("a full disk costs lines, which are counted, and nothing else; log rotation helps", async () => {
  await using redis = await RedisServer.start();
  const folder = await Deno.makeTempDir();
  try {
    await using proxy = await ProxyProcess.start({
      servers: [redis],
      config: { access_log: `${folder}/access`, request_sample: 1, slowlog_slower_than: -1 },
      place: SMALL_FILES,
    });
    using client = await proxy.client();
    const requests = Array.from({ length: 1_000 }, (_, i) => ["SET", `k${i}`, i]);
    await until(async () => {
      for (const { value } of await client.pipeline(requests)) assertEquals(value, "OK");
      return await lostLines(proxy) > 0;
    });
    // The file is moved away, as logrotate does it.
    await Deno.rename(`${folder}/access.0`, `${folder}/old`);
    proxy.child.signal("SIGUSR1");
    await until(async () => {
      assertEquals(await client.call("GET", "k1"), "1");
      return /has lost \d+ lines?/.test(proxy.stderr);
    });
    assertGreater((await linesOf(folder, "access")).length, 0);
    const log = proxy.stderr.split("\n").filter((line) => line.includes("access_log "));
    assertEquals(log.length, 2, proxy.stderr);
    assertMatch(
      log[0]!,
      /access_log .*access\.0 cannot be written: .*; its lines are lost until it/,
    );
    assertMatch(log[1]!, /access\.0 can be written again and has lost \d+ lines?/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a disk that hangs holds up no request and not the end of the proxy", async () => {
  await using redis = await RedisServer.start();
  const folder = await Deno.makeTempDir();
  const pipe = `${folder}/access.0`;
  const reader = new Deno.Command("sh", {
    args: ["-c", `mkfifo "$0" && exec sleep 60 <> "$0"`, `${folder}/pipe`],
  }).spawn();
  try {
    await using proxy = await ProxyProcess.start({
      servers: [redis],
      config: { access_log: `${folder}/access`, request_sample: 1, slowlog_slower_than: -1 },
    });
    using client = await proxy.client();
    await Deno.remove(pipe);
    await Deno.symlink(`${folder}/pipe`, pipe);
    proxy.child.signal("SIGUSR1");
    // A pipe takes 64 KB, and a worker keeps a megabyte more.
    const requests = Array.from({ length: 1_000 }, (_, i) => ["SET", `k${i}`, i]);
    await until(async () => {
      for (const { value } of await client.pipeline(requests)) assertEquals(value, "OK");
      return await lostLines(proxy) > 0;
    });
    const startedMs = performance.now();
    assertEquals(await proxy.stop(), 0);
    assert(performance.now() - startedMs < 5_000);
  } finally {
    reader.kill("SIGKILL");
    await reader.status;
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("access_log = stdout writes to standard output; a place that cannot be written is an error", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    servers: [redis],
    config: { access_log: "stdout", request_sample: 1 },
  });
  using client = await proxy.client();
  await client.pipeline(Array.from({ length: 100 }, (_, i) => ["SET", `k${i}`, i]));
  await until(() => proxy.stdout.split("\n").length > 100);
  for (const line of proxy.stdout.trim().split("\n")) assertEquals(JSON.parse(line).command, "set");
  let message = "";
  try {
    await using _proxy = await ProxyProcess.start({
      servers: [redis],
      config: { access_log: "/nowhere/access" },
    });
  } catch (error) {
    message = (error as Error).message;
  }
  assertMatch(message, /access_log: cannot open log file "\/nowhere\/access\.0"/);
});
