/**
 * Half of the slots move, as an operator asks for it: what the command tells and what the API tells is
 * the same, and it can be cancelled in the middle.
 *
 * @module
 */

import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import type { ClusterView } from "../../src/api/cluster_view.ts";
import { slotsText } from "../../src/model/slot_ranges.js";
import type { Child } from "../support/child.ts";
import { DashboardProcess } from "../support/dashboard_process.ts";
import { until } from "../support/deadline.ts";
import { ProxyProcess, startProgram } from "../support/proxy_process.ts";
import { RedisServer } from "../support/redis_server.ts";
import { slotOf } from "../support/router_server.ts";
import { StoreFolder } from "../support/store.ts";

const KEYS = Array.from({ length: 4_000 }, (_, i) => `key:${i}`);
/** Those of slots 0 to 511. */
const MOVING = KEYS.filter((key) => slotOf(key) < 512);
/** Slow enough to be watched for some five seconds. */
const KEYS_PER_SECOND = 400;
/** Slow enough for a command to start, on a busy machine too, while the first slots are under way. */
const KEYS_PER_SECOND_TO_CANCEL = 160;
/** How long slow machines may take for all of it, in milliseconds. */
const PATIENCE_MS = 90_000;

/** Two groups, a proxy and a dashboard, each a process of its own; all keys are there. */
class Cluster implements AsyncDisposable {
  readonly servers: RedisServer[];
  readonly dashboard: DashboardProcess;
  readonly proxy: ProxyProcess;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    stack: AsyncDisposableStack,
    servers: RedisServer[],
    dashboard: DashboardProcess,
    proxy: ProxyProcess,
  ) {
    this.#stack = stack;
    this.servers = servers;
    this.dashboard = dashboard;
    this.proxy = proxy;
  }

  static async start(migrate_keys_per_second: number): Promise<Cluster> {
    await using stack = new AsyncDisposableStack();
    const servers = stack.use(await RedisServer.startMany(2));
    const folder = stack.use(await StoreFolder.make());
    await folder.openFilled(servers.map(({ addr }) => addr).join(","));
    const dashboard = stack.use(
      await DashboardProcess.start({ embedded_dir: folder.dir, migrate_keys_per_second }),
    );
    const proxy = stack.use(
      await ProxyProcess.start({
        config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
      }),
    );
    using client = await proxy.client();
    for (const key of KEYS) client.send("SET", key, `value of ${key}`);
    for (let i = 0; i < KEYS.length; i++) assertEquals((await client.read()).value, "OK");
    return new Cluster(stack.move(), servers, dashboard, proxy);
  }

  /** Runs a `config` command. */
  config(...words: string[]): Child {
    return startProgram(["config", "-c", this.dashboard.configFile, ...words]);
  }

  async view(): Promise<ClusterView> {
    return JSON.parse((await this.dashboard.ask("GET", "/api/cluster")).text);
  }

  /** Asserts that every key is there, at the owner of its slot alone, and that the store is in order. */
  async assertWhole(): Promise<void> {
    const { slots: { group, status } } = await this.view();
    assertEquals(status, "o".repeat(1024));
    let count = 0;
    for (const [i, server] of this.servers.entries()) {
      using client = await server.client();
      const keys = await client.call("KEYS", "*") as string[];
      assertEquals(keys.filter((key) => group[slotOf(key)] !== i + 1), []);
      count += keys.length;
    }
    assertEquals(count, KEYS.length);
    using client = await this.proxy.client();
    assertEquals(await client.call("MGET", ...KEYS), KEYS.map((key) => `value of ${key}`));
    const check = this.config("check");
    assertEquals([(await check.ended).code, JSON.parse(check.stdout)], [0, {
      problems: [],
      silent_servers: [],
    }]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

Deno.test("slot migrate --wait tells what the API tells, and ends when all slots have arrived", async () => {
  await using cluster = await Cluster.start(KEYS_PER_SECOND);
  const child = cluster.config("slot", "migrate", "0", "511", "2", "--wait");
  const seen: { done: number; keys: number; bytes: number }[] = [{ done: 0, keys: 0, bytes: 0 }];
  await until(async () => {
    const { migration_totals: totals, migrations } = await cluster.view();
    if (totals === null) return child.hasEnded;
    assertEquals(totals.slots_left, migrations.length);
    const moved = migrations.reduce((sum, { keys_moved }) => sum + keys_moved, 0);
    assert(totals.keys_moved >= moved, "what has arrived counts, too");
    seen.push({
      done: totals.slots_done,
      keys: totals.keys_moved,
      bytes: totals.bytes_moved ?? 0,
    });
    await delay(20);
    return child.hasEnded;
  }, PATIENCE_MS);
  assertEquals((await child.ended).code, 0, child.stderr);
  seen.push({ done: 512, keys: MOVING.length, bytes: Infinity });

  // What was told never became less.
  for (const [i, { done, keys, bytes }] of seen.entries()) {
    const before = seen[i - 1] ?? seen[0]!;
    assert(done >= before.done && keys >= before.keys && bytes >= before.bytes, `look ${i}`);
  }
  // Each line of the command stands between two looks at the API.
  const lines = child.stderr.trimEnd().split("\n").slice(1)
    .map((line) => /^(\d+)\/512 {2}(?:(\d+) keys \([\d.]+ [KM]?B\)|0 keys) moved/.exec(line));
  assertGreater(lines.length, 0, child.stderr);
  for (const line of lines) {
    assert(line !== null, child.stderr);
    const [done, keys] = [Number(line[1]), Number(line[2] ?? 0)];
    const isBetween = seen.some((before, i) => {
      const after = seen[i + 1];
      return after !== undefined && before.keys <= keys && keys <= after.keys &&
        before.done <= done && done <= after.done;
    });
    assert(isBetween, `${line[0]} is not what the API told`);
  }
  // A key of this size takes some 80 bytes at its server.
  const most = seen.at(-2)!;
  assert(most.bytes > 50 * most.keys && most.bytes < 200 * most.keys, JSON.stringify(most));
  const { slots: { group } } = await cluster.view();
  assertEquals(group.filter((owner) => owner === 2).length, 1024);
  await cluster.assertWhole();
});

for (const mode of ["", "--back", "--finish"]) {
  Deno.test(`${["slot cancel", mode].join(" ").trimEnd()} at 30 % leaves every slot with an owner who has all of its keys`, async () => {
    await using cluster = await Cluster.start(KEYS_PER_SECOND_TO_CANCEL);
    const waiting = cluster.config("slot", "migrate", "0", "511", "2", "--wait");
    await until(
      async () => ((await cluster.view()).migration_totals?.keys_moved ?? 0) > MOVING.length * 0.3,
      PATIENCE_MS,
    );
    const begun = (await cluster.view()).migrations
      .filter(({ status }) => status !== "pending").map(({ slot_id }) => slot_id);
    assertGreater(begun.length, 0);
    const cancelling = cluster.config("slot", "cancel", ...mode === "" ? [] : [mode]);
    assertEquals((await cancelling.ended).code, 0, cancelling.stderr);
    await until(async () => (await cluster.view()).migrations.length === 0, PATIENCE_MS);

    const { slots: { group } } = await cluster.view();
    const arrived = group.slice(0, 512).filter((owner) => owner === 2).length;
    if (mode === "--back") assert(arrived < begun.length, `${arrived} slots have arrived`);
    if (mode === "--finish") {
      assertGreater(arrived, 0);
      assert(
        begun.every((slotId) => group[slotId] === 2),
        "a slot whose migration had started has not arrived",
      );
    }
    assert(arrived < 512, "slots whose migration had not started have arrived");
    await cluster.assertWhole();
    assertEquals((await waiting.ended).code, 1);
    assertStringIncludes(waiting.stderr, "not in group 2: their tasks were cancelled");
  });
}

Deno.test("slot migrate --wait fails when all slots were cancelled on their way, and only when they are back", async () => {
  await using cluster = await Cluster.start(KEYS_PER_SECOND_TO_CANCEL);
  const slotIds = Array.from({ length: 100 }, (_, id) => id);
  const waiting = cluster.config("slot", "migrate", "0", "99", "2", "--wait");
  await until(
    async () => (await cluster.view()).slots.status.startsWith("m".repeat(slotIds.length)),
    PATIENCE_MS,
  );
  const cancelling = cluster.config("slot", "cancel", "--back");
  assertEquals((await cancelling.ended).code, 0, cancelling.stderr);

  assertEquals([(await waiting.ended).code, waiting.stdout], [1, ""], waiting.stderr);
  const { slots: { group, status }, migrations } = await cluster.view();
  assertEquals([migrations, status], [[], "o".repeat(1024)]);
  assertStringIncludes(waiting.stderr, " back to group 1\n");
  const back = slotsText(slotIds.filter((slotId) => group[slotId] === 1));
  assertStringIncludes(waiting.stderr, `${back} are not in group 2: their tasks were cancelled\n`);
  await cluster.assertWhole();
});
