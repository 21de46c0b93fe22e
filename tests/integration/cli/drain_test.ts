/**
 * `codis-proxy drain`: whoever looks at the cluster sees it; and it is told where a new process takes over at the same
 * address. The two are played by the test, so that it is certain which of them answers.
 *
 * @module
 */

import { assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { callCli } from "../../support/cli_call.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { configText, ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";

/** Runs the command against an address at which these processes answer how they are, one after the other. */
async function drain(healths: readonly { pid: number; status: string }[]) {
  const left = [...healths];
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) =>
      request.method === "POST"
        ? Response.json({ status: "draining", pid: 1 }, { status: 202 })
        : Response.json({ sessions: 0, ...left.length > 1 ? left.shift() : left[0] }, {
          status: 503,
        }),
  );
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, configText({ drain_timeout: 60 }));
  const addr = `127.0.0.1:${server.addr.port}`;
  const ended = await callCli("drain", "-c", file, `--http-addr=${addr}`);
  await Deno.remove(file);
  return { ...ended, addr };
}

Deno.test("a proxy that is drained is shown so by status, proxy list, page, API and metrics", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(1);
  const store = await folder.openFilled(servers[0]!.addr);
  await using dashboard = await DashboardServer.start(store);
  await using proxy = await ProxyProcess.start({
    config: {
      ...{ embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
      drain_timeout: 60,
    },
  });
  const config = async (...words: string[]) =>
    (await callCli("config", `--dashboard=${dashboard.addr}`, "--output=table", ...words)).stdout;
  const status = (...words: string[]) => config("status", ...words);
  const listed = async () => await config("proxy", "list");
  const metrics = async () =>
    [await (await fetch(proxy.url("/metrics"))).text(), (await dashboard.get("/metrics")).text]
      .flatMap((text) => text.split("\n").filter((line) => /^codis_\w+_drain\{/.test(line)));
  const drainNow = async () => (await dashboard.get("/api/cluster")).json.proxies[0]?.drain;
  await until(async () => await drainNow() === null);
  assertMatch(await listed(), /^one +\S+ +online /m);
  assertEquals((await dashboard.get("/api/proxy/list")).json[0].drain, undefined);
  assertEquals(await metrics(), [
    'codis_proxy_drain{state="draining"} 0',
    'codis_proxy_drain{state="drained"} 0',
    'codis_cluster_proxy_drain{proxy="one",state="draining"} 0',
    'codis_cluster_proxy_drain{proxy="one",state="drained"} 0',
  ]);
  {
    using client = await proxy.client();
    assertEquals(await client.call("MULTI"), "OK");
    await fetch(proxy.url("/api/drain"), { method: "POST" }).then((answer) => answer.text());
    await until(async () => await drainNow() === "draining");
    assertMatch(await status(), /^one +\S+ +draining /m);
    assertMatch(await listed(), /^one +\S+ +draining /m);
    assertEquals((await dashboard.get("/api/proxy/list")).json[0].drain, "draining");
    assertEquals((await metrics()).filter((line) => line.endsWith(" 1")), [
      'codis_proxy_drain{state="draining"} 1',
      'codis_cluster_proxy_drain{proxy="one",state="draining"} 1',
    ]);
    assertStringIncludes(
      await status("--short"),
      "warning: Proxy one is draining: it lets its clients go",
    );
  }
  await until(async () => await drainNow() === "drained");
  assertMatch(await status(), /^one +\S+ +drained /m);
  assertMatch(await listed(), /^one +\S+ +drained /m);
  assertEquals((await metrics()).filter((line) => line.endsWith(" 1")), [
    'codis_proxy_drain{state="drained"} 1',
    'codis_cluster_proxy_drain{proxy="one",state="drained"} 1',
  ]);
  const short = await status("--short");
  assertStringIncludes(short, "error: No proxy accepts clients: those that are online are drained");
  assertStringIncludes(
    short,
    "warning: Proxy one is drained: it accepts no clients; stop it, or restart it",
  );
});

Deno.test("drain says at once that another process has taken over, and does not wait for that one", async () => {
  const startedMs = performance.now();
  const { code, stderr, addr } = await drain([
    { pid: 1, status: "draining" },
    { pid: 2, status: "not serving" },
    { pid: 2, status: "ok" },
  ]);
  assertEquals(code, 1);
  assertEquals(
    stderr,
    `codis-proxy: process 2 has taken over at ${addr}, and accepts clients; process 1, which was asked, ` +
      "ends by itself when its own have gone\n",
  );
  assertLess(performance.now() - startedMs, 20_000);
});

Deno.test("drain takes no other process's word for that of the one that it has asked", async () => {
  const { code, stdout, addr } = await drain([
    { pid: 2, status: "drained" },
    { pid: 1, status: "draining" },
    { pid: 2, status: "drained" },
    { pid: 1, status: "drained" },
  ]);
  assertEquals([code, stdout], [0, `no client is left at ${addr}\n`]);
});
