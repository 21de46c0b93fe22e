/**
 * The pool as a barrier: what holds for a slot change whatever becomes of the workers.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { WorkerPool } from "../../../../src/proxy/workers/worker_pool.ts";
import { totalCalls } from "../../../../src/router/stats_snapshot.ts";
import type { SlotFill } from "../../../../src/router/slot_table.ts";
import { until } from "../../../support/deadline.ts";
import { FakeWorker } from "../../../support/fake_worker.ts";
import { testOptions } from "../../../support/router_server.ts";

function fillOf(slotId: number, change: Partial<SlotFill> = {}): SlotFill {
  return {
    slotId,
    groupId: 1,
    backendAddr: "127.0.0.1:6379",
    migrateFromAddr: "",
    migrateFromGroupId: -1,
    isBlocked: false,
    ...change,
  };
}

/** A pool of workers without threads. */
class Pool implements AsyncDisposable {
  /** Every worker that was started, in order; the first ones in the order of their seats. */
  readonly workers: FakeWorker[];
  readonly pool: WorkerPool;
  /** How often the pool has told of a pause. */
  readonly pauses: () => number;

  /** Called with each worker that is started from now on. */
  prepare: (worker: FakeWorker) => void = () => {};

  private constructor(workers: FakeWorker[], pool: WorkerPool, pauses: () => number) {
    this.workers = workers;
    this.pool = pool;
    this.pauses = pauses;
  }

  static async open(count: number, slotWaitMs = 1000): Promise<Pool> {
    const workers: FakeWorker[] = [];
    let pauses = 0;
    let run: Pool | undefined;
    const pool = await WorkerPool.open({
      sockets: [{ hostname: "127.0.0.1", port: 0 }],
      proto: "tcp",
    }, {
      workers: count,
      router: testOptions({ slotWaitMs, proxyBufferBytesMax: 30_000_000 }),
      keepAliveMs: 0,
      pauseMs: 60_000,
      spawn() {
        const worker = new FakeWorker();
        workers.push(worker);
        run?.prepare(worker);
        return worker;
      },
    }, { onPause: () => pauses++, changeConfig: () => Promise.resolve("") });
    return run = new Pool(workers, pool, () => pauses);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.close();
  }
}

