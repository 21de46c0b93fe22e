/**
 * How a proxy puts slot rules in force, and what it does when a change is not finished.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { BadVersionError } from "../../../src/coordinator/errors.ts";
import { RecordError } from "../../../src/model/record.ts";
import { encodeSlotRules, type SlotRulesRecord } from "../../../src/model/slot_rule.ts";
import { RuleLoader } from "../../../src/proxy/membership/rule_loader.ts";
import { loadSlotRules } from "../../../src/store/slot_rules.ts";
import { saveEntry, type Store } from "../../../src/store/store.ts";
import { until } from "../../support/deadline.ts";
import { RecordedSlotTable } from "../../support/slot_table.ts";
import { StoreFolder } from "../../support/store.ts";

const OLD = [{ pattern: "a:*:", tag: "" }];
const NEW = [...OLD, { pattern: "b:*", tag: "b" }];
/** How long a loader that is to give up holds requests, in milliseconds. */
const HOLD_MS = 60;

function save(store: Store, record: SlotRulesRecord): Promise<void> {
  return saveEntry(store, store.paths.slotRules, encodeSlotRules(record));
}

/** A loader, its table, and what it has said about serving. */
function newLoader(store: Store, holdMs?: number) {
  const table = new RecordedSlotTable();
  const served: string[] = [];
  const loader = new RuleLoader(store, table, (serving) => served.push(serving), undefined, holdMs);
  return { loader, table, served };
}

Deno.test("pending rules hold requests until every one in flight is settled, then until the end", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  const { loader, table, served } = newLoader(store);
  await save(store, { rules: OLD, pending: null });
  await loader.load();
  assertEquals([table.rules, served], [[OLD], []]);

  await save(store, { rules: OLD, pending: NEW });
  await loader.load();
  assertEquals([table.rules, served, table.settled], [[OLD], ["held"], 1]);

  await save(store, { rules: NEW, pending: null });
  await loader.load();
  assertEquals([table.rules, served], [[OLD, NEW], ["held", "serving"]]);
  loader.stop();
});

Deno.test("a change that is given up changes nothing, and requests go on", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  const { loader, table, served } = newLoader(store);
  await save(store, { rules: OLD, pending: NEW });
  await loader.load();
  await save(store, { rules: OLD, pending: null });
  await loader.load();
  assertEquals([table.rules, served], [[OLD], ["held", "serving"]]);
  loader.stop();
});

Deno.test("a change that no dashboard finishes is given up by the proxies, and not committed after that", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  await save(store, { rules: OLD, pending: NEW });
  const { version } = await loadSlotRules(store);
  const proxies = [newLoader(store, HOLD_MS), newLoader(store, 2 * HOLD_MS)];
  for (const { loader } of proxies) await loader.load();
  for (const { served } of proxies) await until(() => served.at(-1) === "serving");
  for (const { table, served } of proxies) {
    assertEquals([table.rules, served], [[OLD], ["held", "serving"]]);
  }
  assertEquals((await loadSlotRules(store)).pending, undefined);
  const { coordinator, paths } = store;
  const commit = coordinator.write(
    paths.slotRules,
    encodeSlotRules({ rules: NEW, pending: null }),
    version,
  );
  await assertRejects(() => commit, BadVersionError);
});

Deno.test("a proxy that was late, but finds the change committed, serves by it", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  const { loader, table, served } = newLoader(store, HOLD_MS);
  await save(store, { rules: OLD, pending: NEW });
  await loader.load();
  await save(store, { rules: NEW, pending: null }); // and the action does not come
  await until(() => served.at(-1) === "serving");
  assertEquals([table.rules, served], [[OLD, NEW], ["held", "serving"]]);
});

Deno.test("rules that cannot be read are not guessed: those before stay", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  const { loader, table } = newLoader(store);
  await save(store, { rules: OLD, pending: null });
  await loader.load();
  await saveEntry(store, store.paths.slotRules, "{oops");
  await assertRejects(() => loader.load(), RecordError);
  assertEquals(table.rules, [OLD]);
});
