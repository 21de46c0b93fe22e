/**
 * What clients of a cluster may rely on while its coordinator, or a proxy, is away: ONE suite for
 * coordinators that are servers of their own.
 *
 * @module
 */

import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { API_TABLE } from "../../src/dashboard/api/api.ts";
import { deadFences, deleteFence, loadFences } from "../../src/store/fences.ts";
import { loadProxies } from "../../src/store/proxies.ts";
import { CountingLoad, keysInSlots } from "../support/counting_load.ts";
import { DashboardProcess } from "../support/dashboard_process.ts";
import { until } from "../support/deadline.ts";
import { ProxyProcess } from "../support/proxy_process.ts";
import { RedisServer } from "../support/redis_server.ts";
import type { RespClient } from "../support/resp_client.ts";
import { ReplyError } from "../support/resp_value.ts";
import { ScriptedDashboard } from "../support/scripted_dashboard.ts";
import type { Coordination } from "./cluster.ts";

/** A coordinator that can be taken away. */
export interface FragileCoordination extends Coordination {
  /** Stops the coordinator's server. */
  stop(): Promise<void>;
  /** Starts it again, with what it had stored. */
  restart(): Promise<void>;
}

/** Starts such a coordinator; see `StartCoordination`. */
export type StartFragile = (
  servers: readonly { readonly addr: string }[],
) => Promise<FragileCoordination>;

/** How long the coordinator is away, in seconds; the environment may ask for more. */
const OUTAGE_SECONDS = Number(Deno.env.get("OUTAGE_SECONDS") ?? 8);
/** The session timeout of the proxies under test, in milliseconds: shorter than the outage. */
const SESSION_MS = 4_000;
/** The session timeout of what shall not lose it, or is killed: longer than anybody shall wait for it. */
const LONG_SESSION_MS = 30_000;
/** Longest time until a proxy that was killed and started again serves: a start, and no session. */
const RESTART_MS = 10_000;
/** Longest time until a proxy is online again after its coordinator is back. */
const BACK_ONLINE_MS = 10_000;

/**
 * Registers the suite for one coordinator.
 *
 * @param register `Deno.test`, called in the file whose tests these are to be.
 */
