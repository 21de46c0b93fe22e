/**
 * How often the monitor asks, and that it asks no more once it has stopped.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Monitor } from "../../../src/monitor/monitor.ts";
import { createProxy } from "../../../src/store/proxies.ts";
import { until } from "../../support/deadline.ts";
import { FakeTimers } from "../../support/fake_timers.ts";
import { RECORD } from "../../support/proxy_record.ts";
import { StoreFolder } from "../../support/store.ts";

Deno.test("Monitor asks proxies and servers every second, and none after it has stopped", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("x:1");
  await createProxy(store, RECORD);
  const timers = new FakeTimers();
  const asked = { proxies: 0, servers: 0 };
  const monitor = new Monitor(
    {
      store,
      redis: () => {
        asked.servers++;
        return Promise.reject(new Error("x:1: connection refused"));
      },
    },
    { outage() {}, keepOnly() {} },
    {
      timers,
      askProxy: () => {
        asked.proxies++;
        return Promise.resolve({ kind: "codis2", ops: 0, version: "2.0" });
      },
    },
  );
  await monitor.start();
  for (let round = 1; round <= 3; round++) {
    await until(() => monitor.history.view.at.length === round);
    assertEquals(asked, { proxies: round, servers: round });
    timers.advance(1_000);
  }
  await until(() => monitor.history.view.at.length === 4);
  assertEquals(monitor.servers.downMs("x:1"), 3_000);
  monitor.stop();
  assertEquals(timers.nextMs, undefined);
  timers.advance(60_000);
  assertEquals(asked, { proxies: 4, servers: 4 });
});
