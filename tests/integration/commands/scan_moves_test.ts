/**
 * SCAN while slots move, masters change, and groups come and go: what is there from the first call to the
 * last is returned at least once, over whichever proxy of the product the calls go.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { SlotFill } from "../../../src/router/slot_table.ts";
import { fuzzParameters } from "../../support/fuzz.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { RouterServer, slotOf } from "../../support/router_server.ts";

const SLOTS = 1024;
/** Groups 1 to 4; the slots without keys of the test belong to group 2, so the others come and go. */
const GROUPS = 4;
const KEYS = Array.from({ length: 120 }, (_, i) => `key:${i % 40}{t${i % 12}}`)
  .concat(Array.from({ length: 60 }, (_, i) => `{t${i % 12}}:${i}`));
const USED_SLOTS = [...new Set(KEYS.map(slotOf))];

interface Place {
  groupId: number;
  /** Where its keys come from; 0 when they do not move. */
  from: number;
  /** Whether its requests wait, until all proxies have it so. */
  isBlocked: boolean;
}

/** What happens when one proxy has a change, and the other one has not. */
type Between = () => Promise<void>;

/** Two proxies of one product, real servers, and a hand that moves slots as a dashboard does. */
class Product implements AsyncDisposable {
  readonly #places = new Map<number, Place>();
  #masters: RedisServer[] = [];
  #spare!: RedisServer;
  #version = 0;
  /** What each slot was filled with last. */
  readonly #filled = new Map<number, string>();

  private constructor(
    readonly servers: readonly RedisServer[] & AsyncDisposable,
    readonly direct: ReadonlyMap<RedisServer, RespClient>,
    readonly proxies: readonly RouterServer[],
    readonly clients: readonly RespClient[],
    /** A client of the first proxy that uses keys. */
    readonly touching: RespClient,
  ) {}

  static async start(): Promise<Product> {
    const servers = await RedisServer.startMany(GROUPS + 1);
    const direct = new Map<RedisServer, RespClient>();
    for (const server of servers) direct.set(server, await server.client());
    const proxies = [await RouterServer.start(), await RouterServer.start()];
    const clients = [await proxies[0]!.client(), await proxies[1]!.client()];
    return new Product(servers, direct, proxies, clients, await proxies[0]!.client());
  }

