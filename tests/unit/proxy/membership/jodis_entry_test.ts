/**
 * The entry by which Jodis clients find a proxy: its bytes, and when it is there.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Coordinator } from "../../../../src/coordinator/coordinator.ts";
import { CoordinatorPlace } from "../../../../src/coordinator/ephemeral_place.ts";
import { EmbeddedCoordinator } from "../../../../src/coordinator/embedded/embedded.ts";
import { JodisEntry, jodisEntryOf } from "../../../../src/proxy/membership/jodis_entry.ts";
import { until } from "../../../support/deadline.ts";
import { FakeTimers } from "../../../support/fake_timers.ts";
import { RECORD } from "../../../support/proxy_record.ts";

const TOKEN = "344d482f022aa0ceaf9e5d05df54546c";

Deno.test("the entry is what Codis 3.2's proxies write, at their path", () => {
  const record = {
    ...RECORD,
    addr: "127.0.0.1:21541",
    debug_var_addr: "127.0.0.1:21551",
    start_at: "2026-11-29 18:16:37.096356 +0000 UTC",
  };
  // Recorded from a codis-proxy 3.2 and ZooKeeper; only Go's monotonic clock is left out behind the time.
  assertEquals(jodisEntryOf("shop", record, TOKEN, false), {
    path: `/jodis/shop/proxy-${TOKEN}`,
    data: `{
    "addr": "127.0.0.1:21541",
    "admin": "127.0.0.1:21551",
    "start": "2026-11-29 18:16:37.096356 +0000 UTC",
    "state": "online",
    "token": "${TOKEN}"
}`,
  });
  assertEquals(
    jodisEntryOf("shop", record, TOKEN, true).path,
    `/zk/codis/db_shop/proxy/${TOKEN}`,
  );
});

/** An entry in a folder of its own, and what can be seen there. */
class TestEntry implements AsyncDisposable {
  readonly timers = new FakeTimers();
  /** Sessions that cannot be opened before one can. */
  failures = 0;
  /** Entries that are made although the answer is lost. */
  lostAnswers = 0;
  readonly entry = new JodisEntry({
    open: async (_signal, gone) => {
      if (this.failures-- > 0) throw new Error("away");
      const place = new CoordinatorPlace(await EmbeddedCoordinator.open({ dir: this.#dir }), gone);
      const put = place.put.bind(place);
      place.put = async (path, data) => {
        await put(path, data);
        if (this.lostAnswers-- > 0) throw new Error("no answer");
      };
      return place;
    },
    text: () => jodisEntryOf("shop", RECORD, TOKEN, false),
    timers: this.timers,
  });
  readonly #dir: string;
  readonly seen: Coordinator;

  private constructor(dir: string, seen: Coordinator) {
    this.#dir = dir;
    this.seen = seen;
  }

  static async make(): Promise<TestEntry> {
    const dir = await Deno.makeTempDir();
    return new TestEntry(dir, await EmbeddedCoordinator.open({ dir }));
  }

  async isThere(): Promise<boolean> {
    return (await this.seen.children("/jodis/shop").catch(() => [])).length === 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.entry.stop();
    await this.seen.close();
    await Deno.remove(this.#dir, { recursive: true });
  }
}

Deno.test("the entry comes, goes and comes again, and ends with its process", async () => {
  await using test = await TestEntry.make();
  await test.entry.hide();
  assertEquals(await test.isThere(), false);
  for (const _ of [1, 2]) {
    await test.entry.show();
    assertEquals(await test.isThere(), true);
    await test.entry.hide();
    assertEquals(await test.isThere(), false);
  }
  await test.entry.show();
  await test.entry.stop();
  assertEquals(await test.isThere(), false);
});

Deno.test("an entry that is gone although the proxy serves, as after a lost session, is made again", async () => {
  await using test = await TestEntry.make();
  await test.entry.show();
  await test.seen.delete(`/jodis/shop/proxy-${TOKEN}`);
  await until(() => test.isThere());
});

Deno.test("an entry that was made although the answer was lost is removed when it is not wanted any more", async () => {
  await using test = await TestEntry.make();
  test.lostAnswers = 1;
  const shown = test.entry.show();
  await until(() => test.timers.nextMs !== undefined);
  assertEquals(await test.isThere(), true);
  const hidden = test.entry.hide();
  test.timers.advance(5_000);
  await Promise.all([shown, hidden]);
  assertEquals(await test.isThere(), false);
});

Deno.test("a ZooKeeper that cannot be reached is tried again, and what is not wanted any more is not made", async () => {
  await using test = await TestEntry.make();
  test.failures = 2;
  const shown = test.entry.show();
  for (const _ of [1, 2]) {
    await until(() => test.timers.nextMs !== undefined);
    test.timers.advance(5_000);
  }
  await shown;
  assertEquals(await test.isThere(), true);
  await test.entry.hide();

  await using away = await TestEntry.make();
  away.failures = 1;
  const late = away.entry.show();
  await until(() => away.timers.nextMs !== undefined);
  const hidden = away.entry.hide();
  away.timers.advance(5_000);
  await Promise.all([late, hidden]);
  assertEquals([away.failures, await away.isThere()], [0, false]);
});
