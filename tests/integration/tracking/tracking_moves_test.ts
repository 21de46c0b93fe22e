/**
 * Client-side caching while slots change hands and servers die: no cache is left with an old value.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";
import type { RespValue } from "../../support/resp_value.ts";
import { RouterServer, slotOf } from "../../support/router_server.ts";

/** How long an invalidation may take, in milliseconds. */
const TOLD_MS = 3_000;

/** A client that caches what it reads until it is told to forget it. */
class CachingClient {
  readonly cache = new Map<string, RespValue>();
  /** Invalidations of everything. */
  flushes = 0;
  readonly #client: RespClient;
  readonly #waiting: ((value: RespValue) => void)[] = [];
  #isClosed = false;

  private constructor(client: RespClient) {
    this.#client = client;
  }

  static async connect(port: number, ...options: string[]): Promise<CachingClient> {
    const client = await RespClient.connect(port, "127.0.0.1", 60_000);
    await client.call("HELLO", 3);
    assertEquals(await client.call("CLIENT", "TRACKING", "ON", ...options), "OK");
    const caching = new CachingClient(client);
    caching.#read().catch(() => {});
    return caching;
  }

  async #read(): Promise<void> {
    while (!this.#isClosed) {
      const { raw, value } = await this.#client.read();
      if (raw[0] === 62 /* > */) this.#told(raw);
      else this.#waiting.shift()!(value);
    }
  }

  #told(raw: Uint8Array): void {
    const lines = new TextDecoder().decode(raw).split("\r\n");
    if (lines[3] === "_") {
      this.flushes++;
      this.cache.clear();
    } else {
      for (let i = 5; i < lines.length; i += 2) this.cache.delete(lines[i]!);
    }
  }

  /** The value of a key: from the cache, or read now. */
  async get(key: string): Promise<RespValue> {
    const cached = this.cache.get(key);
    if (cached !== undefined) return cached;
    const { promise, resolve } = Promise.withResolvers<RespValue>();
    // It is cached in the turn in which it comes: an invalidation behind it is not missed.
    this.#waiting.push((value) => {
      if (value === null || typeof value === "string") this.cache.set(key, value);
      resolve(value);
    });
    await this.#client.send("GET", key);
    return await promise;
  }

  close(): void {
    this.#isClosed = true;
    this.#client.close();
  }
}

const KEYS = Array.from({ length: 40 }, (_, i) => `key:${i}`);
const SLOTS = [...new Set(KEYS.map(slotOf))];

/** Moves all slots of the keys from one server to the other, as a migration does. */
async function move(proxy: RouterServer, from: RedisServer, to: RedisServer): Promise<void> {
  const group = (server: RedisServer) => server === from ? 1 : 2;
  const away = { groupId: group(to), migrateFromAddr: from.addr, migrateFromGroupId: group(from) };
  await Promise.all(SLOTS.map((slot) => proxy.fill(slot, to.addr, { ...away, isBlocked: true })));
  await Promise.all(SLOTS.map((slot) => proxy.fill(slot, to.addr, away)));
  using source = await RespClient.connect(from.port);
  for (const key of KEYS) {
    await source.call("MIGRATE", "127.0.0.1", to.port, key, 0, 5_000);
    await delay(1);
  }
  await Promise.all(SLOTS.map((slot) => proxy.fill(slot, to.addr, { groupId: group(to) })));
}

/** Waits until a cache holds nothing but what the keys have. */
async function assertFresh(
  caching: CachingClient,
  truth: ReadonlyMap<string, RespValue>,
  name: string,
): Promise<void> {
  const deadline = performance.now() + TOLD_MS;
  for (;;) {
    const stale = [...caching.cache].filter(([key, value]) => truth.get(key) !== value);
    if (stale.length === 0) return;
    if (performance.now() > deadline) {
      throw new Error(`${name}: stale ${stale.map(([k, v]) => `${k}=${v}, not ${truth.get(k)}`)}`);
    }
    await delay(5);
  }
}