/** Whether a promise has settled by now, a few turns later. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(() => settled = true, () => settled = true);
  await delay(20);
  return settled;
}

Deno.test("a slot change is settled when it is in every worker", async () => {
  await using run = await Pool.open(3);
  const { pool, workers } = run;
  const releases = workers.slice(1).map(({ table }) => table.slow(5));
  const change = pool.fillSlot(fillOf(5));
  assertEquals(await isSettled(change), false);
  releases[0]!();
  assertEquals(await isSettled(change), false);
  releases[1]!();
  await change;
  for (const { table } of workers) assertEquals(table.fills.get(5), fillOf(5));
  await pool.resetSlot(5);
  for (const { table } of workers) assertEquals(table.fills.size, 0);
});

Deno.test("a worker that dies neither hangs a change nor settles it for the others", async () => {
  await using run = await Pool.open(3);
  const { pool, workers } = run;
  const [, second, third] = workers;
  second!.table.slow(5);
  const release = third!.table.slow(5);
  const change = pool.fillSlot(fillOf(5));
  assertEquals(await isSettled(change), false);
  second!.die("Uncaught Error: of it");
  assert(second!.isTerminated);
  // Its connections may still be there for a moment, and the third has requests in flight.
  assertEquals(await isSettled(change), false);
  await until(() => workers.length === 4 && workers[3]!.told.includes("bind"));
  assertEquals(await isSettled(change), false);
  release();
  await change;
  assertEquals(workers[3]!.start.index, 1);
  assertEquals(workers[3]!.table.fills.get(5), fillOf(5));
});

Deno.test("a change that begins when a worker has just died waits until its connections are gone", async () => {
  await using run = await Pool.open(2);
  const { pool, workers } = run;
  workers[0]!.die("gone");
  const startedMs = performance.now();
  await pool.fillSlot(fillOf(5));
  assert(performance.now() - startedMs > 50);
});

Deno.test("the one in a dead worker's place has the whole table before it listens", async () => {
  await using run = await Pool.open(2);
  const { pool, workers } = run;
  const fills = Array.from({ length: 1024 }, (_, slotId) => fillOf(slotId));
  await Promise.all(fills.map((fill) => pool.fillSlot(fill)));
  const blocked = fillOf(3, { isBlocked: true });
  const migrating = fillOf(4, { migrateFromAddr: "127.0.0.1:1", migrateFromGroupId: 2 });
  await pool.fillSlot(blocked);
  await pool.fillSlot(migrating);
  await pool.resetSlot(7);
  pool.accept();
  pool.setServing("held");
  workers[0]!.die("gone");
  await until(() => workers[2]?.told.includes("accept") === true);
  assertEquals(workers[2]!.slotsAtBind, 1023);
  assertEquals(workers[2]!.table.fills.get(3), blocked);
  assertEquals(workers[2]!.table.fills.get(4), migrating);
  assertEquals(workers[2]!.told, ["held", "bind", "accept"]);
});

Deno.test("every worker knows which action is in force, a new one also what has changed since", async () => {
  await using run = await Pool.open(2);
  const { pool, workers } = run;
  await pool.fillSlot(fillOf(5));
  pool.loaded(41);
  await pool.fillSlot(fillOf(6));
  pool.inForce(42);
  await until(() => workers.every(({ table }) => table.version === 42));
  const moving = fillOf(6, { migrateFromAddr: "127.0.0.1:1", migrateFromGroupId: 2 });
  await pool.fillSlot(fillOf(7));
  await pool.fillSlot(fillOf(6, { isBlocked: true }));
  await pool.fillSlot(moving);
  await pool.resetSlot(5);
  workers[0]!.die("gone");
  await until(() => workers[2]?.told.includes("bind") === true);
  const { loadedAs, version, history, fills } = workers[2]!.table;
  assertEquals([version, loadedAs], [42, 42]);
  assertEquals(
    history.map(({ fill }) => fill),
    [fillOf(6), fillOf(5), fillOf(7), moving, undefined],
  );
  assertEquals(fills, new Map([[6, moving], [7, fillOf(7)]]));
});

Deno.test("a change while the new worker is being filled reaches it, and is waited for", async () => {
  await using run = await Pool.open(2);
  const { pool, workers } = run;
  await pool.fillSlot(fillOf(5));
  let release = () => {};
  run.prepare = ({ table }) => release = table.slow(5);
  workers[0]!.die("gone");
  await until(() => workers.length === 3);
  const next = fillOf(5, { groupId: 2 });
  const change = pool.fillSlot(next);
  assertEquals(await isSettled(change), false);
  assertEquals(workers[2]!.told, []); // not listening yet either
  release();
  await change;
  assertEquals(workers[2]!.table.fills.get(5), next);
});

Deno.test("a worker that lives and does not answer keeps a change from being confirmed", async () => {
  await using run = await Pool.open(2, 100);
  const { pool, workers } = run;
  workers[1]!.isStuck = true;
  await assertRejects(
    () => pool.fillSlot(fillOf(5)),
    Error,
    "worker 1 does not answer, and has not settled slot 5",
  );
});

Deno.test("held, refused and serving reach every worker, and one that comes later", async () => {
  await using run = await Pool.open(2);
  const { pool, workers } = run;
  pool.accept();
  pool.setServing("held");
  pool.setServing("refused");
  workers[1]!.die("gone");
  await until(() => workers[2]?.told.includes("accept") === true);
  pool.setServing("serving");
  await until(() => workers[2]!.told.includes("serving 0"));
  assertEquals(workers[0]!.told, ["bind", "accept", "held", "refused", "serving 0"]);
  assertEquals(workers[2]!.told, ["refused", "bind", "accept", "serving 0"]);
});

Deno.test("a worker that comes before there is a table tells its clients so, as all do", async () => {
  await using run = await Pool.open(2);
  const { pool, workers } = run;
  pool.acceptLoading();
  workers[1]!.die("gone");
  await until(() => workers[2]?.told.includes("loading") === true);
  pool.accept();
  pool.acceptLoading();
  await until(() => workers[2]!.told.includes("accept"));
  assertEquals(workers[0]!.told, ["bind", "loading", "accept"]);
  assertEquals(workers[2]!.told, ["bind", "loading", "accept"]);
});

Deno.test("clients are served when accept resolves, by every worker that is not dead", async () => {
  await using run = await Pool.open(3);
  const { pool, workers } = run;
  pool.acceptLoading();
  const accepting = pool.accept();
  workers[1]!.die("gone");
  await accepting;
  for (const { told } of [workers[0]!, workers[2]!]) {
    assertEquals(told, ["bind", "loading", "accept"]);
  }
});

Deno.test("a worker that has noticed a pause is only let go by who has heard of it", async () => {
  await using run = await Pool.open(2);
  const { pool, workers } = run;
  pool.accept();
  pool.setServing("serving");
  workers[0]!.pool.notify("paused", 1);
  await until(() => run.pauses() === 1);
  pool.setServing("serving");
  await until(() => workers[0]!.told.includes("serving 1"));
  // Said before the pause was heard of: the worker, which counts 1, takes no notice.
  assertEquals(workers[0]!.told, ["bind", "accept", "serving 0", "serving 1"]);
  assertEquals(workers[1]!.told, ["bind", "accept", "serving 0", "serving 0"]);
});

Deno.test("stats are summed, and what a dead worker has counted is not lost", async () => {
  await using run = await Pool.open(2);
  const { pool, workers } = run;
  Object.assign(workers[0]!, { requests: 100, sessions: 3 });
  Object.assign(workers[1]!, { requests: 10, sessions: 4 });
  const before = await pool.stats();
  assertEquals(before.sum.sessions, 7);
  assertEquals(totalCalls(before.sum), 110);
  assertEquals(before.sum.slots.requests[9], 110);
  assertEquals(before.workers.map(totalCalls), [100, 10]);
  for (let died = 0; died < 2; died++) {
    workers.filter(({ start }) => start.index === 0).at(-1)!.die("gone");
    await until(() => workers.at(-1)!.told.includes("bind") && workers.length === 3 + died);
    await delay(20);
  }
  const after = await pool.stats();
  assertEquals(after.sum.sessions, 4);
  assertEquals(totalCalls(after.sum), 110);
  assertEquals(after.workers.map(totalCalls), [100, 10]);
});

Deno.test("a worker that does not answer is in the stats as it was last seen", async () => {
  await using run = await Pool.open(2);
  const { pool, workers } = run;
  Object.assign(workers[1]!, { requests: 10, sessions: 4 });
  await pool.stats();
  workers[1]!.isStuck = true;
  assertEquals(totalCalls((await pool.stats()).sum), 10);
});

Deno.test("while the proxy stops, no worker begins to listen again", async () => {
  await using run = await Pool.open(2);
  const { pool, workers } = run;
  pool.accept();
  await pool.stopAccepting();
  workers[0]!.die("gone");
  await pool.drainSessions(100);
  await delay(100);
  assertEquals(workers.length, 2);
  assertEquals(workers[1]!.told, ["bind", "accept", "stop", "drain"]);
});

Deno.test("each worker knows of the others' clients, and has its share of the bytes", async () => {
  await using run = await Pool.open(3);
  const { workers } = run;
  assertEquals(
    await workers[1]!.pool.call("listClients", {}),
    "client of 0\nclient of 2\n",
  );
  assertEquals(await workers[1]!.pool.call("killClients", { ids: [5] }), 2);
  assertEquals(workers[2]!.start.plane.router.proxyBufferBytesMax, 10_000_000);
});

Deno.test("a pool that cannot bind its port says so and leaves no worker", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0, reusePort: true });
  const { port } = taken.addr as Deno.NetAddr;
  const workers: FakeWorker[] = [];
  await assertRejects(
    () =>
      WorkerPool.open({ sockets: [{ hostname: "127.0.0.1", port }], proto: "tcp" }, {
        workers: 2,
        router: testOptions(),
        keepAliveMs: 0,
        pauseMs: 60_000,
        spawn() {
          workers.push(new FakeWorker());
          return workers.at(-1)!;
        },
      }, { onPause() {}, changeConfig: () => Promise.resolve("") }),
    Error,
    `cannot listen on 127.0.0.1:${port}`,
  );
  assertEquals(workers.filter(({ isTerminated }) => !isTerminated), []);
});

Deno.test("CLIENT PAUSE is one order for all workers, also for one that takes a dead one's place", async () => {
  await using run = await Pool.open(2);
  const { workers } = run;
  const [a, b] = workers as [FakeWorker, FakeWorker];
  const paused = ({ told }: FakeWorker) => told.filter((line) => line.startsWith("pause"));
  // At the same time: both workers end as the later one says.
  await Promise.all([a.pool.call("pause", "write", 30_000), b.pool.call("pause", null, 0)]);
  assertEquals(paused(a), ["pause write 30", "pause null 0"]);
  assertEquals(paused(b), paused(a));
  await a.pool.call("pause", "write", 30_000);
  // Who asked is dead: the others know of it, and so does who comes.
  const asked = b.pool.call("pause", "all", 5_000);
  b.die("gone");
  await Promise.race([asked, delay(100)]);
  await until(() => workers.length === 3 && workers[2]!.told.includes("bind"));
  const replaced = paused(workers[2]!);
  const [, , ...later] = paused(a);
  assertEquals(replaced, [later.length === 1 ? "pause write 30" : "pause all 30"]);
  await a.pool.call("pause", null, 0);
  assertEquals(paused(workers[2]!).at(-1), "pause null 0");
});
