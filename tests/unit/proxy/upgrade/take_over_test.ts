/**
 * What a new process makes of the answer of the old one.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { ProcessLife } from "../../../../src/base/process_life.ts";
import { parseConfig } from "../../../../src/config/load.ts";
import { OtherProcess } from "../../../../src/proxy/upgrade/other_process.ts";
import { TakeOver } from "../../../../src/proxy/upgrade/take_over.ts";
import { createProxy } from "../../../../src/store/proxies.ts";
import { saveEntry } from "../../../../src/store/store.ts";
import { RECORD } from "../../../support/proxy_record.ts";
import { StoreFolder } from "../../../support/store.ts";
import { openOffer } from "../../../support/upgrade_offer.ts";

const ADDRESS = { hostname: "127.0.0.1", port: 1 };

Deno.test("a process that finds the old one in another store of the product does not take over", async () => {
  await using here = await StoreFolder.make();
  await using elsewhere = await StoreFolder.make();
  const [store, other] = [await here.openFilled("x:1"), await elsewhere.openFilled("x:1")];
  // The product has moved there, and the old process has gone after it.
  await saveEntry(other, other.paths.actionsBefore, "12");
  const [life, ownLife] = [
    ProcessLife.begin("of the old one"),
    ProcessLife.begin("of the new one"),
  ];
  // Its entry of before is still there.
  await createProxy(store, { ...RECORD, description: life.text });
  let works = other;
  const offer = openOffer(life, () => works);
  const config = parseConfig(`${here.config}\nproduct = test`, "test").config;
  const start = { config, listen: ADDRESS, http: { ...ADDRESS, port: 2 }, workers: 1 };
  const begin = () => TakeOver.begin(start, ownLife.text, new OtherProcess());
  await assertRejects(begin, Error, "the product goes to another coordinator at this moment");
  works = store;
  const takeOver = await begin();
  assertEquals(takeOver?.old.store, 0);
  await takeOver?.stop();
  await takeOver?.coordinator.close();
  await offer.stop();
  for (const each of [life, ownLife]) each.end();
});
