/**
 * What is left of a proxy when its new process ends while the old one is still there.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { EmbeddedCoordinator } from "../../../src/coordinator/embedded/embedded.ts";
import { loadFences } from "../../../src/store/fences.ts";
import { loadProxies } from "../../../src/store/proxies.ts";
import { storeOf } from "../../../src/store/store.ts";
import { within } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";

let servers: RedisServer[] = [];

Deno.test.beforeAll(async () => {
  servers = [await RedisServer.start()];
});
Deno.test.afterAll(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]();
});

for (const [signal, what] of [["SIGTERM", "stopped"], ["SIGKILL", "killed"]] as const) {
  Deno.test(`when the new process is ${what} as soon as it serves, the old one serves on`, async () => {
    await using proxy = await ProxyProcess.start({ servers });
    using before = await proxy.client();
    assertEquals(await before.call("PING"), "PONG");
    const next = proxy.startBeside();
    await next.waitFor(() => next.stderr.includes("serving on"));
    await next.end(signal);
    await delay(1_500); // by then it would have let its clients go
    assertEquals(await before.call("PING"), "PONG");
    for (let i = 0; i < 10; i++) {
      using client = await proxy.client();
      assertEquals(await client.call("PING"), "PONG");
    }
    assertEquals((await fetch(proxy.url("/healthz"))).status, 200);
    assertEquals((await proxy.upgrade()).code, 0);
  });
}

Deno.test("when the new process is killed later, another one takes over from the old one, which is going", async () => {
  await using proxy = await ProxyProcess.start({ servers, config: { drain_timeout: 60 } });
  const old = proxy.child;
  using queueing = await proxy.client();
  assertEquals(await queueing.call("MULTI"), "OK");
  const killed = proxy.startBeside();
  await old.waitFor(() => old.stderr.includes("letting clients go"));
  await killed.end("SIGKILL");
  await old.waitFor(() => old.stderr.includes("nobody accepts clients until a process is started"));
  const upgrading = proxy.upgrade();
  await proxy.waitUntilHealthy(10_000);
  using client = await proxy.client();
  assertEquals(await client.call("SET", "after the kill", "1"), "OK");
  assertEquals(await queueing.call("EXEC"), []);
  assertEquals((await upgrading).code, 0);
  assertEquals(await client.call("GET", "after the kill"), "1");
});

Deno.test("when both processes are stopped at once, neither entry nor fence of the proxy is left", async () => {
  // At once, on the way, and when both serve.
  for (const waitMs of [0, 10, 20, 30, 45, 60, undefined]) {
    await using proxy = await ProxyProcess.start({ servers });
    const old = proxy.child;
    const next = proxy.startBeside();
    await using stack = new AsyncDisposableStack();
    stack.defer(async () => void await next.end("SIGKILL"));
    await old.waitFor(() => old.stderr.includes("is about to take over"));
    if (waitMs !== undefined) await delay(waitMs);
    else await next.waitFor(() => next.stderr.includes("serving on"));
    // As Ctrl-C in the terminal of both does.
    await within(Promise.all([old.end("SIGINT"), next.end("SIGINT")]));
    const coordinator = await EmbeddedCoordinator.open({ dir: `${proxy.folder}/data` });
    const store = storeOf(coordinator, "test");
    assertEquals(
      [await loadFences(store), await loadProxies(store)],
      [[], []],
      `stopped after ${waitMs} ms`,
    );
    await coordinator.close();
  }
});
