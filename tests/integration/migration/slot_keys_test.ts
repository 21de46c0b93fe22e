/**
 * Counting the keys of a slot: one scan at a time, and with rests for clients.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";

Deno.test("many requests for the keys of a slot share one scan, which rests in between", async () => {
  await using folder = await StoreFolder.make();
  await using redis = await RedisServer.start();
  using client = await redis.client();
  // As many keys as take several SCANs.
  await client.call("EVAL", "for i = 1, 9000 do redis.call('SET', '{a}' .. i, i) end", 0);
  const store = await folder.openFilled(redis.addr);
  await using dashboard = await DashboardServer.start(store);
  const ask = (slotId: number) => dashboard.get(`/api/redis/${redis.addr}/${slotId}/slotinfo`);
  const slot = 579; // that of {a}
  const answers = await Promise.all([
    ...Array.from({ length: 20 }, () => ask(slot)),
    ask(slot + 1),
  ]);
  for (const { json } of answers.slice(0, 20)) assertEquals(json, { keys: 9000, slot_id: slot });
  const last = answers.at(-1)!;
  assertEquals(last.status, 500);
  assertMatch(last.text, /keys of slot 579 are being counted at .*: try again/);
  const stats = String(await client.call("INFO", "commandstats"));
  assertEquals(/cmdstat_scan:calls=(\d+)/.exec(stats)?.[1], "5");
  assertEquals((await ask(slot + 1)).json, { keys: 0, slot_id: slot + 1 });
});
