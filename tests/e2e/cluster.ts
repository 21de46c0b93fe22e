/**
 * What clients of a cluster may rely on while its slots move, with any coordinator: ONE suite.
 *
 * @module
 */

import { assert, assertEquals, assertLess } from "@std/assert";
import type { Store } from "../../src/store/store.ts";
import { CodisServer } from "../support/codis_server.ts";
import { ProxyProcess } from "../support/proxy_process.ts";
import { RedisServer } from "../support/redis_server.ts";
import type { RespClient } from "../support/resp_client.ts";
import { slotOf } from "../support/router_server.ts";
import { ScriptedDashboard } from "../support/scripted_dashboard.ts";

/** A coordinator with an empty or filled product, for a suite to work on. */
export interface Coordination extends AsyncDisposable {
  /** A session with the product's store, filled: one group per server, all slots online. */
  readonly store: Store;
  /** The keys of config.ini that lead a proxy to it. */
  readonly config: Readonly<Record<string, string | number>>;
}

/** Starts a coordinator whose product has these servers. */
export type StartCoordination = (
  servers: readonly { readonly addr: string }[],
) => Promise<Coordination>;

const CLIENTS = 50;
const SLOTS_MOVED = 50;
const KEYS_PER_SLOT = 2;
/** No client may wait longer than this for an answer, in milliseconds. */
const STALL_MS = 1000;

/**
 * Registers the suite for one coordinator.
 *
 * @param register `Deno.test`, called in the file whose tests these are to be.
 */
export function testCluster(
  name: string,
  start: StartCoordination,
  register: (name: string, test: () => Promise<void>) => void,
): void {
  for (const kind of ["codis-server", "stock Redis"] as const) {
    register(
      `${name}, ${kind}: ${SLOTS_MOVED} slots move under ${CLIENTS} counting clients`,
      async () => {
        await using servers = await startServers(kind);
        await using coordination = await start(servers);
        await using dashboard = new ScriptedDashboard(coordination.store);
        await using proxy = await ProxyProcess.start({
          config: { ...coordination.config, dashboard_addr: dashboard.addr },
        });
        const slots = Array.from({ length: SLOTS_MOVED }, (_, i) => i * 7);
        const keys = keysOf(slots);
        const load = await CountingLoad.start([proxy], keys);
        for (const slotId of slots) await dashboard.moveSlot(slotId, 2);
        await load.stop();
        assertEquals(load.errors, []);
        assertLess(load.longestMs, STALL_MS);
        assertEquals(await load.lostUpdates(proxy), []);
        // The keys really are where their slots are now.
        using old = await servers[0]!.client();
        const left = await old.call("KEYS", "*") as string[];
        assertEquals(left.filter((key) => slots.includes(slotOf(key))), []);
      },
    );
  }

  register(`${name}: three proxies confirm every action within a second, under load`, async () => {
    await using servers = await startServers("stock Redis");
    await using coordination = await start(servers);
    await using dashboard = new ScriptedDashboard(coordination.store);
    await using proxies = new AsyncDisposableStack();
    const running: ProxyProcess[] = [];
    for (const id of ["one", "two", "three"]) {
      running.push(proxies.use(
        await ProxyProcess.start({
          config: { ...coordination.config, dashboard_addr: dashboard.addr, proxy_id: id },
        }),
      ));
    }
    const slots = Array.from({ length: 10 }, (_, i) => 3 + i * 11);
    const load = await CountingLoad.start(running, keysOf(slots));
    for (const slotId of slots) await dashboard.moveSlot(slotId, 2);
    for (const slotId of slots) await dashboard.moveSlot(slotId, 1);
    await load.stop();
    assertEquals(load.errors, []);
    assertEquals(await load.lostUpdates(running[0]!), []);
    assertEquals(dashboard.answerMs.length, slots.length * 6);
    assertLess(Math.max(...dashboard.answerMs), 1000);
  });
}

/** Two servers of a kind. */
async function startServers(
  kind: "codis-server" | "stock Redis",
): Promise<(RedisServer | CodisServer)[] & AsyncDisposable> {
  const servers = await Promise.all(
    [0, 1].map(() => kind === "codis-server" ? CodisServer.start() : RedisServer.start()),
  );
  return Object.assign(servers, {
    async [Symbol.asyncDispose]() {
      for (const server of servers) await server[Symbol.asyncDispose]();
    },
  });
}

/** Keys in given slots. */
function keysOf(slots: readonly number[]): string[] {
  const left = new Map(slots.map((slotId) => [slotId, KEYS_PER_SLOT]));
  const keys: string[] = [];
  for (let i = 0; keys.length < slots.length * KEYS_PER_SLOT; i++) {
    const key = `count${i}`;
    const missing = left.get(slotOf(key)) ?? 0;
    if (missing === 0) continue;
    left.set(slotOf(key), missing - 1);
    keys.push(key);
  }
  return keys;
}

/** Clients that count up keys and read them back, without a pause. */
class CountingLoad {
  /** Every answer that was not what it had to be. */
  readonly errors: string[] = [];
  /** The longest wait for one answer, in milliseconds. */
  longestMs = 0;
  readonly #keys: readonly string[];
  /** Acknowledged increments by key. */
  readonly #counted = new Map<string, number>();
  readonly #running: Promise<void>[] = [];
  #isStopped = false;

  private constructor(keys: readonly string[]) {
    this.#keys = keys;
  }

  /** Starts the clients, spread over the proxies. */
  static async start(
    proxies: readonly ProxyProcess[],
    keys: readonly string[],
  ): Promise<CountingLoad> {
    const load = new CountingLoad(keys);
    for (let i = 0; i < CLIENTS; i++) {
      const client = await proxies[i % proxies.length]!.client();
      load.#running.push(load.#run(client));
    }
    return load;
  }

  async #run(client: RespClient): Promise<void> {
    try {
      while (!this.#isStopped) {
        const key = this.#keys[Math.floor(Math.random() * this.#keys.length)]!;
        const before = this.#counted.get(key) ?? 0;
        const startedMs = performance.now();
        const [count, read] = await client.pipeline([["INCR", key], ["GET", key]]);
        this.longestMs = Math.max(this.longestMs, performance.now() - startedMs);
        if (typeof count!.value !== "number" || !(Number(read!.value) >= count!.value)) {
          this.errors.push(`${key}: INCR ${count!.value}, GET ${read!.value}`);
          continue;
        }
        // What others had been told before we asked is in our answer.
        if (count!.value <= before) this.errors.push(`${key}: ${count!.value} after ${before}`);
        this.#counted.set(key, Math.max(this.#counted.get(key) ?? 0, count!.value));
        this.#acknowledged.set(key, (this.#acknowledged.get(key) ?? 0) + 1);
      }
    } catch (error) {
      this.errors.push(String(error));
    } finally {
      client.close();
    }
  }

  readonly #acknowledged = new Map<string, number>();

  /** Lets every client finish. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
    assert(this.#acknowledged.size > 0, "no client has counted anything");
  }

  /** Keys whose value is not the number of acknowledged increments. */
  async lostUpdates(proxy: ProxyProcess): Promise<string[]> {
    const client = await proxy.client();
    try {
      const values = await client.call("MGET", ...this.#keys) as (string | null)[];
      return this.#keys.flatMap((key, i) => {
        const expected = this.#acknowledged.get(key) ?? 0;
        const found = Number(values[i] ?? 0);
        return found === expected ? [] : [`${key}: ${found} instead of ${expected}`];
      });
    } finally {
      client.close();
    }
  }
}
