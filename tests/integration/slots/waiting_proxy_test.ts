/**
 * A proxy that was started before there were slots: what clients hear, and that it holds up nobody.
 *
 * @module
 */

import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { until } from "../../support/deadline.ts";
import { freePort } from "../../support/free_port.ts";
import { configText, ProxyProcess, startProgram } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";
import { ReplyError } from "../../support/resp_value.ts";

Deno.test("a proxy without slots answers -LOADING until it has some", async () => {
  await using servers = await RedisServer.startMany(2);
  await Promise.all([1, 2].map((cpu) => tryOut(cpu, servers)));
});

/** Starts a proxy that is a whole system, and makes a cluster by its dashboard. */
async function tryOut(cpu: number, servers: readonly RedisServer[]): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "codis-waiting-" });
  const [port, httpPort] = [freePort(), freePort()];
  await Deno.writeTextFile(`${folder}/config.ini`, configText({ embedded_dir: `${folder}/data` }));
  const child = startProgram([
    ...["proxy", "-c", `${folder}/config.ini`, `--cpu=${cpu}`],
    ...[`--addr=127.0.0.1:${port}`, `--http-addr=127.0.0.1:${httpPort}`],
  ]);
  try {
    using client = await connected(port);
    const isLoading = async (...words: string[]) => {
      const reply = await client.call(...words as [string]);
      assert(reply instanceof ReplyError, `${words}: ${reply}`);
      assertMatch(reply.message, /^LOADING codis-proxy waits to be set online/);
    };
    for (const words of ["GET k", "MGET a b", "DBSIZE", "PING"]) {
      await isLoading(...words.split(" "));
    }
    assertMatch(`${await client.call("INFO")}`, /^loading:1\r?$/m);
    assertEquals(await client.call("SELECT", 1), "OK");
    assertEquals(await client.call("SELECT", 0), "OK");

    const ask = async (method: string, path: string, body?: unknown) => {
      const response = await fetch(`http://127.0.0.1:${httpPort}${path}`, {
        method,
        headers: { "content-type": "application/json" },
        body: body === undefined ? null : JSON.stringify(body),
      });
      assertEquals([response.status, await response.text()], [200, '{"msg":"OK","ret":0}'], path);
    };
    const [a, b] = servers.map(({ addr }) => addr);
    await ask("POST", "/api/slots/init");
    await ask("PUT", "/api/server_group/1/addServer", { type: "master", addr: a });
    await ask("PUT", "/api/server_group/2/addServer", { type: "master", addr: b });
    await ask("POST", "/api/slot", { from: 0, to: 500, new_group: 1, status: "online" });
    await isLoading("GET", "k");
    await ask("POST", "/api/slot", { from: 501, to: 1023, new_group: 2, status: "online" });
    // The same client is served from now on.
    await until(async () => await client.call("SET", "k", "v") === "OK");
    assertEquals(await client.call("PING"), "PONG");
    assertMatch(`${await client.call("INFO", "persistence")}`, /^loading:0\r?$/m);
    assertEquals((await child.end("SIGTERM")).code, 0);
    // What keeps it is logged when it changes.
    const reasons = child.stderr.match(/waits to be set online: .*/g)!;
    assertEquals(reasons.length, new Set(reasons).size, child.stderr);
  } finally {
    await child.end("SIGKILL");
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a proxy that waits for an earlier one of its id ends in order when it is told to", async () => {
  await using first = await ProxyProcess.start({ servers: [{ addr: "127.0.0.1:1" }] });
  const second = startProgram([
    ...["proxy", "-c", `${first.folder}/config.ini`, "--cpu=1"],
    ...[`--addr=127.0.0.1:${freePort()}`, `--http-addr=127.0.0.1:${freePort()}`],
  ]);
  await second.waitFor(() => second.stderr.includes("waiting for the earlier proxy_1 to end"));
  const began = performance.now();
  assertEquals((await second.end("SIGTERM")).code, 0, second.stderr);
  assertLess(performance.now() - began, 2_000);
});

Deno.test("proxy and dashboard end in order while they wait for their coordinator", async () => {
  const starts = ["zookeeper", "etcd"].flatMap((coordinator) => [
    endsWhileItWaits(coordinator, ["proxy", "--addr=127.0.0.1:0", "--http-addr=127.0.0.1:0"]),
    endsWhileItWaits(coordinator, ["dashboard", "--addr=127.0.0.1:0"]),
  ]);
  await Promise.all(starts);
});

/** Ends a program when it has connected to a coordinator that says nothing. */
async function endsWhileItWaits(coordinator: string, words: readonly string[]): Promise<void> {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const folder = await Deno.makeTempDir({ prefix: "codis-waiting-" });
  const file = `${folder}/config.ini`;
  const zk = `127.0.0.1:${silent.addr.port}`;
  await Deno.writeTextFile(
    file,
    configText({ coordinator, zk, proxy_id: "a", dashboard_addr: "127.0.0.1:1" }),
  );
  const child = startProgram([...words, "-c", file]);
  try {
    const accepting = silent.accept();
    const connection = await Promise.race([accepting, child.ended.then(() => undefined)]);
    assert(connection !== undefined, child.stderr);
    const began = performance.now();
    assertEquals((await child.end("SIGTERM")).code, 0, child.stderr);
    assertLess(performance.now() - began, 4_000);
    assertMatch(child.stderr, /stopping during the start: got SIGTERM/);
    connection.close();
  } finally {
    await child.end("SIGKILL");
    await Deno.remove(folder, { recursive: true });
  }
}

/** A client, as soon as the port is bound. */
async function connected(port: number): Promise<RespClient> {
  let client: RespClient | undefined;
  await until(async () => {
    client = await RespClient.connect(port).catch(() => undefined);
    return client !== undefined;
  });
  return client!;
}
