/**
 * `--wait`: staying until what was queued is done, and every way in which that can end.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import type { MigrationTotals, MigrationView, SlotsView } from "../../../src/api/cluster_view.ts";
import { TASK, VIEW, VIEW_AT } from "../../support/cluster_view.ts";
import { startProgram } from "../../support/proxy_process.ts";
import { type Answer, json, OK, RecordingDashboard } from "../../support/recording_dashboard.ts";

const OTHER: MigrationView = { ...TASK, name: "0000000000", slot_id: 900 };
const FIRST: MigrationView = { ...TASK, name: "0000000001", slot_id: 5 };
const SECOND: MigrationView = { ...TASK, name: "0000000002", slot_id: 6, status: "pending" };

const TOTALS: MigrationTotals = {
  slots_done: 1,
  slots_left: 2,
  keys_moved: 110,
  keys_left: 1_890,
  bytes_moved: 4096,
  keys_per_second: 10,
  bytes_per_second: 1024,
  eta_seconds: 189,
};

const TOLD = "all migrations: 110 keys (4.0 KB) moved, 1890 left, 10 keys/s, 1.0 KB/s, 3 min to go";

/** What was queued before us is there all the time, and nothing that we wait for. */
function view(...migrations: readonly MigrationView[]): Answer {
  return json({ ...VIEW, migrations: [OTHER, ...migrations], migration_totals: TOTALS });
}

/** The view when both have arrived. */
function arrived(): Answer {
  const group = VIEW.slots.group.map((owner, id) => id === 5 || id === 6 ? 2 : owner);
  return json({ ...VIEW, slots: { ...VIEW.slots, group }, migrations: [OTHER] });
}

/** One answer for each look; the last one stays. */
function stepsOf(steps: readonly Answer[]): () => Answer {
  let step = 0;
  return () => steps[Math.min(step++, steps.length - 1)]!;
}

/** A dashboard whose cluster goes through `steps`. */
function dashboardOf(steps: readonly Answer[]): RecordingDashboard {
  return new RecordingDashboard({
    "POST /api/migrate": OK,
    "POST /api/rebalance": OK,
    "GET /api/cluster": stepsOf(steps),
  });
}

function start(dashboard: RecordingDashboard, ...words: string[]) {
  return startProgram(["config", `--dashboard=${dashboard.addr}`, ...words]);
}

const MIGRATE = ["slot", "migrate", "5", "6", "2", "--wait"];

const DONE = '{\n  "msg": "OK",\n  "ret": 0\n}\n';

Deno.test("--wait stays until the tasks that it queued are gone, and only those", async () => {
  await using dashboard = dashboardOf([view(), view(FIRST, SECOND), view(SECOND), arrived()]);
  const child = start(dashboard, ...MIGRATE);
  const { code } = await child.ended;
  assertEquals([code, child.stdout], [0, DONE]);
  assertEquals(child.stderr, "waiting for 2 tasks; Ctrl-C leaves them running\n");
  assertEquals(dashboard.requests, [
    "GET /api/cluster",
    'POST /api/migrate {"from":5,"to":6,"new_group":2,"delay":0}',
    ...Array(3).fill("GET /api/cluster"),
  ]);
});

Deno.test("--wait takes no notice of what somebody else queues at the same time", async () => {
  // Queued between our looks, it does not move; and of ours, one is done before we look.
  const problem = "redis-9:6379: connection refused";
  const theirs = { ...TASK, name: "0000000003", slot_id: 700, to_group: 9, status: "error" };
  const stuck = { ...theirs, problem, problem_since: VIEW_AT - 61_000 } as MigrationView;
  const owners = VIEW.slots.group;
  const here = (...slotIds: readonly number[]) => ({
    ...VIEW.slots,
    group: owners.map((owner, id) => slotIds.includes(id) ? 2 : owner),
  });
  const moves = [{ from_slot: 5, to_slot: 6, from_group: 1, to_group: 2 }];
  for (const words of [MIGRATE, ["slot", "rebalance", "--wait"]]) {
    await using dashboard = new RecordingDashboard({
      "POST /api/migrate": OK,
      "POST /api/rebalance": json({ msg: "OK", ret: 0, slots: 2, moves }),
      "GET /api/cluster": stepsOf([
        view(),
        json({ ...VIEW, slots: here(5), migrations: [OTHER, stuck, SECOND] }),
        json({ ...VIEW, slots: here(5, 6), migrations: [OTHER, stuck] }),
      ]),
    });
    const child = start(dashboard, ...words, "--output=table");
    const { code } = await child.ended;
    assertEquals([code, child.stdout], [0, "2 slots moved\n"], child.stderr);
    assertStringIncludes(child.stderr, "waiting for 2 tasks;");
    assertEquals(child.stderr.includes(problem), false);
  }
});

