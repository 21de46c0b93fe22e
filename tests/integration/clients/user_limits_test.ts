/**
 * Limits of users: what all clients of one may take, in all workers together, and that nobody else notices.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { callCli } from "../../support/cli_call.ts";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { ReplyError } from "../../support/resp_value.ts";

Deno.test("limits of users, with two workers", async (t) => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    servers: [redis],
    cpu: 2,
    config: { acl: "store" },
  });
  const acl = async (...words: string[]) => {
    const file = `${proxy.folder}/config.ini`;
    const { code, stdout, stderr } = await callCli("config", "-c", file, "acl", ...words);
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    return stdout;
  };
  const open: RespClient[] = [];
  const clients = async (user: string, count: number) => {
    const made = await Promise.all(Array.from({ length: count }, () => proxy.client()));
    open.push(...made);
    for (const client of made) assertEquals(await client.call("AUTH", user, "x"), "OK");
    return made;
  };
  const metric = async (name: string) => {
    const text = await (await fetch(proxy.url("/metrics"))).text();
    return Number(new RegExp(`^codis_proxy_user_${name}{user="alice"} (.*)$`, "m").exec(text)?.[1]);
  };
  try {
    await acl("set", "alice", "on", "nopass", "~*", "+@all");
    await acl("set", "bob", "on", "nopass", "~*", "+@all");

    await t.step(
      "requests of all its clients together come at the rate, and each client's in order",
      async () => {
        const alice = await clients("alice", 8);
        const bob = await clients("bob", 1);
        await acl("limit", "alice", "--requests=400/s");
        const requests = Array.from({ length: 100 }, (_, i) => ["ECHO", `${i}`]);
        const startMs = performance.now();
        let isBobServed = false;
        const others = bob[0]!.pipeline(Array.from({ length: 2_000 }, () => ["PING"]))
          .then(() => isBobServed = true);
        const replies = await Promise.all(alice.map((client) => client.pipeline(requests)));
        const seconds = (performance.now() - startMs) / 1000;
        assert(isBobServed, "others do not wait");
        await others;
        for (const each of replies) {
          assertEquals(each.map(({ value }) => `${value}`), requests.map(([, i]) => i));
        }
        // At first there is a tenth of a second's worth.
        assert(seconds > 1.8 && seconds < 3, `800 requests at 400/s took ${seconds} s`);
        assert(await metric("delayed_total") > 100);
        assertEquals(await metric("connections"), 8);
      },
    );

    await t.step("without limits again, nobody waits", async () => {
      await acl("limit", "alice");
      const startMs = performance.now();
      await open[0]!.pipeline(Array.from({ length: 2_000 }, () => ["PING"]));
      assert(performance.now() - startMs < 1_500);
    });

    await t.step("bytes count in both directions, also within one large request", async () => {
      await acl("limit", "alice", "--bytes=1mb/s");
      const startMs = performance.now();
      await open[1]!.call("SET", "large", "x".repeat(1_500_000));
      const wroteMs = performance.now() - startMs;
      assert(wroteMs > 900, `1.5 MB took ${wroteMs} ms`);
      await open[1]!.call("GET", "large");
      await open[2]!.call("PING");
      assert(performance.now() - startMs > wroteMs + 900, "the reply is paid for by what follows");
    });

    await t.step("what has waited for 5 s is refused, and not executed", async () => {
      await acl("limit", "alice", "--requests=1/s");
      await open[0]!.call("SET", "counter", "0");
      const asked = Promise.all(open.slice(0, 8).map((client) => client.call("INCR", "counter")));
      const replies = await asked;
      const errors = replies.filter((reply) => reply instanceof ReplyError);
      assertMatch(
        errors[0]!.message,
        /^ERR user alice has used up its 1 requests\/s at this proxy: the request has waited for 5 s and was not executed$/,
      );
      assert(errors.length >= 1 && errors.length <= 4, `${errors.length} refused`);
      await acl("limit", "alice");
      assertEquals(await open[0]!.call("GET", "counter"), `${8 - errors.length}`);
    });

    await t.step("one connection too many is refused, in whichever worker", async () => {
      await acl("limit", "alice", "--connections=10");
      await clients("alice", 2);
      for (let i = 0; i < 6; i++) {
        using client = await proxy.client();
        assertEquals(
          await client.call("AUTH", "alice", "x"),
          new ReplyError("ERR max number of clients reached for user alice"),
        );
        assertEquals(await client.readToEnd(), new Uint8Array());
      }
      assertEquals(await metric("refused_total"), 6);
      open[0]![Symbol.dispose]();
      await until(async () => await metric("connections") === 9);
      await clients("alice", 1);
      using bob = await proxy.client();
      assertEquals(await bob.call("AUTH", "bob", "x"), "OK");

      // Without a password, a client is the default user as soon as it connects.
      await acl("set", "default", "on", "nopass");
      await acl("limit", "default", "--connections=1");
      using first = await proxy.client();
      assertEquals(await first.call("PING"), "PONG");
      using second = await proxy.client();
      assertEquals(
        new TextDecoder().decode(await second.readToEnd()),
        "-ERR max number of clients reached\r\n",
      );
    });
  } finally {
    for (const client of open) client[Symbol.dispose]();
  }
});
