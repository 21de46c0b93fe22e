/**
 * Users in the store, the same at all proxies: none of them serves with more rights than the store last said,
 * whatever hangs or dies.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { callCli, type Ended } from "../../support/cli_call.ts";
import { DashboardProcess } from "../../support/dashboard_process.ts";
import { until, within } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { startEtcd, WATCHER_SESSION_MS } from "../../support/remote_coordinator.ts";
import { ReplyError } from "../../support/resp_value.ts";
import { StoreServer } from "../../support/store.ts";

/** Of the proxy that hangs, so that it is soon seen to. */
const HUNG_SESSION_MS = 2_000;

async function done(ended: Promise<Ended>): Promise<void> {
  const { code, stderr } = await ended;
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
}

Deno.test("users in the store, two proxies on etcd", async (t) => {
  const etcd = await startEtcd();
  await using _server = etcd.server;
  await using place = await StoreServer.make(etcd);
  await using redis = await RedisServer.start();
  await place.openFilled(redis.addr);
  const common = {
    coordinator: "etcd",
    zk: etcd.server.addr,
    zk_session_timeout: WATCHER_SESSION_MS,
  };
  await using dashboard = await DashboardProcess.start({ ...common, proxy_id: "none" });
  const start = (id: string, own: Readonly<Record<string, number>> = {}) =>
    ProxyProcess.start({
      cpu: 2,
      config: { ...common, ...own, proxy_id: id, dashboard_addr: dashboard.addr, acl: "store" },
    });
  await using one = await start("one");
  await using two = await start("two", { zk_session_timeout: HUNG_SESSION_MS });
  const acl = (...words: string[]) =>
    callCli("config", "-c", dashboard.configFile, "acl", ...words, "--output=table");
  const rights = async (proxy: ProxyProcess) => {
    using client = await proxy.client();
    await client.call("AUTH", "alice", "secret");
    return [await client.call("SET", "a:1", "x"), await client.call("GET", "a:1")]
      .map((reply) => reply instanceof ReplyError ? "no" : "yes").join();
  };

  await t.step("a change is in force at both when it is answered", async () => {
    for (const [rule, expected] of [["+set", "yes,no"], ["+get", "yes,yes"], ["-set", "no,yes"]]) {
      await done(acl("set", "alice", "resetpass", "on", ">secret", "~a:*", rule!));
      assertEquals([await rights(one), await rights(two)], [expected, expected]);
    }
  });

  await t.step(
    "a proxy that hangs is named, and serves nobody by the old rules after it",
    async () => {
      using old = await two.client();
      await old.call("AUTH", "alice", "secret");
      two.child.signal("SIGSTOP");
      const late = await acl("set", "alice", "-get", "+set");
      assertEquals(late.code, 1);
      assertMatch(
        late.stderr,
        /Redis user alice changed, and in force at all other proxies; .*two/,
      );
      assertEquals(await rights(one), "yes,no");
      const pending = old.call("GET", "a:1");
      two.child.signal("SIGCONT");
      // Refused, or its connection closed.
      const { message } = await pending.catch((error) => error);
      assertMatch(message, /^NOPERM|closed/);
      await until(async () => await rights(two) === "yes,no");
    },
  );

  await t.step("a change outlives a dashboard that is killed in the middle of it", async () => {
    // As soon as the dashboard has heard from it again.
    await until(async () => (await acl("set", "alice", "+ping")).code === 0);
    two.child.signal("SIGSTOP");
    const cut = acl("set", "alice", "reset", "on", ">secret", "~*", "+get");
    await until(async () => await rights(one) === "no,yes");
    await dashboard.kill();
    assertEquals((await within(cut, 10_000)).code, 1);
    two.child.signal("SIGCONT");
    await until(async () => await rights(two) === "no,yes");

    using client = await one.client();
    await client.call("AUTH", "alice", "secret");
    assertEquals(await rights(one), "no,yes", "users stay as they are without a dashboard");
    using admin = await one.client();
    const { message } = await admin.call("ACL", "SETUSER", "alice", "+set") as ReplyError;
    assertMatch(
      message,
      /^ERR users are in the store \(acl = store\), which the dashboard changes: dashboard .* cannot be reached: connection refused; nothing was changed$/,
    );
    assertEquals(await rights(one), "no,yes");
    await dashboard.restart();
    await until(async () => (await acl("set", "alice", "+set")).code === 0);
    assertEquals([await rights(one), await rights(two)], ["yes,yes", "yes,yes"]);
  });
});