Deno.test("--wait does not mind that somebody moves a slot on that has arrived", async () => {
  const group = VIEW.slots.group.map((owner, id) => id === 5 ? 2 : owner);
  await using dashboard = dashboardOf([
    view(),
    view(FIRST, SECOND),
    json({ ...VIEW, slots: { ...VIEW.slots, group }, migrations: [OTHER, SECOND] }),
    json({
      ...VIEW,
      slots: {
        ...VIEW.slots,
        group: group.map((owner, id) => id === 5 ? 9 : id === 6 ? 2 : owner),
      },
      migrations: [OTHER],
    }),
  ]);
  const child = start(dashboard, ...MIGRATE);
  assertEquals((await child.ended).code, 0, child.stderr);
});

Deno.test("--wait tells every few seconds how far it is, and what keeps it", async () => {
  // Also of one that has not begun: nobody is there to begin with.
  const problem = "redis-3:6379: connection refused";
  const stuck = { ...SECOND, problem, problem_since: VIEW_AT };
  const waiting = Array<Answer>(6).fill(view(stuck));
  await using dashboard = dashboardOf([view(), view(FIRST, SECOND), ...waiting, arrived()]);
  const child = start(dashboard, ...MIGRATE);
  assertEquals((await child.ended).code, 0);
  // One line, or one more where the machine is slow.
  const [, ...lines] = child.stderr.trimEnd().split("\n");
  assertEquals(new Set(lines), new Set([`1/2  ${TOLD}; slot 6: ${problem}`]));
});

Deno.test("--wait goes on when another dashboard takes over meanwhile", async () => {
  const away = { status: 503, body: '{"error":"no leader yet"}' };
  await using dashboard = dashboardOf([view(), view(FIRST, SECOND), away, arrived()]);
  const child = start(dashboard, "slot", "rebalance", "--wait");
  assertEquals((await child.ended).code, 0);
  assertStringIncludes(child.stderr, "dashboard answered 503: no leader yet; trying again\n");
  assertEquals(child.stdout, DONE);
});

Deno.test("--wait goes on when the dashboard cannot ask its coordinator for a moment", async () => {
  const fails = { status: 500, body: '{"error":"etcd is silent"}' };
  await using dashboard = dashboardOf([view(), view(FIRST, SECOND), fails, arrived()]);
  const child = start(dashboard, "slot", "rebalance", "--wait");
  assertEquals((await child.ended).code, 0, child.stderr);
  assertStringIncludes(child.stderr, "dashboard answered 500: etcd is silent; trying again\n");
  assertEquals(child.stdout, DONE);
});

Deno.test("--wait has nothing to wait for when nothing had to be queued", async () => {
  await using dashboard = dashboardOf([view()]);
  const child = start(dashboard, "slot", "rebalance", "--wait", "--output=table");
  assertEquals((await child.ended).code, 0);
  assertEquals([child.stdout, child.stderr], ["0 slots moved\n", ""]);
});

Deno.test("--wait gives up when a task stands still for more than a minute, and says why", async () => {
  const problem = "redis-3:6379: connection refused";
  // Also when it has not begun: what keeps it, its target for one, may be so from the first moment on.
  for (const status of ["error", "pending"] as const) {
    const stuck = { ...FIRST, status, problem, problem_since: VIEW_AT - 61_000 };
    await using dashboard = dashboardOf([view(), view(stuck, SECOND)]);
    const child = start(dashboard, ...MIGRATE);
    const { code } = await child.ended;
    assertEquals([code, child.stdout], [1, ""]);
    assertEquals(
      child.stderr.split("\n").at(-2),
      `codis-proxy: slot 5 has not moved to group 2 for 61 s: ${problem}; ` +
        "the migration continues; `codis-proxy config slot cancel` cancels it",
    );
  }
});

