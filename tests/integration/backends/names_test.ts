/**
 * A server named by a host name: its addresses are looked up again whenever a connection is made, and
 * connections that lead nowhere any more are noticed.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { ProxyProcess } from "../../support/proxy_process.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
import {
  hasNamespaces,
  inNamespaces,
  isInside,
  NAME,
  REDIS_PORT,
  TwoMachines,
} from "../../support/two_machines.ts";

const DIAL_MS = 1_000;

if (isInside()) Deno.test("a server that is named by a host name", names);
else {
  Deno.test({
    name: "a server that is named by a host name (in namespaces of its own)",
    ignore: !hasNamespaces(),
    async fn() {
      const child = inNamespaces(["test", "--quiet"], import.meta.url);
      const { success } = await child.ended;
      assert(success, child.stdout + child.stderr);
    },
  });
}

async function names(t: Deno.TestContext): Promise<void> {
  await using machines = await TwoMachines.start();
  await using proxy = await ProxyProcess.start({
    servers: [{ addr: `${NAME}:${REDIS_PORT}` }],
    config: { backend_dial_timeout: DIAL_MS, backend_ping_period: 1 },
  });
  const step = async (name: string, check: (client: RespClient) => Promise<void>) => {
    using client = await proxy.client();
    await t.step(name, () => check(client));
  };

  await step("is back after its name moved from a server that died", async (client) => {
    assertEquals(await client.call("SET", "k", "v"), "OK");
    await machines.kill(0);
    machines.lead(1);
    assert(await untilServed(client) < 2 * DIAL_MS);
  });

  await step("is back after its name moved from an address where all is lost", async (client) => {
    assertEquals(await client.call("SET", "k", "v"), "OK");
    await machines.serve(0);
    machines.lose(1);
    machines.lead(0);
    assert(await untilServed(client) < 2 * DIAL_MS);
    machines.lose(undefined);
  });

  await step(
    "is looked up while nobody asks; one who is blocked there blocks on",
    async (client) => {
      await client.send("BLPOP", "nothing", 0);
      await delay(100);
      machines.lose(0);
      machines.lead(1);
      await delay(4 * DIAL_MS);
      using other = await proxy.client();
      assertEquals(await other.call("RPUSH", "nothing", "x"), 1);
      assertEquals((await client.read()).value, ["nothing", "x"]);
      machines.lose(undefined);
    },
  );

  await step("is waited for while it is slow: its system takes connections", async (client) => {
    machines.stop(1);
    await client.send("SET", "k", "v");
    await delay(2 * DIAL_MS);
    machines.stop(1, false);
    assertEquals((await client.read()).value, "OK");
  });

  await step("is found at any address of its name", async (client) => {
    machines.lose(0);
    machines.nameIs("::1", machines.addresses[0], machines.addresses[1]);
    await machines.kill(1);
    await machines.serve(1);
    assert(await untilServed(client) < 2 * DIAL_MS);
    machines.lose(undefined);
  });

  await step("whose name has no address: an error says so", async (client) => {
    machines.nameIs();
    await machines.kill(1);
    // Whether there is a name server depends on the machine.
    const said = /redis-a:6379: the name "redis-a" (has no address|cannot be looked up now)/;
    let text = "";
    for (let i = 0; i < 100 && !said.test(text); i++) {
      await delay(20);
      text = textOf(await client.call("GET", "k"));
    }
    assertMatch(text, said);
  });
}

/** How long it takes until a request is served, in milliseconds. */
async function untilServed(client: RespClient): Promise<number> {
  const sinceMs = performance.now();
  while (await client.call("SET", "k", "v") !== "OK") await delay(10);
  return performance.now() - sinceMs;
}

function textOf(value: RespValue): string {
  return value instanceof ReplyError ? value.message : String(value);
}
