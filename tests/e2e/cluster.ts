/**
 * What clients of a cluster may rely on while its slots move, with any coordinator: ONE suite.
 *
 * @module
 */

import { assertEquals, assertLess } from "@std/assert";
import type { Store } from "../../src/store/store.ts";
import { CodisServer } from "../support/codis_server.ts";
import { CountingLoad, keysInSlots } from "../support/counting_load.ts";
import { ProxyProcess } from "../support/proxy_process.ts";
import { RedisServer } from "../support/redis_server.ts";
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
const SLOTS_MOVED = Number(Deno.env.get("SLOTS_MOVED") ?? 20);
const KEYS_PER_SLOT = 2;
/**
 * No client and no dashboard may wait longer than this for an answer, in milliseconds. The promise is
 * 1000 (`STALL_MS=1000`); in the suite a machine that stands still for a moment is no broken promise.
 */
const STALL_MS = Number(Deno.env.get("STALL_MS") ?? 2500);

/** What servers may be. */
export type ClusterServers = "codis-server" | "stock Redis";

/**
 * Registers the suite for one coordinator.
 *
 * @param kinds Servers between which slots move: how keys move does not depend on the coordinator.
 * @param register `Deno.test`, called in the file whose tests these are to be.
 */
export function testCluster(
  name: string,
  start: StartCoordination,
  kinds: readonly ClusterServers[],
  register: (name: string, test: () => Promise<void>) => void,
): void {
  for (const kind of kinds) {
    register(
      `${name}, ${kind}: ${SLOTS_MOVED} slots move under ${CLIENTS} counting clients`,
      async () => {
        await using servers = await startServers(kind);
        await using coordination = await start(servers);
        await using dashboard = new ScriptedDashboard(coordination.store);
        await using proxy = await ProxyProcess.start({
          config: { ...coordination.config, dashboard_addr: dashboard.addr, proxy_id: "one" },
        });
        const slots = Array.from({ length: SLOTS_MOVED }, (_, i) => i * 7);
        const keys = keysInSlots(slots, KEYS_PER_SLOT);
        const load = await CountingLoad.start([proxy], keys, CLIENTS);
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
    const load = await CountingLoad.start(running, keysInSlots(slots, KEYS_PER_SLOT), CLIENTS);
    for (const slotId of slots) await dashboard.moveSlot(slotId, 2);
    for (const slotId of slots) await dashboard.moveSlot(slotId, 1);
    await load.stop();
    assertEquals(load.errors, []);
    assertEquals(await load.lostUpdates(running[0]!), []);
    assertEquals(dashboard.answerMs.length, slots.length * 6);
    assertLess(Math.max(...dashboard.answerMs), STALL_MS);
  });
}

/** Two servers of a kind. */
async function startServers(
  kind: ClusterServers,
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