  /** Begins anew: all keys are where their slots are, spread over groups 1 to 3. */
  async reset(): Promise<void> {
    this.#masters = this.servers.slice(0, GROUPS);
    this.#spare = this.servers[GROUPS]!;
    for (const client of this.direct.values()) await client.call("FLUSHALL");
    for (let slotId = 0; slotId < SLOTS; slotId++) {
      const used = USED_SLOTS.indexOf(slotId);
      this.#places.set(slotId, { groupId: used < 0 ? 2 : 1 + used % 3, from: 0, isBlocked: false });
    }
    const fills = [...this.#places.keys()].map((slotId) => this.#fillOf(slotId))
      .filter((fill) => JSON.stringify(fill) !== this.#filled.get(fill.slotId));
    this.#version++;
    for (const { router } of this.proxies) {
      await Promise.all(fills.map((fill) => router.shared.slots.fillSlot(fill)));
      router.shared.slots.inForce(this.#version);
    }
    for (const fill of fills) this.#filled.set(fill.slotId, JSON.stringify(fill));
    for (const key of KEYS) {
      await this.#clientOf(this.#places.get(slotOf(key))!.groupId).call("SET", key, "v");
    }
  }

  #clientOf(groupId: number): RespClient {
    return this.direct.get(this.#masters[groupId - 1]!)!;
  }

  #fillOf(slotId: number): SlotFill {
    const { groupId, from, isBlocked } = this.#places.get(slotId)!;
    return {
      slotId,
      groupId,
      backendAddr: this.#masters[groupId - 1]!.addr,
      migrateFromAddr: from === 0 ? "" : this.#masters[from - 1]!.addr,
      migrateFromGroupId: from === 0 ? -1 : from,
      isBlocked,
    };
  }

  /** Puts a slot's place in force at one proxy after the other; `between` runs in the middle. */
  async #change(slotIds: readonly number[], between: Between): Promise<void> {
    this.#version++;
    for (const [i, { router }] of this.proxies.entries()) {
      if (i > 0) await between();
      for (const slotId of slotIds) await router.shared.slots.fillSlot(this.#fillOf(slotId));
      for (const id of slotIds) this.#filled.set(id, JSON.stringify(this.#fillOf(id)));
      router.shared.slots.inForce(this.#version);
    }
  }

  /** Begins a move, or turns one back; the first proxy that has it moves some keys at once, for its clients. */
  async begin(
    slotId: number,
    groupId: number,
    touched: number,
    blocking: Between,
    between: Between,
  ): Promise<void> {
    const place = this.#places.get(slotId)!;
    if (place.from === 0 && place.groupId === groupId) return;
    place.isBlocked = true;
    await this.#change([slotId], blocking);
    place.isBlocked = false;
    const to = place.from === 0 ? groupId : place.from;
    [place.groupId, place.from] = [to, place.groupId];
    await this.#change([slotId], async () => {
      const keys = KEYS.filter((key) => slotOf(key) === slotId).slice(0, touched);
      for (const key of keys) assertEquals(await this.touching.call("GET", key), "v");
      await between();
    });
  }

  /** Moves some keys of a slot that moves, or all. */
  async moveKeys(slotId: number, count: number): Promise<void> {
    const { groupId, from } = this.#places.get(slotId)!;
    if (from === 0) return;
    const { port } = this.#masters[groupId - 1]!;
    const keys = (await this.#clientOf(from).call("KEYS", "*") as string[])
      .filter((key) => slotOf(key) === slotId).slice(0, count);
    if (keys.length === 0) return;
    const moved = await this.#clientOf(from)
      .call("MIGRATE", "127.0.0.1", port, "", 0, 1000, "KEYS", ...keys);
    assertEquals(moved, "OK");
  }

  async finish(slotId: number, between: Between): Promise<void> {
    if (this.#places.get(slotId)!.from === 0) return;
    await this.moveKeys(slotId, KEYS.length);
    this.#places.get(slotId)!.from = 0;
    await this.#change([slotId], between);
  }

  /** Another server becomes a group's master: it has all keys, in an order of its own. */
  async promote(groupId: number, between: Between): Promise<void> {
    const old = this.#masters[groupId - 1]!;
    const client = this.direct.get(old)!;
    const keys = await client.call("KEYS", "*") as string[];
    if (keys.length > 0) {
      const { port } = this.#spare;
      await client.call("MIGRATE", "127.0.0.1", port, "", 0, 1000, "COPY", "KEYS", ...keys);
    }
    [this.#masters[groupId - 1], this.#spare] = [this.#spare, old];
    const touched = [...this.#places].filter(([, { groupId: owner, from }]) =>
      owner === groupId || from === groupId
    );
    await this.#change(touched.map(([slotId]) => slotId), between);
    await client.call("FLUSHALL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of [...this.clients, this.touching]) client.close();
    for (const client of this.direct.values()) client.close();
    for (const proxy of this.proxies) await proxy[Symbol.asyncDispose]();
    await this.servers[Symbol.asyncDispose]();
  }
}

type Step =
  | { kind: "scan"; proxy: number; count: number }
  | {
    kind: "begin";
    slot: number;
    groupId: number;
    touched: number;
    scans: number;
    blockedScans: number;
  }
  | { kind: "keys"; slot: number; count: number }
  | { kind: "finish"; slot: number; scans: number }
  | { kind: "promote"; groupId: number; scans: number };

const slot = fc.nat({ max: 2 }).map((i) => USED_SLOTS[i * 4]!);
const groupId = fc.integer({ min: 1, max: GROUPS });
const scans = fc.nat({ max: 2 });
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("scan" as const),
      proxy: fc.nat({ max: 1 }),
      count: fc.constantFrom(1, 5, 20, 60),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("begin" as const),
      ...{ slot, groupId, scans, blockedScans: scans, touched: fc.nat({ max: 15 }) },
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("keys" as const),
      slot,
      count: fc.integer({ min: 1, max: 10 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("finish" as const), slot, scans }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("promote" as const), groupId, scans }) },
);

/** Runs these steps, then scans to the end; every key must have been returned. */
async function findsAll(product: Product, steps: readonly Step[]): Promise<void> {
  await product.reset();
  const seen = new Set<string>();
  let cursor = "0";
  let isBegun = false;
  let calls = 0;
  const scan = async (proxy: number, count: number) => {
    if (isBegun && cursor === "0") return;
    const reply = await product.clients[proxy]!.call("SCAN", cursor, "COUNT", count);
    assert(Array.isArray(reply), `${reply}`);
    const [next, keys] = reply as [string, string[]];
    for (const key of keys) seen.add(key);
    cursor = next;
    isBegun = true;
    assert(BigInt(cursor) < 2n ** 53n, `${cursor} is too large for JavaScript`);
    assert(++calls < 5_000, "the walk has no end");
  };
  for (const step of steps) {
    const scansOf = (count: number) => async () => {
      for (let i = 0; i < count; i++) await scan(i % 2, 15);
    };
    const between = scansOf("scans" in step ? step.scans : 0);
    if (step.kind === "scan") await scan(step.proxy, step.count);
    else if (step.kind === "begin") {
      const { slot, groupId, touched, blockedScans } = step;
      await product.begin(slot, groupId, touched, scansOf(blockedScans), between);
    } else if (step.kind === "keys") await product.moveKeys(step.slot, step.count);
    else if (step.kind === "finish") await product.finish(step.slot, between);
    else await product.promote(step.groupId, between);
  }
  while (!isBegun || cursor !== "0") await scan(calls % 2, 10);
  assertEquals(KEYS.filter((key) => !seen.has(key)), []);
}

Deno.test("SCAN returns every key that is there all the time, whatever moves, over any proxy", async () => {
  await using product = await Product.start();
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyStep, { minLength: 10, maxLength: 60 }),
      (steps) => findsAll(product, steps),
    ),
    fuzzParameters(60),
  );
});

