/**
 * Slot rules with real processes: two proxies, a dashboard, two redis-servers.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { loadSlotRules } from "../../../src/store/slot_rules.ts";
import { loadSlots } from "../../../src/store/slots.ts";
import { readIfThere, type Store } from "../../../src/store/store.ts";
import { DashboardProcess } from "../../support/dashboard_process.ts";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer, type RedisServers } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { StoreFolder } from "../../support/store.ts";

const RULE = { pattern: "job:*:", tag: "" };
const KEY = "job:mail:1";
/** Clients that write while rules change, how often they do, and the longest time for it in milliseconds. */
const WRITERS = 6;
const CHANGES = 4;
const WRITE_MS = 15_000;
/** Longest rest of a client that has no key, in milliseconds. */
const REST_MS = 300;

/** Everything that runs. */
class Cluster implements AsyncDisposable {
  private constructor(
    readonly folder: StoreFolder,
    readonly store: Store,
    readonly servers: RedisServers,
    public dashboard: DashboardProcess,
    readonly proxies: readonly [ProxyProcess, ProxyProcess],
  ) {}

  static async start(): Promise<Cluster> {
    const folder = await StoreFolder.make();
    const servers = await RedisServer.startMany(2);
    const store = await folder.openFilled(servers.map(({ addr }) => addr).join(","));
    const dashboard = await DashboardProcess.start({ embedded_dir: folder.dir });
    const start = (id: string, cpu: number) =>
      ProxyProcess.start({
        cpu,
        config: {
          ...{ embedded_dir: folder.dir, proxy_id: id, dashboard_addr: dashboard.addr },
        },
      });
    const proxies = await Promise.all([start("one", 1), start("two", 2)]);
    return new Cluster(folder, store, servers, dashboard, proxies as [ProxyProcess, ProxyProcess]);
  }

  /** Asks for a change until it is not refused for a reason that passes. */
  async add(rules: readonly unknown[] = [RULE]): Promise<void> {
    await until(async () => {
      const { status, text } = await this.dashboard.ask("POST", "/api/slot_rules", { rules });
      if (status !== 200 && !/has not answered yet/.test(text)) throw new Error(text);
      return status === 200;
    });
  }

  async remove(...patterns: string[]): Promise<void> {
    const { status, text } = await this.dashboard.ask("POST", "/api/slot_rules/remove", {
      patterns,
    });
    assertEquals(status, 200, text);
  }