Deno.test("--wait has patience with migrations that are paused, and says that they are", async () => {
  const paused = json({
    ...VIEW,
    migrations: [
      { ...FIRST, status: "error", problem: "down", problem_since: VIEW_AT - 600_000 },
      SECOND,
    ],
    migrations_paused_since: VIEW_AT - 600_000,
  });
  await using dashboard = dashboardOf([view(), ...Array<Answer>(7).fill(paused), arrived()]);
  const child = start(dashboard, ...MIGRATE);
  assertEquals((await child.ended).code, 0);
  assertStringIncludes(
    child.stderr,
    "0/2  migrations are paused; `codis-proxy config slot resume` resumes them\n",
  );
});

Deno.test("--wait does not call done what somebody has cancelled, and names all of it", async () => {
  await using dashboard = dashboardOf([view(), view(FIRST, SECOND), view()]);
  const child = start(dashboard, ...MIGRATE);
  const { code } = await child.ended;
  assertEquals([code, child.stdout], [1, ""]);
  assertEquals(
    child.stderr.split("\n").at(-2),
    "codis-proxy: slots 5-6 are not in group 2: their tasks were cancelled",
  );
});

/** A look at slots 5 and 6 with our tasks, and where they are. */
function seen(slots: SlotsAt, ...migrations: readonly MigrationView[]): Answer {
  return json({ ...VIEW, slots: slotsAt(slots), migrations: [OTHER, ...migrations] });
}

/** The group and the state of slots, and where the keys of those come from that migrate. */
type SlotsAt = Readonly<Record<number, readonly [group: number, letter: string, from?: number]>>;

function slotsAt(slots: SlotsAt): SlotsView {
  const froms = Object.entries(slots).filter(([, [, , from]]) => from !== undefined);
  return {
    ...VIEW.slots,
    group: VIEW.slots.group.map((owner, id) => slots[id]?.[0] ?? owner),
    status: [...VIEW.slots.status].map((letter, id) => slots[id]?.[1] ?? letter).join(""),
    from: Object.fromEntries(froms.map(([id, [, , from]]) => [id, from!])),
  };
}

const FORWARD = [2, "m", 1] as const;
const BACKWARD = [1, "m", 2] as const;
const HERE = [2, "o"] as const;
const BACK_AGAIN = [1, "o"] as const;
/** The first task, after a cancel. */
const TURNED: MigrationView = { ...FIRST, to_group: 1, phase: "moving back" };

Deno.test("--wait fails when a slot that was moving is cancelled, after it is back", async () => {
  // From the moment of the cancel on; or a look misses how it went back; or not even that it moved.
  const ways: readonly (readonly Answer[])[] = [
    [
      seen({ 5: FORWARD, 6: FORWARD }, FIRST, SECOND),
      seen({ 5: FORWARD, 6: HERE }, TURNED),
      seen({ 5: [2, "p"], 6: HERE }, TURNED),
      seen({ 5: BACKWARD, 6: HERE }, TURNED),
    ],
    [seen({ 5: FORWARD, 6: FORWARD }, TURNED, SECOND)],
    [seen({ 5: FORWARD, 6: FORWARD }, FIRST, SECOND)],
    [seen({ 5: [1, "p"], 6: FORWARD }, FIRST, SECOND)],
  ];
  for (const way of ways) {
    await using dashboard = dashboardOf([view(), ...way, seen({ 5: BACK_AGAIN, 6: HERE })]);
    const child = start(dashboard, ...MIGRATE);
    const { code } = await child.ended;
    assertEquals([code, child.stdout], [1, ""], child.stderr);
    const lines = child.stderr.trimEnd().split("\n");
    assertEquals(lines.at(-1), "codis-proxy: slot 5 is not in group 2: its task was cancelled");
    const told = lines.filter((line) => line.startsWith("task was cancelled: "));
    const isSeen = way.some(({ body }) => body.includes("moving back"));
    assertEquals(told, isSeen ? ["task was cancelled: slot 5 moves back to group 1"] : []);
    // One before the tasks are queued, then every look until it is back.
    assertEquals(
      dashboard.requests.filter((path) => path.startsWith("GET")).length,
      2 + way.length,
    );
  }
});

Deno.test("--wait is content with a slot that was cancelled twice, and arrives after all", async () => {
  await using dashboard = dashboardOf([
    view(),
    seen({ 5: FORWARD, 6: FORWARD }, FIRST, SECOND),
    seen({ 5: BACKWARD, 6: HERE }, TURNED),
    seen({ 5: FORWARD, 6: HERE }, FIRST),
    seen({ 5: HERE, 6: HERE }),
  ]);
  const child = start(dashboard, ...MIGRATE);
  assertEquals([(await child.ended).code, child.stdout], [0, DONE], child.stderr);
});

