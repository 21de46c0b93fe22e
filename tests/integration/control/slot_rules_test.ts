/**
 * Who keeps slot rules from being added: servers and proxies that place keys without them.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { encodeServer } from "../../../src/model/server.ts";
import { encodeSlot, slotIn } from "../../../src/model/slot.ts";
import { loadSlotRules } from "../../../src/store/slot_rules.ts";
import { saveEntry } from "../../../src/store/store.ts";
import { CodisProxy } from "../../support/codis_proxy.ts";
import { CodisServer } from "../../support/codis_server.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";

const RULES = { rules: [{ pattern: "rq:*", tag: "rq" }] };

Deno.test("slot rules are refused, and nothing changes, while", async (t) => {
  await using folder = await StoreFolder.make();
  await using redis = await RedisServer.start();
  const store = await folder.openFilled(redis.addr);
  await using dashboard = await DashboardServer.start(store);
  const refusal = async (body: unknown = RULES) => {
    const { status, text } = await dashboard.ask("POST", "/api/slot_rules", body);
    assertEquals([status === 200, (await loadSlotRules(store)).rules], [false, []]);
    return text;
  };

  await t.step("a codis-server is a master", async () => {
    await using codis = await CodisServer.start();
    const { paths } = store;
    const server = encodeServer({ type: "master", group_id: 2, addr: codis.addr });
    await store.coordinator.create(paths.group(2), "");
    await saveEntry(store, paths.server(2, codis.addr), server);
    assertMatch(await refusal(), /127\.0\.0\.1:\d+ is a codis-server/);
    await store.coordinator.delete(paths.server(2, codis.addr));
    await store.coordinator.delete(paths.group(2));
  });

  await t.step("a slot is on its way", async () => {
    const { state, ...slot } = slotIn(store.product, 7, 1, "migrate");
    const moving = { ...slot, state: { ...state, migrate_status: { from: 1, to: 1 } } };
    await saveEntry(store, store.paths.slot(7), encodeSlot(moving));
    assertMatch(await refusal(), /slots are on their way, such as slot 7/);
    await saveEntry(
      store,
      store.paths.slot(7),
      encodeSlot(slotIn(store.product, 7, 1, "online")),
    );
  });

  await t.step("one of them is no rule", async () => {
    for (
      const [pattern, tag] of [["", ""], ["*", "x"], ["a*", ""], ["a", ""], ["{a}*", "x"], [
        "a**b",
        "x",
      ]]
    ) assertMatch(await refusal({ rules: [{ pattern, tag }] }), /pattern/);
    assertMatch(await refusal({ rules: [{ pattern: "a*", tag: "{x}" }] }), /a tag must not/);
    assertMatch(await refusal({ rules: [] }), /rules/);
  });

  await t.step("a proxy of Codis is registered", async () => {
    await using _codis = await CodisProxy.start(store, "go");
    let text = await refusal();
    await until(async () => !/has not answered yet/.test(text = await refusal()));
    assertMatch(text, /proxy go at here:9000 is a proxy of Codis/);
    await store.coordinator.delete(store.paths.proxy("go"));
  });

  await t.step("a server cannot be asked whether it has such keys", async () => {
    await redis.kill();
    assertMatch(await refusal(), /127\.0\.0\.1/);
    await redis.restart();
  });

  const { status, text } = await dashboard.ask("POST", "/api/slot_rules", RULES);
  assertEquals([status, (await loadSlotRules(store)).rules], [200, RULES.rules], text);
});
