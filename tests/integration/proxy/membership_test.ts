/**
 * A proxy's life with an embedded coordinator, and what it asks of its dashboard.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { Secret } from "../../../src/base/secret.ts";
import { goOnline } from "../../../src/proxy/membership/go_online.ts";
import type { Store } from "../../../src/store/store.ts";
import { StoreFolder } from "../../support/store.ts";
import { testMembership } from "./membership.ts";

testMembership(
  { name: "embedded", start: () => StoreFolder.make() },
  (name, body) => Deno.test(name, body),
);

Deno.test("a proxy asks the dashboard to be set online as Codis 2.0's do, and quotes a refusal", async () => {
  const requests: string[] = [];
  let status = 500;
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      const type = request.headers.get("content-type");
      const token = request.headers.get("authorization");
      requests.push(`${request.method} ${pathname} ${type} ${token} ${await request.text()}`);
      const body = status === 200 ? '{"msg":"OK","ret":0}' : "slot is not online or migrate";
      return new Response(body, { status });
    },
  );
  const address = { hostname: "127.0.0.1", port: server.addr.port };
  const dashboard = { address, token: new Secret("hunter2") };
  const store = undefined as unknown as Store;
  await assertRejects(
    () => goOnline(store, "proxy_1", dashboard),
    Error,
    "dashboard answered 500: slot is not online or migrate; " +
      "`codis-proxy config check` says how to mend such slots",
  );
  status = 200;
  await goOnline(store, "proxy_1", dashboard);
  assertEquals(
    requests[1],
    'POST /api/proxy application/json Bearer hunter2 {"id":"proxy_1","addr":"","last_event":"",' +
      '"last_event_ts":0,"state":"online","description":"","debug_var_addr":"","pid":0,"start_at":""}',
  );
  await server.shutdown();
  await assertRejects(() => goOnline(store, "proxy_1", dashboard), Error);
});
