/**
 * Commands about all keys while keys move between the servers' answers.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { probeKey } from "../../../src/resp/probe_key.ts";
import { answerNothing, FakeRedis, type FakeReply } from "../../support/fake_redis.ts";
import { until } from "../../support/deadline.ts";
import { keyWhere, RouterServer, slotOf } from "../../support/router_server.ts";

function listOf(keys: readonly string[]): string {
  return `*${keys.length}\r\n${keys.map((key) => `$${key.length}\r\n${key}\r\n`).join("")}`;
}

/** Two servers with sets of keys, asked over a proxy, that let a test act before one of them answers. */
class TwoServers implements AsyncDisposable {
  readonly keys = [new Set<string>(), new Set<string>()];
  /** Runs before a server answers; how many times it was asked is told. */
  before: (server: number, asked: number) => Promise<void> | void = () => {};
  readonly asked = [0, 0];
  readonly servers: readonly FakeRedis[];

  constructor() {
    this.servers = [0, 1].map((i) => new FakeRedis((words) => this.#answer(i, words)));
  }

  async #answer(i: number, words: string[]): Promise<FakeReply> {
    const name = words[0]!.toUpperCase();
    if (!["KEYS", "DBSIZE", "RANDOMKEY", "FLUSHALL", "SCAN"].includes(name)) {
      return answerNothing(words);
    }
    await this.before(i, ++this.asked[i]!);
    const keys = [...this.keys[i]!];
    switch (name) {
      case "KEYS":
        return listOf(keys);
      case "DBSIZE":
        return `:${keys.length}\r\n`;
      case "RANDOMKEY":
        return keys.length === 0 ? "$-1\r\n" : `$${keys[0]!.length}\r\n${keys[0]}\r\n`;
      case "FLUSHALL":
        this.keys[i]!.clear();
        return "+OK\r\n";
      case "SCAN":
        return `*2\r\n$1\r\n1\r\n${listOf(keys)}`;
      default:
        return "hang";
    }
  }

  /** A key leaves one server for the other. */
  move(key: string, from: number): void {
    if (this.keys[from]!.delete(key)) this.keys[1 - from]!.add(key);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.servers) await server[Symbol.asyncDispose]();
  }
}

const MOVING = keyWhere((slotId) => slotId < 512, "moving");
const STAYING = [keyWhere((slotId) => slotId < 512), keyWhere((slotId) => slotId >= 512)];

/** Two servers, keys that stay at each and one at the first, whose slot moves to the second. */
async function movingSlot() {
  const two = new TwoServers();
  const proxy = await RouterServer.start({ servers: two.servers });
  STAYING.forEach((key, i) => two.keys[i]!.add(key));
  two.keys[0]!.add(MOVING);
  const begin = () =>
    proxy.fill(slotOf(MOVING), two.servers[1]!.addr, {
      groupId: 2,
      migrateFromAddr: two.servers[0]!.addr,
      migrateFromGroupId: 1,
    });
  const end = () => proxy.fill(slotOf(MOVING), two.servers[1]!.addr, { groupId: 2 });
  return {
    two,
    proxy,
    begin,
    end,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await two[Symbol.asyncDispose]();
    },
  };
}

/** The first server answers after the second, and the key has moved meanwhile. */
function moveBetween(two: TwoServers): void {
  const { promise, resolve } = Promise.withResolvers<void>();
  two.before = async (server, asked) => {
    if (server === 1 && asked === 1) return void setTimeout(resolve, 20);
    if (server === 0 && asked === 1) {
      await Promise.race([promise, delay(200)]);
      two.move(MOVING, 0);
    }
  };
}

const ALL = [...STAYING, MOVING].sort();

Deno.test("KEYS has a key that moves between the servers' answers, once", async () => {
  await using run = await movingSlot();
  using client = await run.proxy.client();
  await run.begin();
  moveBetween(run.two);
  assertEquals((await client.call("KEYS", "*") as string[]).sort(), ALL);
  // It was at both, and at both it counts once.
  run.two.keys[0]!.add(MOVING);
  assertEquals((await client.call("KEYS", "*") as string[]).sort(), ALL);
  assertEquals(run.proxy.leftovers(), []);
});

Deno.test("KEYS has the keys of a move that begins and ends before the last server answers", async () => {
  await using run = await movingSlot();
  using client = await run.proxy.client();
  run.two.before = async (server, asked) => {
    if (server !== 0 || asked !== 1) return;
    await delay(20);
    await run.begin();
    run.two.move(MOVING, 0);
    await run.end();
  };
  assertEquals((await client.call("KEYS", "*") as string[]).sort(), ALL);
  assertEquals(run.two.asked, [1, 2]);
});

