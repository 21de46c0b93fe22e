/**
 * How a proxy says for how long it has not heard from a server: what a failover is decided by.
 *
 * @module
 */

import { assert, assertGreater, assertLess } from "@std/assert";
import { delay } from "@std/async/delay";
import { clock } from "../../../src/base/clock.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { keyOn, RouterServer } from "../../support/router_server.ts";

const ASK_MS = 100;
const BREAK_MS = 700;
const KEY = keyOn(0, 1);

Deno.test("a server that hangs is silent for longer and longer, whatever connections are open", async () => {
  await using server = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [server] });
  const { pool } = proxy.router.shared.slots;
  const sighted = async () => {
    await delay(ASK_MS);
    clock.tick();
    return pool.find(server.addr)!.sightedSilentMs(BREAK_MS);
  };
  using client = await proxy.client();
  using idle = await proxy.client();
  await client.call("SET", KEY, "1");
  // Connections that owe nothing while the server hangs: another database, and one of a client's own.
  await idle.call("SELECT", 3);
  await idle.call("SET", KEY, "1");
  await idle.call("BLPOP", "{none}" + KEY, "0.05");
  for (let i = 0; i < 5; i++) assertLess(await sighted(), 300, "it answers");

  for (const isBusy of [false, true]) {
    server.pause();
    const beganMs = performance.now();
    const seen: number[] = [];
    while (performance.now() - beganMs < 2_500) {
      if (isBusy) client.call("SET", KEY, "2").catch(() => {});
      seen.push(await sighted());
      assert(
        seen.at(-1)! >= (seen.at(-2) ?? 0) - ASK_MS,
        `it was heard of: ${seen.map(Math.round)}`,
      );
    }
    assertGreater(seen.at(-1)!, 2_000, String(seen.map(Math.round)));
    server.resume();
    const resumedMs = performance.now();
    while (await sighted() > 300) assertLess(performance.now() - resumedMs, 3_000, "it is back");
    assertLess(await sighted(), 300);
  }
});