Deno.test("a scan that one proxy has begun, and another goes on with, misses nothing that only one knows", async () => {
  await using product = await Product.start();
  const scans = (count: number): Step[] =>
    Array.from({ length: count }, () => ({ kind: "scan", proxy: 0, count: 10 }));
  // The first proxy has another master of a group, and it ends while the second has the old one.
  for (let before = 1; before <= 9; before++) {
    const groupId = Math.ceil(before / 3);
    await findsAll(product, [...scans(before), { kind: "promote", groupId, scans: 40 }]);
  }
  // The first proxy moves keys to a group that was scanned, and it ends while the second has them blocked.
  const back = { kind: "begin", slot: USED_SLOTS[2]!, groupId: 1, touched: 15 } as const;
  await findsAll(product, [...scans(4), { ...back, blockedScans: 0, scans: 40 }]);
  // As before, but both know another slot that has moved back: the second proxy goes on with the pass for that.
  const other = {
    kind: "begin",
    slot: USED_SLOTS[4]!,
    scans: 0,
    blockedScans: 0,
    touched: 0,
  } as const;
  for (let before = 3; before <= 8; before++) {
    await findsAll(product, [
      { ...back, slot: USED_SLOTS[0]!, groupId: 4, blockedScans: 0, scans: 0 },
      ...scans(before),
      { ...other, groupId: 4 },
      { ...other, groupId: 2 },
      { ...back, slot: USED_SLOTS[0]!, blockedScans: 0, scans: 40 },
    ]);
  }
});