Deno.test("--wait does not mind what becomes of a slot that has arrived, seen there or not", async () => {
  const theirs = { ...FIRST, name: "0000000009", to_group: 9 };
  for (
    const moved of [
      seen({ 5: HERE, 6: HERE }, theirs),
      seen({ 5: [2, "p"], 6: HERE }, theirs),
      seen({ 5: [9, "m", 2], 6: HERE }, theirs),
    ]
  ) {
    await using dashboard = dashboardOf([
      view(),
      seen({ 5: FORWARD, 6: FORWARD }, FIRST, SECOND),
      moved,
    ]);
    const child = start(dashboard, ...MIGRATE);
    assertEquals([(await child.ended).code, child.stdout], [0, DONE], child.stderr);
  }
});

Deno.test("--wait calls a slot cancelled that another task takes there, or elsewhere, later", async () => {
  const theirs = { ...FIRST, name: "0000000009" };
  for (
    const taken of [
      seen({ 5: BACK_AGAIN, 6: HERE }, theirs),
      seen({ 5: FORWARD, 6: HERE }, theirs),
      seen({ 5: [9, "m", 1], 6: HERE }, { ...theirs, to_group: 9 }),
    ]
  ) {
    await using dashboard = dashboardOf([
      view(),
      seen({ 5: FORWARD, 6: FORWARD }, FIRST, SECOND),
      seen({ 5: BACKWARD, 6: HERE }, TURNED),
      taken,
    ]);
    const child = start(dashboard, ...MIGRATE);
    assertEquals([(await child.ended).code, child.stdout], [1, ""]);
    assertStringIncludes(child.stderr, "slot 5 is not in group 2: its task was cancelled");
  }
});

Deno.test("--wait is not over while a slot migrates, though its task cannot be seen just now", async () => {
  await using dashboard = dashboardOf([
    view(),
    seen({ 5: FORWARD, 6: FORWARD }, FIRST, SECOND),
    seen({ 5: FORWARD, 6: HERE }),
    seen({ 5: FORWARD, 6: HERE }, FIRST),
    seen({ 5: HERE, 6: HERE }),
  ]);
  const child = start(dashboard, ...MIGRATE);
  assertEquals([(await child.ended).code, child.stdout], [0, DONE], child.stderr);
  assertEquals(dashboard.requests.filter((path) => path.startsWith("GET")).length, 5);
});

Deno.test("--wait knows a task that goes back also where the dashboard does not say what moves", async () => {
  for (const slot of [FORWARD, BACKWARD, [2, "p"] as const]) {
    await using dashboard = dashboardOf([
      view(),
      seen({ 5: slot }, TURNED),
      seen({ 5: BACK_AGAIN }),
    ]);
    const child = start(dashboard, "slot", "rebalance", "--wait");
    assertEquals([(await child.ended).code, child.stdout], [1, ""], child.stderr);
    assertStringIncludes(child.stderr, "slot 5 is not in group 2: its task was cancelled");
  }
});

Deno.test("Ctrl-C ends the wait and leaves the migration running, and says so", async () => {
  await using dashboard = dashboardOf([view(), view(FIRST, SECOND)]);
  const child = start(dashboard, ...MIGRATE);
  await child.waitFor(() => child.stderr.includes("waiting for 2 tasks"));
  const { code } = await child.end("SIGINT");
  assertEquals([code, child.stdout], [130, ""]);
  assertEquals(
    child.stderr.split("\n").at(-2),
    "2 tasks of 2 left; the migration continues; " +
      "`codis-proxy config slot cancel` cancels it",
  );
  assertEquals(dashboard.requests.filter((request) => !request.startsWith("GET")), [
    'POST /api/migrate {"from":5,"to":6,"new_group":2,"delay":0}',
  ]);
});

Deno.test("--wait queues nothing where the dashboard cannot tell how far it is", async () => {
  await using dashboard = new RecordingDashboard({ "POST /api/migrate": OK });
  const child = start(dashboard, ...MIGRATE);
  assertEquals((await child.ended).code, 1);
  assertEquals(dashboard.requests, ["GET /api/cluster"]);
});
