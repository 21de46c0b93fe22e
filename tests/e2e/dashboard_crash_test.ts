/**
 * What operators may rely on when a dashboard is killed in the middle of an operation: the next one
 * starts at once, finishes or undoes it, and what is stored is in order.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { checkTree } from "../../src/store/check.ts";
import { loadGroup, loadGroupIds, masterOf } from "../../src/store/groups.ts";
import { loadTree } from "../../src/store/product_tree.ts";
import { loadSlots } from "../../src/store/slots.ts";
import { readIfThere, type Store } from "../../src/store/store.ts";
import { loadHeldAddrs } from "../../src/store/write_holds.ts";
import { DashboardProcess } from "../support/dashboard_process.ts";
import { until } from "../support/deadline.ts";
import { RedisServer } from "../support/redis_server.ts";
import { StoreFolder } from "../support/store.ts";

/** How often each operation is interrupted; the environment may ask for more. */
const ROUNDS = Number(Deno.env.get("CRASH_ROUNDS") ?? 4);
/** The longest time after its beginning at which a dashboard is killed, in milliseconds. */
const KILL_MS = 120;
/** Longest time until the next dashboard leads and everything is in order, in milliseconds. */
const RECOVERY_MS = 15_000;
/** As before Redis 6.2: without CLIENT there is no CLIENT PAUSE. */
const NO_PAUSE = ["--rename-command", "CLIENT", ""];

/** Begins an operation, kills the dashboard in the middle of it, and starts the next one. */
async function interrupted(
  folder: StoreFolder,
  dashboard: DashboardProcess,
  round: number,
  ask: (dashboard: DashboardProcess) => Promise<unknown>,
): Promise<DashboardProcess> {
  const asking = ask(dashboard).catch(() => {});
  await delay(KILL_MS * round / ROUNDS);
  await dashboard.kill();
  await asking;
  await dashboard[Symbol.asyncDispose]();
  const began = performance.now();
  const next = await DashboardProcess.start({ embedded_dir: folder.dir });
  assert(performance.now() - began < RECOVERY_MS);
  return next;
}

async function assertInOrder(store: Store): Promise<void> {
  const { problems } = checkTree(await loadTree(store));
  assertEquals(problems.filter(({ severity }) => severity === "error"), []);
  assertEquals(await readIfThere(store, store.paths.intent), undefined);
}

Deno.test("slot init, range-set and group add are finished or undone after kill -9", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(2);
  const store = await folder.open();
  let dashboard = await DashboardProcess.start({ embedded_dir: folder.dir });
  try {
    let outcomes = "";
    for (let round = 0; round < ROUNDS; round++) {
      dashboard = await interrupted(
        folder,
        dashboard,
        round,
        (victim) => victim.ask("POST", "/api/slots/init?is_force=1"),
      );
      await assertInOrder(store);
      const slots = await loadSlots(store);
      assert([0, 1024].includes(slots.length), `${slots.length} slots`);
      outcomes += slots.length === 0 ? "undone " : "done ";

      const groupId = 10 + round;
      dashboard = await interrupted(
        folder,
        dashboard,
        round,
        (victim) =>
          victim.ask("PUT", `/api/server_group/${groupId}/addServer`, {
            ...{ type: "master", addr: servers[round % 2]!.addr, force: true },
          }),
      );
      await assertInOrder(store);
      if ((await loadGroupIds(store)).includes(groupId)) {
        assertEquals(masterOf(await loadGroup(store, groupId)).addr, servers[round % 2]!.addr);
        assertEquals((await dashboard.ask("DELETE", `/api/server_group/${groupId}`)).status, 200);
      }
    }
    await dashboard.ask("POST", "/api/slots/init?is_force=1");
    await dashboard.ask("PUT", "/api/server_group/1/addServer", {
      ...{ type: "master", addr: servers[0]!.addr },
    });
    for (let round = 0; round < ROUNDS; round++) {
      const [from, to] = [round * 200, round * 200 + 199];
      dashboard = await interrupted(
        folder,
        dashboard,
        round,
        (victim) => victim.ask("POST", "/api/slot", { from, to, new_group: 1, status: "online" }),
      );
      await assertInOrder(store);
      const changed = (await loadSlots(store)).slice(from, to + 1).filter(({ group_id }) =>
        group_id === 1
      ).length;
      assert([0, 200].includes(changed), `${changed} slots of ${from} to ${to}`);
      outcomes += changed === 0 ? "undone " : "done ";
    }
    console.log(outcomes);
  } finally {
    await dashboard[Symbol.asyncDispose]();
  }
});

for (const [how, args] of [["wait", []], ["be refused only", NO_PAUSE]] as const) {
  Deno.test(`a promotion is finished or undone after kill -9, where writes can ${how}`, async () => {
    await using folder = await StoreFolder.make();
    await using servers = await RedisServer.startMany(2, { args });
    const store = await folder.openFilled(servers[0]!.addr);
    let dashboard = await DashboardProcess.start({ embedded_dir: folder.dir });
    try {
      const [a, b] = servers.map(({ addr }) => addr) as [string, string];
      await dashboard.ask("PUT", "/api/server_group/1/addServer", { type: "slave", addr: b });
      let outcomes = "";
      for (let round = 0; round < ROUNDS; round++) {
        const before = masterOf(await loadGroup(store, 1)).addr;
        const addr = before === a ? b : a;
        await linked(servers, addr);
        dashboard = await interrupted(
          folder,
          dashboard,
          round,
          (victim) => victim.ask("POST", "/api/server_group/1/promote", { addr, group_id: 1 }),
        );
        await assertInOrder(store);
        const after = masterOf(await loadGroup(store, 1)).addr;
        outcomes += after === before ? "undone " : "done ";
        // The one that is stored as master is one, writes, and the other follows it.
        const [master, replica] = after === a ? servers : [servers[1]!, servers[0]!];
        using client = await master!.client();
        await until(async () => await client.call("SET", "k", round) === "OK", RECOVERY_MS);
        await until(async () => (await loadHeldAddrs(store)).length === 0, RECOVERY_MS);
        await linked(servers, replica!.addr);
        using follower = await replica!.client();
        await until(async () => await follower.call("GET", "k") === `${round}`);
      }
      console.log(outcomes);
    } finally {
      await dashboard[Symbol.asyncDispose]();
    }
  });
}

/** Waits until a server follows another and has all of its data. */
async function linked(servers: readonly RedisServer[], addr: string): Promise<void> {
  using client = await servers.find((server) => server.addr === addr)!.client();
  await until(
    async () => /master_link_status:up/.test(`${await client.call("INFO", "replication")}`),
    RECOVERY_MS,
  );
}
