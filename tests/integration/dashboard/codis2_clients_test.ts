/**
 * What users of Codis 2.0's own programs may rely on: every request that its codis-config and its page send
 * is carried out, byte for byte as they send it.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { request } from "node:http";
import { createProxy } from "../../../src/store/proxies.ts";
import { createFence } from "../../../src/store/fences.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { RECORD } from "../../support/proxy_record.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";

/** Sends a request as Go's http.Client does: GET, too, has a body, and no request says what it is. */
function goRequest(addr: string, method: string, path: string, body: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const [host, port] = addr.split(":") as [string, string];
  const headers = { "content-length": `${body.length}`, "user-agent": "Go-http-client/1.1" };
  const sent = request({ host, port, method, path, headers }, (response) => {
    let text = "";
    response.on("data", (chunk) => text += chunk);
    response.on("end", () => resolve(`${response.statusCode} ${text}`));
  });
  sent.on("error", reject);
  sent.end(body);
  return promise;
}

const DONE = '200 {"msg":"OK","ret":0}';

Deno.test("codis-config of Codis 2.0 can send all that it sends, with null where it has nothing to say", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(3);
  const store = await folder.open();
  await using dashboard = await DashboardServer.start(store);
  const [a, b, c] = servers.map(({ addr }) => addr) as [string, string, string];
  const send = (method: string, path: string, body: string) =>
    goRequest(dashboard.addr, method, path, body);

  const group = (id: number) => `{"id":${id},"product_name":"test","servers":null}`;
  assertEquals(await send("PUT", "/api/server_groups", group(1)), DONE);
  assertEquals(await send("PUT", "/api/server_groups", group(2)), DONE);
  assertEquals(await send("PUT", "/api/server_groups", group(3)), DONE);
  const server = (type: string, addr: string, id = -1) =>
    `{"type":"${type}","group_id":${id},"addr":"${addr}"}`;
  const add = (id: number, type: string, addr: string) =>
    send("PUT", `/api/server_group/${id}/addServer`, server(type, addr));
  assertEquals(await add(1, "master", a), DONE);
  assertEquals(await add(1, "slave", c), DONE);
  assertEquals(await add(2, "master", b), DONE);
  assertEquals(await send("DELETE", "/api/server_group/3", "null"), DONE);
  assertMatch(await send("GET", "/api/server_groups", "null"), /^200 /);

  assertEquals(await send("POST", "/api/slots/init", "null"), DONE);
  assertEquals(await send("POST", "/api/slots/init?is_force=1", "null"), DONE);
  const range = (from: number, to: number) =>
    `{"from":${from},"to":${to},"new_group":1,"status":"online"}`;
  assertEquals(await send("POST", "/api/slot", range(0, 1023)), DONE);
  assertMatch(await send("GET", "/api/slot/0", "null"), /^200 /);

  for (const server of servers) {
    using client = await server.client();
    await client.call("CONFIG", "SET", "maxmemory", "100mb");
  }
  assertMatch(await send("POST", "/api/rebalance", "null"), /^200 \{"msg":"OK","ret":0,/);
  await until(async () => (await dashboard.get("/api/migrate/tasks")).json.length === 0);
  const slots = (await dashboard.get("/api/slots")).json as { group_id: number }[];
  assertEquals(slots.filter(({ group_id }) => group_id === 2).length, 512);
  assertEquals(
    await send("POST", "/api/migrate", '{"from":0,"to":0,"new_group":2,"delay":0}'),
    DONE,
  );
  await until(async () => (await dashboard.get("/api/migrate/tasks")).json.length === 0);

  assertEquals(await send("POST", "/api/server_group/1/promote", server("", c, 1)), DONE);
  const remove = server("", a, 0);
  assertEquals(await send("PUT", "/api/server_group/1/removeServer", remove), DONE);

  await createProxy(store, { ...RECORD, id: "one", state: "offline" });
  const mark = '{"id":"one","addr":"","last_event":"","last_event_ts":0,"state":"offline",' +
    '"description":"","debug_var_addr":"","pid":0,"start_at":""}';
  assertEquals(await send("POST", "/api/proxy", mark), DONE);
  assertMatch(await send("GET", "/api/proxy/list", "null"), /^200 /);
  assertEquals(await send("GET", "/api/action/gc?keep=0", "null"), DONE);
  assertEquals(await send("GET", "/api/action/gc?secs=60", "null"), DONE);
  assertEquals(await send("GET", "/api/force_remove_locks", "null"), DONE);
  await createFence(store, "127.0.0.1:1", "");
  assertEquals(await send("GET", "/api/remove_fence", "null"), DONE);
});
