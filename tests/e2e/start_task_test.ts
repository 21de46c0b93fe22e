/**
 * `deno task start`, as whoever works on the source starts the program: other tests may run a bundle of it.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Child } from "../support/child.ts";
import { until } from "../support/deadline.ts";
import { freePort } from "../support/free_port.ts";
import { configText } from "../support/proxy_process.ts";
import { RedisServer } from "../support/redis_server.ts";
import { RespClient } from "../support/resp_client.ts";

const root = new URL("../..", import.meta.url).pathname;
const CLIENTS = 10;

Deno.test("deno task start serves clients and the dashboard from the sources, with two workers", async () => {
  await using servers = await RedisServer.startMany(2);
  const folder = await Deno.makeTempDir({ prefix: "codis-start-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const config = {
    servers: servers.map(({ addr }) => addr).join(","),
    embedded_dir: `${folder}/data`,
  };
  await Deno.writeTextFile(`${folder}/config.ini`, configText(config));
  const [port, httpPort] = [freePort(), freePort()];
  const words = [
    "-c",
    `${folder}/config.ini`,
    `--addr=127.0.0.1:${port}`,
    `--http-addr=127.0.0.1:${httpPort}`,
    "--cpu=2",
  ];
  const child = new Child(Deno.execPath(), {
    args: ["task", "start", ...words],
    cwd: root,
  });
  // The task passes this on to the program; killed, it would leave it.
  stack.defer(async () => void await child.end("SIGTERM"));
  const url = `http://127.0.0.1:${httpPort}`;
  await until(async () => {
    assert(!child.hasEnded, `${child.stdout}${child.stderr}`);
    const response = await fetch(`${url}/healthz`).catch(() => undefined);
    await response?.body?.cancel();
    return response?.status === 200;
  });
  // So many that each worker has some.
  for (let i = 0; i < CLIENTS; i++) {
    using client = await RespClient.connect(port);
    assertEquals(await client.call("INCR", `key:${i}`), 1);
  }
  const page = await fetch(`${url}/admin/`);
  assertEquals(page.status, 200);
  assert((await page.text()).includes("<title>"));
  assertEquals((await child.end("SIGTERM")).code, 0, child.stderr);
});
