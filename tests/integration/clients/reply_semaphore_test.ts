/**
 * Many clients with small and huge values, slow readers and leavers, slots that move and servers that hang
 * up: every reply comes, in its order, and in the end nobody waits at a gate.
 *
 * `FUZZ_SEED` repeats a run.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { until, within } from "../../support/deadline.ts";
import { chance, FUZZ_SEED } from "../../support/fuzz.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { encodeRequests, type RespClient, type Word } from "../../support/resp_client.ts";
import { RouterServer } from "../../support/router_server.ts";

const MB = 1024 * 1024;
const KEYS = 48;
const CLIENTS = 40;
const CALM_MS = 15_000;

/** The size of each key's value: a quarter are large, two of them huge. */
const sizeOf = (key: number) => key < 2 ? 3 * MB : key < 12 ? 48 * 1024 + key * 30_000 : key * 20;

type Random = () => number;

/** A random request, and what the beginning of its reply may be. */
function draw(random: Random): { words: Word[]; starts: RegExp } {
  const key = () => Math.floor(random() * KEYS);
  const one = key();
  const kind = random();
  if (kind < 0.5) return { words: ["GET", `k${one}`], starts: new RegExp(`^\\$${sizeOf(one)}\r`) };
  if (kind < 0.7) {
    const keys = Array.from({ length: 1 + Math.floor(random() * 4) }, key);
    return {
      words: ["MGET", ...keys.map((k) => `k${k}`)],
      starts: new RegExp(`^\\*${keys.length}\r\n\\$${sizeOf(keys[0]!)}\r`),
    };
  }
  if (kind < 0.8) {
    return { words: ["SET", `w${one}`, "v".repeat(random() * 3000)], starts: /^\+OK/ };
  }
  if (kind < 0.85) return { words: ["KEYS", "k1?"], starts: /^\*[12]\d\r/ };
  if (kind < 0.9) return { words: ["SCAN", "0", "COUNT", 10], starts: /^\*2\r/ };
  if (kind < 0.95) return { words: ["REPLICAOF", "x", "1"], starts: /^-ERR/ };
  return { words: ["SET", `w${one}`, "v".repeat(700_000)], starts: /^\+OK/ }; // passes through
}

/** One client's life: a few pipelines, read at its own pace, or not to the end. */
async function live(proxy: RouterServer, random: Random, mayFail: boolean): Promise<void> {
  for (let life = 0; life < 3; life++) {
    using client = await proxy.client();
    if (random() < 0.3) await client.call("HELLO", 3);
    const pace = random();
    const requests = Array.from({ length: 1 + Math.floor(random() * 40) }, () => draw(random));
    const sent = client.sendRaw(encodeRequests(requests.map(({ words }) => words))).catch(() => {});
    const leavesAt = pace < 0.2 ? Math.floor(random() * requests.length) : Infinity;
    for (const [i, { words, starts }] of requests.entries()) {
      if (i === leavesAt) break;
      if (pace > 0.8) await delay(random() * 20);
      const begins = await beginning(client);
      if (begins === null) {
        assert(mayFail, "the connection was closed");
        break;
      }
      const isLost = mayFail && begins.startsWith("-");
      assert(isLost || starts.test(begins), `${words.join(" ").slice(0, 60)} got ${begins}`);
    }
    if (leavesAt === Infinity) await sent;
  }
}

async function beginning(client: RespClient): Promise<string | null> {
  try {
    return new TextDecoder("latin1").decode((await client.read()).raw.subarray(0, 40));
  } catch {
    return null;
  }
}

for (const mayFail of [false, true]) {
  Deno.test(`gates are passed by all, ${mayFail ? "while servers hang up" : "while slots move"}`, async () => {
    console.log(`FUZZ_SEED=${FUZZ_SEED}`);
    await using servers = await RedisServer.startMany(2);
    await using proxy = await RouterServer.start({
      servers,
      options: { proxyBufferBytesMax: 64 * MB },
    });
    for (const server of servers) {
      // Both have all keys, so that a slot may change hands without its keys.
      using client = await server.client();
      for (let k = 0; k < KEYS; k++) await client.call("SET", `k${k}`, "x".repeat(sizeOf(k)));
    }
    let isOver = false;
    const troubled = (async () => {
      const random = chance(FUZZ_SEED ^ 1);
      while (!isOver) {
        await delay(20);
        const slotId = Math.floor(random() * 1024);
        if (!mayFail) await proxy.fill(slotId, servers[Math.floor(random() * 2)]!.addr);
        else if (random() < 0.3) {
          using client = await servers[Math.floor(random() * 2)]!.client();
          await client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        }
      }
    })();
    const lives = Array.from(
      { length: CLIENTS },
      (_, n) => live(proxy, chance(FUZZ_SEED + n * 7919), mayFail),
    );
    try {
      await within(Promise.all(lives), 60_000);
    } finally {
      isOver = true;
      await troubled;
    }
    await until(() => proxy.leftovers().length === 0, CALM_MS);
    const { router } = proxy;
    await until(() => router.sessions.size === 0, CALM_MS);
    for (const { largeReplies, newcomerReplies } of router.shared.slots.pool.servers()) {
      assertEquals([largeReplies.askedBytes, newcomerReplies.askedBytes], [0, 0]);
      assertEquals([largeReplies.isAwaited, newcomerReplies.isAwaited], [false, false]);
    }
    assertEquals([router.shared.budget.usedBytes, router.shared.budget.replyBytes], [0, 0]);
    assert(!router.shared.budget.isTight);
  });
}

Deno.test("newcomers that ask two servers at once do not hand each other the turn for ever", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  for (let round = 0; round < 4; round++) {
    const clients = await Promise.all(Array.from({ length: 64 }, () => proxy.client()));
    const asked = clients.flatMap((client, n) => {
      const keys = Array.from({ length: 6 }, (_, i) => `k${n + i}`);
      const requests: Word[][] = [["SELECT", 3 * (n % 2)], ["MGET", ...keys], ["EXISTS", ...keys]];
      return client.pipeline([...requests, ["GET", `k${n}`]]);
    });
    for (const replies of await within(Promise.all(asked), 10_000)) {
      assertEquals(replies.map(({ value }) => value), ["OK", Array(6).fill(null), 0, null]);
    }
    for (const client of clients) client.close();
  }
});
