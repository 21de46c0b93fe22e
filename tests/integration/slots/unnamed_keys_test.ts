/**
 * A slot that is on its way to another server: scripts, functions, transactions and SORT that use keys
 * which they do not name find all of them, or get an error.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { CodisServer } from "../../support/codis_server.ts";
import { within } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { ReplyError } from "../../support/resp_value.ts";
import { RouterServer, slotOf } from "../../support/router_server.ts";

const TAG = "{unnamed}";
const SLOT = slotOf(TAG);
/** Names the key that it reads. */
const NAMED = "return redis.call('get', KEYS[1])";
/** Makes up the key that it reads. */
const MADE_UP = "return redis.call('get', KEYS[1] .. ':n')";
const OTHER = "return redis.call('get', '{unnamed}:n')";
const LIBRARY =
  `#!lua name=made_up\nredis.register_function('made_up', function(keys) return redis.call('get', keys[1] .. ':n') end)`;

/** A router whose slot is migrating, with what the script reads at the source. */
async function migrating(
  source: { addr: string },
  target: { addr: string },
  options: { slotWaitMs?: number } = {},
): Promise<RouterServer> {
  const proxy = await RouterServer.start({ servers: [source, target], options });
  {
    using client = await proxy.client();
    for (const key of [TAG, `${TAG}:n`, `${TAG}w:1`, `${TAG}w:2`]) {
      await proxy.fill(SLOT, source.addr);
      await client.call("SET", key, `of ${key}`);
    }
    await client.call("RPUSH", `${TAG}list`, "2", "1");
    await client.call("FUNCTION", "LOAD", "REPLACE", LIBRARY);
    await client.call("SCRIPT", "LOAD", MADE_UP);
  }
  await proxy.fill(SLOT, target.addr, {
    groupId: 2,
    migrateFromAddr: source.addr,
    migrateFromGroupId: 1,
  });
  return proxy;
}

/** What the mover does: all keys, then the slot is the target's. */
async function moveAll(proxy: RouterServer, source: RedisServer, target: RedisServer) {
  using client = await source.client();
  const keys = await client.call("KEYS", `${TAG}*`) as string[];
  await client.call("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", ...keys);
  await proxy.fill(SLOT, target.addr, { groupId: 2 });
}

Deno.test("what may use keys that it does not name waits until the slot has moved", async () => {
  await using servers = await RedisServer.startMany(2);
  const [source, target] = [servers[0]!, servers[1]!];
  await using proxy = await migrating(source, target);
  using client = await proxy.client();
  assertEquals(await client.call("EVAL", NAMED, 1, TAG), `of ${TAG}`);
  const waiting: [words: string[][], expected: unknown][] = [
    [[["EVAL", MADE_UP, "1", TAG]], `of ${TAG}:n`],
    [[["EVAL", OTHER, "1", TAG]], `of ${TAG}:n`],
    [[["FCALL", "made_up", "1", TAG]], `of ${TAG}:n`],
    [[["MULTI"], ["GET", TAG], ["EVAL", MADE_UP, "1", TAG], ["EXEC"]], [
      `of ${TAG}`,
      `of ${TAG}:n`,
    ]],
    [
      [["WATCH", TAG], ["MULTI"], ["GET", TAG], ["EVAL", MADE_UP, "1", TAG], ["EXEC"]],
      null, // the slot changes hands
    ],
    [[["SORT", `${TAG}list`, "BY", "nosort", "GET", `${TAG}w:*`]], [
      `of ${TAG}w:2`,
      `of ${TAG}w:1`,
    ]],
  ];
  let answered = 0;
  const replies = waiting.map(async ([requests]) => {
    using own = await proxy.client();
    const reply = (await own.pipeline(requests)).at(-1)!.value;
    answered++;
    return reply;
  });
  await delay(100);
  assertEquals(answered, 0);
  // Others go on meanwhile.
  assertEquals(await client.call("INCR", `${TAG}count`), 1);
  await moveAll(proxy, source, target);
  const found = await within(Promise.all(replies));
  for (const [i, [, expected]] of waiting.entries()) assertEquals(found[i], expected);
});

Deno.test("it does not wait for ever: past the limit of waiting an error says why", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await migrating(servers[0]!, servers[1]!, { slotWaitMs: 300 });
  using client = await proxy.client();
  const [waited, next] = await within(client.pipeline([
    ["EVAL", MADE_UP, 1, TAG],
    ["GET", TAG],
  ]));
  assertEquals(waited!.value instanceof ReplyError, true);
  assertMatch(
    (waited!.value as ReplyError).message,
    /^ERR handle request, slot \d+ is being moved, and the command may use keys that it does not name/,
  );
  assertEquals(next!.value, `of ${TAG}`);
});

Deno.test("codis-server moves all keys of a tag with one of them: nothing waits", async () => {
  await using source = await CodisServer.start();
  await using target = await CodisServer.start();
  await using proxy = await migrating(source, target);
  using client = await proxy.client();
  assertEquals(await within(client.call("EVAL", MADE_UP, 1, TAG)), `of ${TAG}:n`);
});
