/**
 * When Jodis clients find a proxy in a real ZooKeeper, over the life of its processes.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { callCli } from "../../support/cli_call.ts";
import { firstOf, until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import {
  type RemoteCoordinator,
  startZookeeper,
  WATCHER_SESSION_MS,
} from "../../support/remote_coordinator.ts";

let zookeeper: RemoteCoordinator;
let redis: RedisServer;

Deno.test.beforeAll(async () => {
  [zookeeper, redis] = await Promise.all([startZookeeper(), RedisServer.start()]);
});
Deno.test.afterAll(async () => {
  await redis[Symbol.asyncDispose]();
  await zookeeper.server[Symbol.asyncDispose]();
});

const FOLDER = "/jodis/test";
/** Of a process whose end is to be seen soon. Another that a busy machine loses could not take its entry back. */
const SESSION_MS = 1_000;
const WATCHER = { sessionTimeoutMs: WATCHER_SESSION_MS };

/** A proxy whose store is on its own machine, and whose clients look into ZooKeeper. */
function startProxy(sessionMs = WATCHER_SESSION_MS): Promise<ProxyProcess> {
  return ProxyProcess.start({
    servers: [redis],
    config: {
      jodis_addr: `127.0.0.1:${zookeeper.server.port}`,
      zk_session_timeout: sessionMs,
      announce_addr: "127.0.0.1:1",
    },
  });
}

Deno.test("Jodis clients find a proxy while it serves, through upgrades, and not when it was drained", async () => {
  await using proxy = await startProxy();
  const coordinator = await zookeeper.open(WATCHER);
  const names = coordinator.watchChildren(FOLDER);
  const [first] = await firstOf(names, (now) => now.length === 1);
  const { data } = await coordinator.read(`${FOLDER}/${first}`);
  const { addr, state, token } = JSON.parse(data);
  assertEquals([addr, state, `proxy-${token}`], ["127.0.0.1:1", "online", first]);

  let fewest = 1;
  const watching = (async () => {
    const all = coordinator.watchChildren(FOLDER);
    for await (const now of all) fewest = Math.min(fewest, now.length);
  })();
  assertEquals((await proxy.upgrade()).code, 0);
  const [second] = await firstOf(names, (now) => now.length === 1 && now[0] !== first);
  assertEquals(fewest, 1);

  const words = ["drain", "-c", `${proxy.folder}/config.ini`];
  const { code } = await callCli(...words, `--http-addr=127.0.0.1:${proxy.httpPort}`);
  assertEquals(code, 0);
  assertEquals(await coordinator.children(FOLDER), [], `${second} must be gone by now`);
  await coordinator.close();
  await watching;
});

Deno.test("a killed process is found for no longer than its session lasts, a new one at once", async () => {
  await using proxy = await startProxy(SESSION_MS);
  const coordinator = await zookeeper.open(WATCHER);
  const names = () => coordinator.children(FOLDER);
  await until(async () => (await names()).length === 1);
  const [killed] = await names();
  await proxy.child.end("SIGKILL");
  await proxy.restart();
  // Both lead to the same address, where the new one serves.
  await until(async () => (await names()).some((name) => name !== killed));
  await until(async () => !(await names()).includes(killed!), 3 * SESSION_MS);
  assertEquals((await names()).length, 1);
  await coordinator.close();
});

Deno.test("a proxy serves while the ZooKeeper of Jodis is away, and is found when it is back", async () => {
  await zookeeper.server.stop();
  await using proxy = await startProxy();
  using client = await proxy.client();
  assertEquals(await client.call("PING"), "PONG");
  await zookeeper.server.restart();
  await until(() => proxy.stderr.includes("Jodis clients find this proxy"));
});
