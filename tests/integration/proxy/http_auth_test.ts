/**
 * The HTTP endpoints as strangers see them: every route that changes something is shut, and what
 * monitoring asks for is open.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";

/** Every route by which something is changed, or a server kept busy. */
const CHANGES = [
  ["GET", "/setloglevel?level=debug"],
  ["POST", "/setloglevel?level=debug"],
  ["GET", "/api/force_remove_locks"],
  ["GET", "/api/remove_fence"],
  ["GET", "/api/action/gc?keep=10"],
  ["POST", "/api/remove_fence"],
  ["GET", "/api/redis/group/1/0/slotinfo"],
  ["POST", "/api/login"],
  ["POST", "/api/migrate/pause"],
  ["POST", "/api/migrate/resume"],
] as const;
/** What is told to everybody. */
const OPEN = ["/healthz", "/metrics", "/debug/vars", "/stats", "/slots", "/admin"];
/** What only this machine, or the token, is told. */
const READS = ["/api/overview", "/api/cluster", "/api/proxy/list", "/api/slots", "/api/check"];

/** What a request from another machine looks like that a server on this one hands on. */
const HANDED_ON = { "x-forwarded-for": "203.0.113.5" };
const RIGHT = { authorization: "Bearer sesame" };

/** Sends a request as it stands: `fetch` sets some of the headers itself. */
async function statusOf(
  proxy: ProxyProcess,
  method: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<number> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: proxy.httpPort });
  const all = { host: "127.0.0.1", connection: "close", "content-length": "0", ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const request = `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
  await connection.write(new TextEncoder().encode(request));
  const answer = await new Response(connection.readable).text();
  return Number(/^HTTP\/1\.1 (\d+) /.exec(answer)?.[1]);
}

Deno.test("without a token strangers read what monitoring needs, and neither read nor change more", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ servers: [redis] });
  for (const [method, path] of CHANGES) {
    const ask = (headers: Record<string, string>) => statusOf(proxy, method, path, headers);
    assertEquals(await ask({ host: "evil.example" }), 403, `${method} ${path}`);
    assertEquals(await ask({ "user-agent": "Mozilla/5.0" }), 403, `${method} ${path}`);
    assertEquals(await ask(HANDED_ON), 403, `${method} ${path}`);
    assertEquals(await ask({}), 200, `${method} ${path}`);
  }
  for (const path of READS) {
    assertEquals(await statusOf(proxy, "GET", path, HANDED_ON), 403, path);
    assertEquals(await statusOf(proxy, "GET", path), 200, path);
    // A page whose name leads here now, in a browser on this machine.
    assertEquals(await statusOf(proxy, "GET", path, { host: "evil.example" }), 403, path);
  }
  const page = { host: "evil.example", "user-agent": "Mozilla/5.0" };
  for (const path of OPEN) {
    assertEquals(await statusOf(proxy, "GET", path, HANDED_ON), 200, path);
    // Of /admin it sees an empty frame.
    const refused = path === "/admin" ? 200 : 403;
    assertEquals(await statusOf(proxy, "GET", path, page), refused, path);
  }
});

Deno.test("with a token strangers who have it read and change, and others neither", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    servers: [redis],
    config: { dashboard_token: "sesame" },
  });
  for (const [method, path] of CHANGES) {
    for (const headers of [{}, HANDED_ON]) {
      assertEquals(await statusOf(proxy, method, path, headers), 401, `${method} ${path}`);
      const right = { ...headers, ...RIGHT };
      assertEquals(await statusOf(proxy, method, path, right), 200, `${method} ${path}`);
    }
  }
  for (const path of READS) {
    assertEquals(await statusOf(proxy, "GET", path, HANDED_ON), 401, path);
    assertEquals(await statusOf(proxy, "GET", path, { ...HANDED_ON, ...RIGHT }), 200, path);
  }
});