Deno.test("KEYS has a key that another proxy moves already, while our slot is still blocked", async () => {
  await using run = await movingSlot();
  using client = await run.proxy.client();
  await run.proxy.fill(slotOf(MOVING), run.two.servers[0]!.addr, { groupId: 1, isBlocked: true });
  moveBetween(run.two);
  const keys = client.call("KEYS", "*");
  await until(() => run.two.keys[1]!.has(MOVING));
  await delay(20);
  assertEquals(run.two.asked, [1, 1], "where it is asked again is not known yet");
  await run.begin();
  assertEquals((await keys as string[]).sort(), ALL);
  assertEquals(run.proxy.leftovers(), []);
});

Deno.test("while nothing moves each server is asked for its keys once", async () => {
  await using run = await movingSlot();
  using client = await run.proxy.client();
  assertEquals((await client.call("KEYS", "*") as string[]).sort(), ALL);
  assertEquals(run.two.asked, [1, 1]);
  assertEquals(await client.call("DBSIZE"), 3);
  assertEquals(run.two.asked, [2, 2]);
});

Deno.test("clients see no key of a dashboard's own, moving slots or not", async () => {
  await using run = await movingSlot();
  using client = await run.proxy.client();
  const probe = new TextDecoder().decode(probeKey());
  run.two.keys[1]!.add(probe);
  const scanned = async () => {
    const [, first] = await client.call("SCAN", 0) as [string, string[]];
    return first;
  };
  assertEquals((await client.call("KEYS", "*") as string[]).sort(), ALL);
  await run.begin();
  moveBetween(run.two);
  assertEquals((await client.call("KEYS", "*") as string[]).sort(), ALL);
  for (const keys of run.two.keys) keys.clear();
  run.two.keys[0]!.add(probe);
  assertEquals(await scanned(), []);
  assertEquals(await client.call("RANDOMKEY"), null);
  // It is gone a moment later.
  const drawn = run.two.asked[0]!;
  run.two.before = (server, asked) => {
    if (server === 0 && asked > drawn + 2) run.two.keys[0] = new Set([MOVING]);
  };
  assertEquals(await client.call("RANDOMKEY"), MOVING);
});

Deno.test("RANDOMKEY finds the only key while it moves", async () => {
  await using run = await movingSlot();
  using client = await run.proxy.client();
  STAYING.forEach((key, i) => run.two.keys[i]!.delete(key));
  await run.begin();
  moveBetween(run.two);
  assertEquals(await client.call("RANDOMKEY"), MOVING);
});

Deno.test("FLUSHALL leaves no key that moves between the servers' answers, and what follows stays", async () => {
  await using run = await movingSlot();
  using client = await run.proxy.client();
  await run.begin();
  moveBetween(run.two);
  const replies = await client.pipeline([["FLUSHALL"], ["GET", STAYING[1]!]]);
  assertEquals(replies.map(({ value }) => value), ["OK", null]);
  assertEquals(run.two.keys.map(({ size }) => size), [0, 0]);
  const names = run.two.servers[1]!.received.map(([name]) => name);
  assertEquals(names.filter((name) => name !== "SELECT"), ["FLUSHALL", "FLUSHALL", "GET"]);
});

Deno.test("DBSIZE counts a key that moves between the servers' answers twice rather than not at all", async () => {
  await using run = await movingSlot();
  using client = await run.proxy.client();
  await run.begin();
  moveBetween(run.two);
  assertEquals(await client.call("DBSIZE"), 3, "the source is asked first");
  run.two.move(MOVING, 1);
  run.two.before = (server) => {
    if (server === 1) run.two.move(MOVING, 0);
  };
  assertEquals(await client.call("DBSIZE"), 4, "it is counted at both");
});

for (const [name, expected] of [["KEYS", ALL], ["DBSIZE", 3], ["SCAN", []]] as const) {
  Deno.test(`${name} goes on when a server is asked that the last slot leaves`, async () => {
    await using run = await movingSlot();
    using client = await run.proxy.client();
    run.two.before = async (server, asked) => {
      if (server !== 0 || asked !== 1) return;
      for (const key of [MOVING, STAYING[0]!]) run.two.move(key, 0);
      const owner = run.two.servers[1]!.addr;
      for (let id = 0; id < 512; id++) await run.proxy.fill(id, owner, { groupId: 2 });
    };
    if (name === "SCAN") {
      const [cursor, keys] = await client.call("SCAN", 0) as [string, string[]];
      assertEquals(keys, []);
      assertEquals(cursor === "0", false);
      return;
    }
    const reply = await client.call(name, ...(name === "KEYS" ? ["*"] : []));
    assertEquals(Array.isArray(reply) ? reply.sort() : reply, expected);
  });
}