/** Writes values and deletes keys, reads through caches, until `isOver`. Returns what the keys have. */
async function writeAndRead(
  proxy: RouterServer,
  caching: readonly CachingClient[],
  isOver: () => boolean,
): Promise<Map<string, RespValue>> {
  using writer = await proxy.client();
  const truth = new Map<string, RespValue>(KEYS.map((key) => [key, null]));
  for (let n = 0; !isOver(); n++) {
    const key = KEYS[n % KEYS.length]!;
    await Promise.all(caching.map((client) => client.get(KEYS[(n * 7) % KEYS.length]!)));
    if (n % 5 === 0) {
      await writer.call("DEL", key);
      truth.set(key, null);
    } else {
      await writer.call("SET", key, `v${n}`);
      truth.set(key, `v${n}`);
    }
    if (n % 20 === 0) {
      for (const [i, client] of caching.entries()) {
        await assertFresh(client, truth, `client ${i} after ${n} writes`);
      }
    }
  }
  return truth;
}

Deno.test("no cache is left with an old value while slots move to and fro", async () => {
  await using one = await RedisServer.start();
  await using two = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [one] });
  const caching = await Promise.all([
    CachingClient.connect(proxy.port),
    CachingClient.connect(proxy.port, "NOLOOP"),
    CachingClient.connect(proxy.port, "BCAST"),
  ]);
  let isOver = false;
  const working = writeAndRead(proxy, caching, () => isOver);
  for (let round = 0; round < 3; round++) {
    await move(proxy, one, two);
    await move(proxy, two, one);
  }
  isOver = true;
  const truth = await working;
  for (const [i, client] of caching.entries()) await assertFresh(client, truth, `client ${i}`);
  assert(caching[0]!.flushes > 0);
  for (const client of caching) client.close();
});

Deno.test("a key that was read as missing is forgotten before its slot's new owner is written to", async () => {
  await using one = await RedisServer.start();
  await using two = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [one] });
  const caching = await CachingClient.connect(proxy.port);
  const [key] = KEYS;
  assertEquals(await caching.get(key!), null);
  await proxy.fill(slotOf(key!), two.addr, {
    groupId: 2,
    migrateFromAddr: one.addr,
    migrateFromGroupId: 1,
    isBlocked: true,
  });
  // Blocked: nobody has written at the new owner yet.
  await delay(50);
  assertEquals([caching.cache.size, caching.flushes], [0, 1]);
  await proxy.fill(slotOf(key!), two.addr, { groupId: 2 });
  assertEquals(await caching.get(key!), null);
  using writer = await proxy.client();
  await writer.call("SET", key!, "there");
  for (let i = 0; i < 200 && caching.cache.size > 0; i++) await delay(5);
  assertEquals([await caching.get(key!), caching.flushes], ["there", 1]);
  caching.close();
});

for (const options of [[], ["BCAST"]]) {
  Deno.test(`a server that dies is forgotten, and heard again when it is back ${options}`, async () => {
    await using servers = await RedisServer.startMany(2);
    await using proxy = await RouterServer.start({ servers });
    const caching = await CachingClient.connect(proxy.port, ...options);
    using writer = await proxy.client();
    for (const key of KEYS) await caching.get(key);
    await servers[0]!.kill();
    for (let i = 0; i < 400 && caching.cache.size > 0; i++) await delay(5);
    assertEquals(caching.cache.size, 0);
    await servers[0]!.restart();
    const deadline = performance.now() + 5_000;
    // Until it is back: errors are not cached.
    const isRead = async (key: string) => {
      await caching.get(key);
      return caching.cache.has(key);
    };
    for (const key of KEYS) {
      while (!await isRead(key)) {
        assert(performance.now() < deadline);
        await delay(20);
      }
    }
    await delay(options.length === 0 ? 0 : 600); // BCAST: it is heard, and everything was forgotten
    for (const key of KEYS) await isRead(key);
    const truth = new Map<string, RespValue>();
    for (const key of KEYS) {
      await writer.call("SET", key, "new");
      truth.set(key, "new");
    }
    await assertFresh(caching, truth, "after the restart");
    caching.close();
  });
}
