/**
 * What a proxy's configuration was changed to is in the audit trail of a dashboard of its own.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { DashboardProcess } from "../../support/dashboard_process.ts";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";

Deno.test("reloads and CONFIG SET of a proxy are in the trail of a separate dashboard", async () => {
  await using redis = await RedisServer.start();
  const folder = await Deno.makeTempDir({ prefix: "codis-reload-" });
  const common = { embedded_dir: `${folder}/data`, dashboard_token: "secret-token" };
  await using dashboard = await DashboardProcess.start({ coordinator: "embedded", ...common });
  await using proxy = await ProxyProcess.start({
    servers: [redis],
    config: {
      ...common,
      proxy_id: "proxy_1",
      dashboard_addr: dashboard.addr,
      server_commands: "on",
    },
  });
  const file = `${proxy.folder}/config.ini`;
  const first = await Deno.readTextFile(file);
  const noted = async () => {
    const headers = { authorization: "Bearer secret-token" };
    const answer = await fetch(`http://${dashboard.addr}/api/audit`, { headers });
    const { entries } = await answer.json();
    return entries.filter(({ request }: { request: string }) =>
      request === "POST /api/proxy/proxy_1/config"
    ).map((entry: { arguments: string }) => entry.arguments) as string[];
  };

  await Deno.writeTextFile(file, `${first}max_clients = 500\npassword = hidden\n`);
  proxy.child.signal("SIGHUP");
  await until(async () => (await noted()).length === 1);
  assertMatch((await noted())[0]!, /^by=SIGHUP changes=.*max_clients \S+ → 500/);
  assertMatch((await noted())[0]!, /password not set → \*\*\*/);

  await Deno.writeTextFile(file, `${first}max_clients = lots\n`);
  proxy.child.signal("SIGHUP");
  await until(async () => (await noted()).length === 2);
  assertMatch((await noted())[0]!, /^by=SIGHUP error=.*max_clients = "lots": must be/);

  // A dashboard that is away is told when it is back.
  await dashboard.stop();
  using client = await proxy.client();
  await client.call("AUTH", "hidden");
  assertEquals(await client.call("CONFIG", "SET", "max_clients", "400"), "OK");
  await dashboard.restart();
  await until(async () => (await noted())[0]!.includes("max_clients 500 → 400"));
  assertMatch((await noted())[0]!, /^by=CONFIG SET/);
  await Deno.remove(folder, { recursive: true });
});