  /** What both proxies say of a key's slot. */
  async slotsOf(key: string): Promise<unknown[]> {
    return await Promise.all(this.proxies.map((proxy) => one(proxy, "SLOTSHASHKEY", key)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const proxy of this.proxies) await proxy[Symbol.asyncDispose]();
    await this.dashboard[Symbol.asyncDispose]();
    await this.servers[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

async function one(
  server: { client(): Promise<RespClient> },
  ...words: readonly string[]
): Promise<unknown> {
  using client = await server.client();
  return await client.call(...words);
}

Deno.test("slot rules", async (t) => {
  await using cluster = await Cluster.start();
  const { proxies: [first, second], servers, store } = cluster;

  await t.step("a rule is in force at every proxy and worker, and explained", async () => {
    const before = await cluster.slotsOf(KEY);
    assertEquals(await one(first, "MSET", "job:mail:a", "1"), "OK");
    await one(first, "DEL", "job:mail:a");
    await cluster.add();
    const [own, other] = await cluster.slotsOf(KEY);
    assertEquals(own, other);
    assertEquals(own, await one(first, "SLOTSHASHKEY", "{job:mail}"));
    assert(JSON.stringify(before) !== JSON.stringify([own, other]));
    for (let i = 0; i < 8; i++) assertEquals(await one(second, "SLOTSHASHKEY", KEY), own);
    const path = `/api/slot_rules/test?key=${encodeURIComponent(KEY)}`;
    const json = JSON.parse((await cluster.dashboard.ask("GET", path)).text);
    assertEquals([json.by, json.part, [json.slot], json.rule], ["rule", "job:mail", own, RULE]);
  });

  await t.step("keys that belong together share a transaction and a script", async () => {
    using client = await first.client();
    assertEquals(await client.call("MULTI"), "OK");
    await client.call("SET", "job:mail:a", "1");
    await client.call("LPUSH", "job:mail:b", "2");
    assertEquals(await client.call("EXEC"), ["OK", 1]);
    const script = "return {redis.call('GET', KEYS[1]), redis.call('LPOP', KEYS[2])}";
    assertEquals(await one(second, "EVAL", script, "2", "job:mail:a", "job:mail:b"), ["1", "2"]);
    const undeclared = "return redis.call('EXISTS', ARGV[1], ARGV[2])";
    await one(first, "SET", "job:mail:e", "1");
    assertEquals(await one(second, "EVAL", undeclared, "0", "job:mail:a", "job:mail:e"), 2);
    await one(first, "DEL", "job:mail:e");
    const spread = await one(first, "EVAL", undeclared, "0", "job:mail:a", "job:sms:e");
    assertMatch(JSON.stringify(spread), /CROSSSLOT/);
    const elsewhere = await one(first, "EVAL", undeclared, "0", "mail", "x");
    assertMatch(JSON.stringify(elsewhere), /declares no keys/);
    const reply = await one(first, "RENAME", "job:mail:a", "job:sms:a");
    assertMatch(JSON.stringify(reply), /CROSSSLOT/);
  });

  await t.step("a change that would leave keys behind is refused, and says which", async () => {
    await one(first, "MSET", "job:mail:c", "1", "job:sms:d", "2");
    const { status, text } = await cluster.dashboard.ask("POST", "/api/slot_rules/remove", {
      patterns: [RULE.pattern],
    });
    assertEquals(status, 500);
    assertMatch(text, /^3 keys are there already .*"job:(mail|sms):[acd]" at 127\.0\.0\.1:\d+ /);
    assertEquals((await loadSlotRules(store)).rules, [RULE]);
    assertEquals(await one(second, "MGET", "job:mail:c", "job:sms:d"), ["1", "2"]);
  });

  await t.step("keys move with the slot that their rule names", async () => {
    const slots = await loadSlots(store);
    const from = Number((await cluster.slotsOf(KEY) as number[][])[0]![0]);
    const group = slots[from]!.group_id === 1 ? 2 : 1;
    const { status } = await cluster.dashboard.ask("POST", "/api/migrate", {
      ...{ from, to: from, new_group: group, delay: 0 },
    });
    assertEquals(status, 200);
    await until(async () => {
      const { state, group_id } = (await loadSlots(store))[from]!;
      return state.status === "online" && group_id === group;
    }, 20_000);
    assertEquals(await one(first, "MGET", "job:mail:a", "job:mail:c"), ["1", "1"]);
    assertEquals(await one(servers[group - 1]!, "EXISTS", "job:mail:a", "job:mail:c"), 2);
    assertEquals(await one(servers[2 - group]!, "EXISTS", "job:mail:a", "job:mail:c"), 0);
  });

  await t.step("a proxy that starts again reads the rules before it serves", async () => {
    await first.kill();
    await first.restart();
    assertEquals(await one(first, "MGET", "job:mail:a", "job:mail:c"), ["1", "1"]);
    await one(first, "DEL", "job:mail:a", "job:mail:c", "job:sms:d");
    await until(async () => {
      const { status } = await cluster.dashboard.ask("POST", "/api/slot_rules/remove", {
        patterns: [RULE.pattern],
      });
      return status === 200;
    });
    assertEquals((await loadSlotRules(store)).rules, []);
  });

  await t.step(
    "a transaction ends with the old rules, and who blocks is found where the new ones place its key",
    async () => {
      using queueing = await first.client();
      await queueing.call("MULTI");
      await queueing.call("SET", KEY, "1");
      using blocked = await second.client();
      await blocked.send("BLPOP", KEY, "0");
      await delay(100);
      await cluster.add();
      assertMatch(
        JSON.stringify(await queueing.call("EXEC")),
        /EXECABORT .* because of: the slot rules have changed since MULTI/,
      );
      assertEquals(await one(first, "EXISTS", KEY), 0);
      assertEquals(await one(first, "RPUSH", KEY, "late"), 1);
      assertEquals((await blocked.read()).value, [KEY, "late"]);
      await cluster.remove(RULE.pattern);
    },
  );

  await t.step("no write is lost or at two servers while rules come and go", async () => {
    const endMs = performance.now() + WRITE_MS;
    let [changes, refused, writes] = [0, 0, 0];
    const isOver = () => changes === CHANGES || performance.now() > endMs;
    const changing = (async () => {
      while (!isOver()) {
        const isThere = (await loadSlotRules(store)).rules.length > 0;
        const { status, text } = isThere
          ? await cluster.dashboard.ask("POST", "/api/slot_rules/remove", {
            patterns: [RULE.pattern],
          })
          : await cluster.dashboard.ask("POST", "/api/slot_rules", { rules: [RULE] });
        if (status === 200) changes++;
        else if (/there already/.test(text)) refused++;
        else throw new Error(text);
      }
    })();
    const writing = Array.from({ length: WRITERS }, async (_, i) => {
      using client = await cluster.proxies[i % 2]!.client();
      using reader = await cluster.proxies[(i + 1) % 2]!.client();
      for (let n = 0; !isOver(); n++) {
        const key = `job:q${i}:${n}`;
        assertEquals(await client.call("SET", key, `${n}`), "OK");
        assertEquals(await reader.call("GET", key), `${n}`);
        assertEquals(await reader.call("DEL", key), 1);
        writes++;
        await delay(Math.random() * REST_MS);
      }
    });
    await Promise.all([changing, ...writing]);
    for (const server of servers) assertEquals(await one(server, "KEYS", "job:*"), []);
    assertEquals(changes, CHANGES, `${refused} refused, ${writes} keys`);
  });

  await t.step("a dashboard that is killed on the way leaves one set of rules", async () => {
    for (const killMs of [10, 35]) {
      const { rules } = await loadSlotRules(store);
      const asking = (rules.length === 0
        ? cluster.dashboard.ask("POST", "/api/slot_rules", { rules: [RULE] })
        : cluster.dashboard.ask("POST", "/api/slot_rules/remove", { patterns: [RULE.pattern] }))
        .catch(() => {});
      await delay(killMs);
      await cluster.dashboard.kill();
      await asking;
      await cluster.dashboard.restart();
      await until(async () =>
        (await readIfThere(store, store.paths.intent)) === undefined
      );
      const stored = await loadSlotRules(store);
      assertEquals(stored.pending, undefined);
      const tag = stored.rules.length === 0 ? KEY : "{job:mail}";
      const [own, other] = await cluster.slotsOf(KEY);
      assertEquals([own, other], await cluster.slotsOf(tag));
      // The dashboard asks proxies what they are.
      await until(async () => {
        const { proxies } = JSON.parse((await cluster.dashboard.ask("GET", "/api/cluster")).text);
        return proxies.every((proxy: { is_reachable: boolean }) => proxy.is_reachable);
      });
    }
  });

  await t.step("a proxy that is frozen is named, soon, and nothing has changed", async () => {
    const { rules } = await loadSlotRules(store);
    const path = rules.length === 0 ? "/api/slot_rules" : "/api/slot_rules/remove";
    const body = rules.length === 0 ? { rules: [RULE] } : { patterns: [RULE.pattern] };
    second.child.signal("SIGSTOP");
    try {
      const began = performance.now();
      const { status, text } = await cluster.dashboard.ask("POST", path, body);
      assert(performance.now() - began < 8_000, `${performance.now() - began} ms`);
      assertEquals(status, 500);
      assertMatch(
        text,
        /^slot rules: not all proxies held their requests within 4.5 s, .* not confirmed by two \(it does not answer on 127/,
      );
      assertEquals(await loadSlotRules(store).then(({ rules, pending }) => [rules, pending]), [
        rules,
        undefined,
      ]);
      assertEquals(await one(first, "PING"), "PONG");
      assertEquals(await one(first, "SET", "other", "1"), "OK");
    } finally {
      second.child.signal("SIGCONT");
    }
    const [own, other] = await cluster.slotsOf(KEY);
    assertEquals(own, other);
    await until(async () => await one(second, "GET", "other") === "1");
  });

  await t.step("a proxy that is killed is no reason to wait for ever", async () => {
    const { rules } = await loadSlotRules(store);
    const path = rules.length === 0 ? "/api/slot_rules" : "/api/slot_rules/remove";
    const body = rules.length === 0 ? { rules: [RULE] } : { patterns: [RULE.pattern] };
    const began = performance.now();
    const asking = cluster.dashboard.ask("POST", path, body);
    await second.kill();
    await asking;
    assert(performance.now() - began < 8_000);
    assertEquals((await loadSlotRules(store)).pending, undefined);
    await second.restart();
    const [own, other] = await cluster.slotsOf(KEY);
    assertEquals(own, other);
  });
});
