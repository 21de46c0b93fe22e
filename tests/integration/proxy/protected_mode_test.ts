/**
 * Whom a proxy serves that was started without a password: only this machine, until an operator says
 * otherwise.
 *
 * Another machine is played by this one under an address of its network: such a connection is not from
 * the loopback interface. A machine that has no such address cannot be reached by another one either.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";

/** Addresses of this machine that others may know it by. */
const OUTER = Deno.networkInterfaces()
  .map(({ address }) => address)
  .filter((address) => !/^(127\.|::1$|fe80:)/i.test(address));

/** What a client gets that connects to `hostname` and sends a PING: all bytes until 1 s of silence. */
async function ping(hostname: string, port: number): Promise<string> {
  using connection = await Deno.connect({ hostname, port });
  // The answer may come, and the connection end, before this is sent.
  await connection.write(new TextEncoder().encode("PING\r\n")).catch(() => {});
  const timer = setTimeout(() => connection.close(), 1_000);
  let text = "";
  const buffer = new Uint8Array(4096);
  try {
    for (;;) {
      const count = await connection.read(buffer);
      if (count === null) return `${text}(closed)`;
      text += new TextDecoder().decode(buffer.subarray(0, count));
      if (text === "+PONG\r\n") return text;
    }
  } catch {
    return `${text}(closed)`;
  } finally {
    clearTimeout(timer);
  }
}

async function canConnect(hostname: string, port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname, port })).close();
    return true;
  } catch {
    return false;
  }
}

Deno.test("protected mode: who may use a proxy without a password", async (t) => {
  await using server = await RedisServer.start();
  const servers = [server];

  await t.step("nothing said: Redis and HTTP are for this machine, with Redis's text", async () => {
    await using proxy = await ProxyProcess.start({ servers, host: "", cpu: 2 });
    for (const here of ["127.0.0.1", "127.0.0.5", "::1"]) {
      assertEquals(await ping(here, proxy.port), "+PONG\r\n", here);
    }
    for (const outer of OUTER) {
      const answer = await ping(outer, proxy.port);
      assertMatch(answer, /^-DENIED Redis is running in protected mode because .*\r\n\(closed\)$/);
      assertStringIncludes(answer, "protected_mode = no");
      assertEquals(await canConnect(outer, proxy.httpPort), false, outer);
    }
    const records = await (await fetch(proxy.url("/api/proxy/list"))).json();
    assertEquals(records[0].debug_var_addr, `127.0.0.1:${proxy.httpPort}`);
    if (OUTER.length === 0) return;
    assertStringIncludes(proxy.stderr, "protected mode has refused 1 client of other machines");
    // Each worker says it once.
    for (let i = 0; i < 20; i++) await ping(OUTER[0]!, proxy.port);
    const lines = proxy.stderr.split("\n").filter((line) => line.includes("protected mode"));
    assert(lines.length <= 2, lines.join("\n"));
    using client = await proxy.client();
    const stats = `${await client.call("INFO", "stats")}`;
    assertMatch(stats, new RegExp(`rejected_connections:${OUTER.length + 20}\r\n`));
  });

  const opened = [
    { name: "a password is set", host: "", config: { password: "secret" } },
    { name: "the address is named", host: "0.0.0.0", config: {} },
    { name: "protected_mode = no", host: "", config: { protected_mode: "no" } },
  ];
  for (const { name, host, config } of opened) {
    await t.step(`${name}: every machine may connect`, async () => {
      const own = { ...config, ...("password" in config ? { backend_password: "" } : {}) };
      await using proxy = await ProxyProcess.start({ servers, host, config: own });
      const isLocked = "password" in config;
      for (const outer of OUTER.filter((each) => host === "" || !each.includes(":"))) {
        const answer = await ping(outer, proxy.port);
        assertMatch(answer, isLocked ? /^-NOAUTH / : /^\+PONG\r\n$/);
        assertEquals(await canConnect(outer, proxy.httpPort), !isLocked, outer);
      }
    });
  }
});