export function testOutages(
  name: string,
  start: StartFragile,
  register: (name: string, test: () => Promise<void>) => void,
): void {
  register(
    `${name} away beyond session expiry: no client notices, the proxy comes back`,
    async () => {
      await using servers = await RedisServer.startMany(2);
      await using coordination = await start(servers);
      await using dashboard = new ScriptedDashboard(coordination.store);
      await using proxy = await startProxy(coordination, dashboard, "one");
      const slots = [1, 2, 3, 4];
      const load = await CountingLoad.start([proxy], keysInSlots(slots, 5), 20);

      await coordination.stop();
      await delay(OUTAGE_SECONDS * 1000);
      const health = await (await fetch(proxy.url("/healthz"))).json();
      assertEquals(health.status, "ok");
      await coordination.restart();

      const backMs = performance.now();
      await until(async () => (await online(dashboard)).includes("one"), BACK_ONLINE_MS);
      console.log(`online again ${Math.round(performance.now() - backMs)} ms after the return`);
      assertEquals(await loadFences(coordination.store), [await addrOf(dashboard, "one")]);
      for (const slotId of slots) await dashboard.moveSlot(slotId, 2);
      await load.stop();
      assertEquals(load.errors, []);
      assertLess(load.longestMs, 2500);
      assertEquals(await load.lostUpdates(proxy), []);
    },
  );

  register(`${name}: a dashboard that was paused beyond its session makes no change`, async () => {
    await using coordination = await start([{ addr: "127.0.0.1:1" }]);
    const config = { ...coordination.config, zk_session_timeout: SESSION_MS };
    await using sleeper = await DashboardProcess.start(config);
    // Nobody but the one that is paused may lose the lead, however busy the machine is.
    const steady = { ...config, zk_session_timeout: LONG_SESSION_MS };
    await using heir = await DashboardProcess.start(steady);
    // It closes connections that were idle while it was paused.
    using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
    // Programs of ours are told who leads; requests of others are passed on.
    const ours = { client, headers: { "user-agent": "codis-proxy test" } };
    sleeper.child.signal("SIGSTOP");
    await until(async () =>
      (await heir.ask("GET", "/api/overview", undefined, ours)).status === 200
    );
    // What is waiting in its sockets is the first thing it sees when it wakes.
    const all = askForChanges(sleeper, ours);
    const other = sleeper.ask("PUT", "/api/server_groups", { id: 7 }, { client });
    await delay(100);
    sleeper.child.signal("SIGCONT");
    for (const answer of await Promise.all(all)) {
      assertMatch(answer, /: 503 .*(leads|no dashboard leads at the moment: try again)/);
      assert(!answer.includes(sleeper.addr), answer);
    }
    const { status } = await other;
    const { text } = await heir.ask("GET", "/api/server_groups");
    assertEquals(JSON.parse(text).some(({ id }: { id: number }) => id === 7), status === 200);
    await until(async () =>
      (await sleeper.ask("PUT", "/api/server_groups", { id: 8 })).status === 200
    );
  });

  register(`${name}: while it does not say who leads, a dashboard makes no change`, async () => {
    await using coordination = await start([{ addr: "127.0.0.1:1" }]);
    const config = { ...coordination.config, zk_session_timeout: LONG_SESSION_MS };
    await using dashboard = await DashboardProcess.start(config);
    await until(async () => (await dashboard.ask("GET", "/api/overview")).status === 200);
    await coordination.stop();
    for (const answer of await Promise.all(askForChanges(dashboard, {}))) {
      assertMatch(answer, /: 503 .*it is not known whether this dashboard leads/);
    }
    await coordination.restart();
  });

  for (const cpu of [1, 2]) {
    register(
      `${name}: a paused proxy that wakes does not serve a slot it no longer has, --cpu=${cpu}`,
      async () => {
        await using servers = await RedisServer.startMany(2);
        await using coordination = await start(servers);
        await using dashboard = new ScriptedDashboard(coordination.store);
        await using sleeper = await startProxy(coordination, dashboard, "sleeper", cpu);
        await using other = await startProxy(coordination, dashboard, "other", 1, LONG_SESSION_MS);
        const [key] = keysInSlots([5], 1);
        await using stack = new AsyncDisposableStack();
        // So many that every worker has some.
        const early: RespClient[] = [];
        while (early.length < (cpu === 1 ? 1 : 12)) {
          early.push(stack.use(await sleeper.client()));
          assertEquals(await early.at(-1)!.call("SET", key!, "old"), "OK");
        }
        using client = await other.client();

        sleeper.child.signal("SIGSTOP");
        try {
          // Its session ends; an operator, tired of waiting, removes its fence, and a slot moves.
          await until(async () => !(await online(dashboard)).includes("sleeper"), 30_000);
          const dead = deadFences(
            await loadFences(coordination.store),
            await loadProxies(coordination.store),
          );
          for (const addr of dead) await deleteFence(coordination.store, addr);
          await dashboard.moveSlot(5, 2);
          assertEquals(await client.call("SET", key!, "new"), "OK");
          // What is waiting in its sockets is the first thing it sees when it wakes.
          for (const each of early) {
            await each.send("GET", key!);
            await each.send("SET", key!, "newer");
          }
        } finally {
          sleeper.child.signal("SIGCONT");
        }
        let isWritten = false;
        for (const each of early) {
          const read = (await each.read()).value;
          const isTrue = read === "new" || read === "newer" || read instanceof ReplyError;
          assert(isTrue, `a stale value was served: ${read}`);
          isWritten = (await each.read()).value === "OK" || isWritten;
        }
        await until(async () => (await online(dashboard)).includes("sleeper"), 20_000);
        assertEquals(await client.call("GET", key!), isWritten ? "newer" : "new");
        using old = await servers[0]!.client();
        assertEquals(await old.call("EXISTS", key!), 0);

        if (cpu > 1) return;
        // Killed, it takes its place again at once: its process is surely gone. Paused, it was not.
        await other.kill();
        const killedMs = performance.now();
        await other.restart();
        const tookMs = Math.round(performance.now() - killedMs);
        console.log(`killed and started again: serving after ${tookMs} ms`);
        assertLess(tookMs, RESTART_MS);
        await dashboard.moveSlot(5, 1);
      },
    );
  }
}

/** Asks for every change that only the dashboard that leads may make, with nothing in it. */
function askForChanges(
  dashboard: DashboardProcess,
  how: Parameters<DashboardProcess["ask"]>[3],
): Promise<string>[] {
  const changes = API_TABLE.filter(({ changes, needsLead }) => changes && needsLead);
  return changes.map(async ({ method, path }) => {
    const body = method === "GET" ? undefined : {};
    const { status, text } = await dashboard.ask(method, path.replace(/:\w+/g, "1"), body, how);
    return `${method} ${path}: ${status} ${text}`;
  });
}

function startProxy(
  coordination: Coordination,
  dashboard: ScriptedDashboard,
  id: string,
  cpu = 1,
  sessionMs = SESSION_MS,
): Promise<ProxyProcess> {
  return ProxyProcess.start({
    cpu,
    config: {
      ...coordination.config,
      dashboard_addr: dashboard.addr,
      proxy_id: id,
      zk_session_timeout: sessionMs,
    },
    startTimeoutMs: 20_000,
  });
}

/** The ids of the proxies that are online; none while the coordinator cannot be asked. */
async function online({ store }: ScriptedDashboard): Promise<string[]> {
  try {
    return (await loadProxies(store)).filter(({ state }) => state === "online").map(({ id }) => id);
  } catch {
    return [];
  }
}

async function addrOf({ store }: ScriptedDashboard, id: string): Promise<string> {
  return (await loadProxies(store)).find((proxy) => proxy.id === id)!.addr;
}
