/**
 * The config commands as their users run them: what each asks of the dashboard, what it prints, and
 * what becomes of every failure.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { encodeDashboard } from "../../../src/model/dashboard.ts";
import { slotIn, type SlotStatus } from "../../../src/model/slot.ts";
import type { Child } from "../../support/child.ts";
import { callCli, type Ended } from "../../support/cli_call.ts";
import { VIEW, VIEW_AT } from "../../support/cluster_view.ts";
import { freePort } from "../../support/free_port.ts";
import { startProgram } from "../../support/proxy_process.ts";
import { type Answerer, json, OK, RecordingDashboard } from "../../support/recording_dashboard.ts";
import { StoreFolder } from "../../support/store.ts";

async function endOf(child: Child): Promise<Ended> {
  const { code } = await child.ended;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

/** Runs `codis-proxy config`; a program of its own each time, without a terminal: it prints JSON. */
async function config(...args: string[]): Promise<Ended> {
  return await endOf(startProgram(["config", ...args]));
}

function slots(group: number, status: SlotStatus, ...ids: number[]) {
  return ids.map((id) => slotIn("test", id, group, status));
}

const GROUPS = [
  {
    id: 2,
    product_name: "test",
    servers: [{ type: "master", group_id: 2, addr: "redis-3:6379" }],
  },
  {
    id: 1,
    product_name: "test",
    servers: [
      { type: "master", group_id: 1, addr: "redis-1:6379" },
      { type: "slave", group_id: 1, addr: "redis-2:6379" },
    ],
  },
  { id: 3, product_name: "test", servers: null },
];

/** What follows tasks that were queued: are migrations paused? */
const LOOK = "GET /api/cluster";

const PROXIES = [{
  id: "proxy_1",
  addr: "proxy-1:19000",
  last_event: "",
  last_event_ts: 0,
  state: "online",
  description: "<b>&",
  debug_var_addr: "proxy-1:11000",
  pid: 42,
  start_at: "2026-11-24 05:00:00 +0000 UTC",
}];

const ACTIONS = [{
  name: "0000000007",
  type: "slot_changed",
  summary: "slot 5 → group 2, online",
  created_at: VIEW_AT,
  receivers: ["proxy_1", "proxy_2"],
  answers: [{ proxy_id: "proxy_1", after_ms: 3 }],
}];

const PLAN = {
  moves: [{ from_slot: 0, to_slot: 9, from_group: 1, to_group: 2 }],
  slots: 10,
};

/** What codis-config prints after a change. */
const DONE = '{\n  "msg": "OK",\n  "ret": 0\n}\n';

interface Row {
  /** Words behind `config`. */
  readonly words: string;
  /** What the dashboard must have been asked, in order. */
  readonly asks: readonly string[];
  /** What it answers; `OK` when left out. */
  readonly answer?: Answerer;
  /** What is printed for programs; `DONE` when left out. */
  readonly json?: string;
  /** What is printed for people. */
  readonly table: string;
}

const ROWS: readonly Row[] = [
  {
    words: "server list",
    asks: ["GET /api/server_groups"],
    answer: json(GROUPS.slice(0, 1)),
    json: `[
  {
    "id": 2,
    "product_name": "test",
    "servers": [
      {
        "addr": "redis-3:6379",
        "group_id": 2,
        "type": "master"
      }
    ]
  }
]
`,
    table: "GROUP  ROLE    SERVER\n2      master  redis-3:6379\n",
  },
  {
    words: "server list ",
    asks: ["GET /api/server_groups"],
    answer: json(null),
    json: "null\n",
    table: "there are no groups yet: `codis-proxy config server add` creates one\n",
  },
  {
    words: "server add 3 redis-5:6379 master",
    asks: [
      'PUT /api/server_group/3/addServer {"type":"master","group_id":3,"addr":"redis-5:6379"}',
    ],
    table: "redis-5:6379 added to group 3\n",
  },
  {
    words: "server add 3 redis-5:6379 slave --force",
    asks: [
      "PUT /api/server_group/3/addServer " +
      '{"type":"slave","group_id":3,"addr":"redis-5:6379","force":true}',
    ],
    table: "redis-5:6379 added to group 3\n",
  },
  {
    words: "group switch 3",
    asks: ["POST /api/server_group/3/switch {}"],
    answer: json({ msg: "OK", ret: 0, addr: "redis-5:6379" }),
    json: '{\n  "addr": "redis-5:6379",\n  "msg": "OK",\n  "ret": 0\n}\n',
    table: "redis-5:6379 is the master of group 3\n",
  },
  {
    words: "group drain 3 --delay=5",
    asks: ['POST /api/server_group/3/drain {"delay":5}', LOOK],
    table: "queued; `codis-proxy config status` shows the progress\n",
  },
  {
    words: "group drain 1 --dry-run",
    asks: [LOOK, 'POST /api/server_group/1/drain {"dry_run":true}'],
    answer: json({ moves: [], slots: 0 }),
    json: '{\n  "moves": [],\n  "slots": 0\n}\n',
    table: "nothing to move: every group has its share of slots\n",
  },
  {
    words: "slot drain 3 --delay=5",
    asks: ['POST /api/server_group/3/drain {"delay":5}', LOOK],
    table: "queued; `codis-proxy config status` shows the progress\n",
  },
  {
    words: "slot pause",
    asks: ["POST /api/migrate/pause"],
    table: "migrations are paused until `codis-proxy config slot resume`\n",
  },
  {
    words: "slot resume",
    asks: ["POST /api/migrate/resume"],
    table: "migrations resumed\n",
  },
  {
    words: "command allow Ft.Search key=1",
    asks: ['POST /api/commands/allowed {"name":"ft.search","way":"key=1"}'],
    table: "FT.SEARCH is allowed, sent by key=1\n",
  },
  {
    words: "command remove ft.config|get",
    asks: ["DELETE /api/commands/allowed/ft.config%7Cget"],
    table: "FT.CONFIG GET is not allowed any more\n",
  },
  {
    words: "server remove 1 [::1]:6380",
    asks: ['PUT /api/server_group/1/removeServer {"addr":"[::1]:6380"}'],
    table: "[::1]:6380 removed from group 1\n",
  },
  {
    words: "server promote 1 redis-2:6379",
    asks: ['POST /api/server_group/1/promote {"addr":"redis-2:6379","group_id":1}'],
    table: "redis-2:6379 is the master of group 1\n",
  },
  {
    words: "server promote 1 redis-2:6379 --force",
    asks: ['POST /api/server_group/1/promote {"addr":"redis-2:6379","group_id":1,"force":true}'],
    table: "redis-2:6379 is the master of group 1\n",
  },
  {
    words: "server add-group 3",
    asks: ['PUT /api/server_groups {"id":3}'],
    table: "group 3 added\n",
  },
  {
    words: "server remove-group 3",
    asks: ["DELETE /api/server_group/3"],
    table: "group 3 removed\n",
  },
  {
    words: "slot list",
    asks: ["GET /api/slots"],
    answer: json([...slots(2, "online", 2), ...slots(1, "online", 0, 1)]),
    table: "0-1  group 1  online\n2    group 2  online\n",
    json: JSON.stringify(
      [...slots(1, "online", 0, 1), ...slots(2, "online", 2)].map((slot) => ({
        group_id: slot.group_id,
        id: slot.id,
        product_name: slot.product_name,
        state: {
          last_op_ts: "0",
          migrate_status: { from: -1, to: -1 },
          status: "online",
        },
      })),
      null,
      2,
    ) + "\n",
  },
  {
    words: "slot info 7",
    asks: ["GET /api/slot/7"],
    answer: json(slots(1, "online", 7)[0]),
    json: `{
  "group_id": 1,
  "id": 7,
  "product_name": "test",
  "state": {
    "last_op_ts": "0",
    "migrate_status": {
      "from": -1,
      "to": -1
    },
    "status": "online"
  }
}
`,
    table: "slot      7\nproduct   test\ngroup     1\nstatus    online\nmigrates  no\n",
  },
  {
    words: "slot init",
    asks: ["POST /api/slots/init"],
    table: "1024 slots created, offline and without a group\n",
  },
  {
    words: "slot init -f",
    asks: ["POST /api/slots/init?is_force=1"],
    table: "1024 slots created, offline and without a group\n",
  },
  {
    words: "slot set 5 2 online",
    asks: ['POST /api/slot {"from":5,"to":5,"new_group":2,"status":"online"}'],
    table: "slot 5 set: group 2, online\n",
  },
  {
    words: "slot range-set 0 511 1 offline",
    asks: ['POST /api/slot {"from":0,"to":511,"new_group":1,"status":"offline"}'],
    table: "slots 0-511 set: group 1, offline\n",
  },
  {
    words: "slot migrate 0 511 2 --delay=10",
    asks: ['POST /api/migrate {"from":0,"to":511,"new_group":2,"delay":10}', LOOK],
    table: "512 tasks queued: slots 0-511 → group 2\n",
  },
  {
    words: "slot migrate 7 7 2",
    asks: ['POST /api/migrate {"from":7,"to":7,"new_group":2,"delay":0}', LOOK],
    table: "1 task queued: slot 7 → group 2\n",
  },
  {
    words: "slot rule test bull:mail:wait",
    asks: ["GET /api/slot_rules/test?key=bull%3Amail%3Await"],
    answer: json({
      ...{ key: "bull:mail:wait", slot: 187, group: 1, by: "rule", part: "bull:mail" },
      rule: { pattern: "bull:*:", tag: "" },
    }),
    json: `{
  "by": "rule",
  "group": 1,
  "key": "bull:mail:wait",
  "part": "bull:mail",
  "rule": {
    "pattern": "bull:*:",
    "tag": ""
  },
  "slot": 187
}
`,
    table: "key    bull:mail:wait\nslot   187\ngroup  1\n" +
      'by     slot rule "bull:*:", as {bull:mail}\n',
  },
  {
    words: "slot rebalance",
    asks: ["POST /api/rebalance", LOOK],
    table: "queued; `codis-proxy config status` shows the progress\n",
  },
  {
    words: "slot rebalance --by=slots",
    asks: ['POST /api/rebalance {"by":"slots"}', LOOK],
    answer: json({ msg: "OK", ret: 0, slots: 0 }),
    json: '{\n  "msg": "OK",\n  "ret": 0,\n  "slots": 0\n}\n',
    table: "nothing to move: every group has its share of slots\n",
  },
  {
    words: "slot rebalance --by=memory --delay 5",
    asks: ['POST /api/rebalance {"by":"memory","delay":5}', LOOK],
    table: "queued; `codis-proxy config status` shows the progress\n",
  },
  {
    words: "slot rebalance --dry-run --by slots",
    asks: [LOOK, 'POST /api/rebalance {"dry_run":true,"by":"slots"}'],
    answer: json(PLAN),
    json: `{
  "moves": [
    {
      "from_group": 1,
      "from_slot": 0,
      "to_group": 2,
      "to_slot": 9
    }
  ],
  "slots": 10
}
`,
    table: "SLOTS  FROM     TO\n0-9    group 1  group 2\n10 slots would move\n",
  },
  {
    words: "slot rebalance --dry-run --by=ops",
    asks: [LOOK, 'POST /api/rebalance {"dry_run":true,"by":"ops"}'],
    answer: json({ ...PLAN, loads: [{ group_id: 1, ops_before: 900, ops_after: 500 }] }),
    json: `{
  "loads": [
    {
      "group_id": 1,
      "ops_after": 500,
      "ops_before": 900
    }
  ],
  "moves": [
    {
      "from_group": 1,
      "from_slot": 0,
      "to_group": 2,
      "to_slot": 9
    }
  ],
  "slots": 10
}
`,
    table: "SLOTS  FROM     TO\n0-9    group 1  group 2\n10 slots would move\n\n" +
      "         REQUESTS/S NOW  AFTER\ngroup 1             900    500\n",
  },
  {
    words: "slot cancel",
    asks: ["POST /api/migrate/cancel"],
    table: "all tasks cancelled\n",
  },
  {
    words: "slot cancel --finish",
    asks: ['POST /api/migrate/cancel {"mode":"finish"}'],
    table: "all tasks cancelled; slots whose migration has started will finish\n",
  },
  {
    words: "slot cancel 0000000012 --back",
    asks: ['DELETE /api/migrate/tasks/0000000012 {"mode":"back"}'],
    table: "task 0000000012 cancelled; slots whose migration has started move back\n",
  },
  {
    words: "slot cancel 0000000012",
    asks: ["DELETE /api/migrate/tasks/0000000012"],
    table: "task 0000000012 cancelled\n",
  },
  {
    words: "proxy list",
    asks: ["GET /api/proxy/list"],
    answer: json(PROXIES),
    json: `[
  {
    "addr": "proxy-1:19000",
    "debug_var_addr": "proxy-1:11000",
    "description": "\\u003cb\\u003e\\u0026",
    "id": "proxy_1",
    "last_event": "",
    "last_event_ts": 0,
    "pid": 42,
    "start_at": "2026-11-24 05:00:00 +0000 UTC",
    "state": "online"
  }
]
`,
    table: "PROXY    ADDRESS        STATE   HTTP           PID  STARTED\n" +
      "proxy_1  proxy-1:19000  online  proxy-1:11000  42   2026-11-24 05:00:00 +0000 UTC\n",
  },
  {
    words: "proxy online proxy_1",
    asks: [
      'POST /api/proxy {"id":"proxy_1","addr":"","last_event":"","last_event_ts":0,' +
      '"state":"online","description":"","debug_var_addr":"","pid":0,"start_at":""}',
    ],
    table: "proxy proxy_1 is online\n",
  },
  {
    words: "action list",
    asks: ["GET /api/cluster"],
    answer: json({ ...VIEW, actions: ACTIONS }),
    json: `[
  {
    "answers": [
      {
        "after_ms": 3,
        "proxy_id": "proxy_1"
      }
    ],
    "created_at": ${VIEW_AT},
    "name": "0000000007",
    "receivers": [
      "proxy_1",
      "proxy_2"
    ],
    "summary": "slot 5 → group 2, online",
    "type": "slot_changed"
  }
]
`,
    table: "ACTION      MADE                      WHAT                      CONFIRMED\n" +
      "0000000007  2026-11-24T06:00:00.000Z  slot 5 → group 2, online  1 of 2, not by proxy_2\n",
  },
  {
    words: "action gc -n 100",
    asks: ["POST /api/action/gc?keep=100"],
    table: "old actions removed\n",
  },
  {
    words: "action gc -s 3600",
    asks: ["POST /api/action/gc?secs=3600"],
    table: "old actions removed\n",
  },
  {
    words: "action remove-lock",
    asks: ["POST /api/force_remove_locks"],
    table: "no lock is left\n",
  },
  {
    words: "action remove-fence",
    asks: ["POST /api/remove_fence"],
    table: "no fence is left without an online proxy\n",
  },
];

for (const { words, asks, answer = OK, json: printed = DONE, table } of ROWS) {
  Deno.test(`config ${words}: asks the dashboard, and prints what it says`, async () => {
    const answers = Object.fromEntries(
      asks.map((ask) => [ask.split(" ").slice(0, 2).join(" "), answer]),
    );
    await using dashboard = new RecordingDashboard(answers);
    const args = [`--dashboard=${dashboard.addr}`, ...words.trim().split(" ")];
    const forPrograms = await callCli("config", ...args, "--output=json");
    assertEquals(forPrograms, { code: 0, stdout: printed, stderr: "" });
    assertEquals(dashboard.requests, asks);
    const forPeople = await callCli("config", ...args, "--output=table");
    assertEquals(forPeople, { code: 0, stdout: table, stderr: "" });
    assertEquals(dashboard.requests, [...asks, ...asks]);
  });
}

Deno.test("config slot migrate: says so when migrations are paused", async () => {
  await using dashboard = new RecordingDashboard({
    "POST /api/migrate": OK,
    "GET /api/cluster": json({ ...VIEW, migrations_paused_since: VIEW_AT }),
  });
  const words = ["slot", "migrate", "7", "7", "2", "--output=table"];
  assertEquals(await config(`--dashboard=${dashboard.addr}`, ...words), {
    code: 0,
    stdout: "1 task queued: slot 7 → group 2; migrations are paused; " +
      "`codis-proxy config slot resume` resumes them\n",
    stderr: "",
  });
});

Deno.test("config slot migrate: names the proxy that keeps tasks waiting", async () => {
  await using dashboard = new RecordingDashboard({
    "POST /api/migrate": OK,
    "GET /api/cluster": json({ ...VIEW, dead_fences: ["10.0.0.9:19000"] }),
  });
  const words = ["slot", "migrate", "7", "7", "2", "--output=table"];
  assertEquals(await config(`--dashboard=${dashboard.addr}`, ...words), {
    code: 0,
    stdout: "1 task queued: slot 7 → group 2\n" +
      "nothing moves: proxy 10.0.0.9:19000 has a fence and is not online; set it online, or, " +
      "if its process is gone, run `codis-proxy config action remove-fence`\n",
    stderr: "",
  });
});

Deno.test("config proxy offline: a proxy that is not registered is not said to have ended", async () => {
  await using dashboard = new RecordingDashboard({
    "GET /api/proxy/list": json(PROXIES),
    "POST /api/proxy": OK,
  });
  const at = [`--dashboard=${dashboard.addr}`, "--output=table", "proxy", "offline"];
  assertEquals(await config(...at, "nosuch"), {
    code: 1,
    stdout: "",
    stderr: "codis-proxy: proxy nosuch is not registered (registered: proxy_1)\n",
  });
  assertEquals(dashboard.requests.splice(0), ["GET /api/proxy/list"]);
  assertEquals(await config(...at, "proxy_1"), {
    code: 0,
    stdout: "proxy proxy_1 is offline and has stopped\n",
    stderr: "",
  });
  assertEquals(dashboard.requests, [
    "GET /api/proxy/list",
    'POST /api/proxy {"id":"proxy_1","addr":"","last_event":"","last_event_ts":0,' +
    '"state":"mark_offline","description":"","debug_var_addr":"","pid":0,"start_at":""}',
  ]);
});

Deno.test("config slot rebalance --dry-run: asks nothing of a dashboard of Codis 2.0, which would move slots", async () => {
  await using dashboard = new RecordingDashboard({ "POST /api/rebalance": OK });
  const words = ["slot", "rebalance", "--dry-run"];
  const { code, stderr } = await config(`--dashboard=${dashboard.addr}`, ...words);
  assertEquals([code, dashboard.requests], [1, ["GET /api/cluster"]]);
  assertStringIncludes(stderr, "a dashboard of Codis 2.0 has no dry run, and would move slots");
});

Deno.test("config slot rebalance: a refusal for want of maxmemory says what else can be done", async () => {
  const body = "redis a:1 should set maxmemory";
  await using dashboard = new RecordingDashboard({ "POST /api/rebalance": { status: 500, body } });
  const { stderr } = await config(`--dashboard=${dashboard.addr}`, "slot", "rebalance");
  const choice = "or use --by=slots";
  assertEquals(stderr, `codis-proxy: dashboard answered 500: ${body}; ${choice}\n`);
});

Deno.test("config status: JSON is the whole view, the table is one screen", async () => {
  await using dashboard = new RecordingDashboard({ "GET /api/cluster?fresh=yes": json(VIEW) });
  const at = `--dashboard=${dashboard.addr}`;
  const printed = await config(at, "status");
  assertEquals(JSON.parse(printed.stdout), VIEW);
  const { code, stdout } = await config(at, "status", "--output=table");
  assertEquals(code, 0);
  for (const piece of ["dash-1:18087", "redis-3:6379", "down for 7 s", "slots 0-511", "proxy_1"]) {
    assertStringIncludes(stdout, piece);
  }
  assert(stdout.split("\n").length <= 24, stdout);
});

Deno.test("config: a mistake is answered in one line, before anything is asked", async () => {
  await using dashboard = new RecordingDashboard();
  assertEquals(
    await config(`--dashboard=${dashboard.addr}`, "slot", "set", "1024", "1", "online"),
    {
      code: 1,
      stdout: "",
      stderr: 'codis-proxy: bad <slot_id>: "1024" is not a slot: a whole number, 0 to 1023\n',
    },
  );
  assertEquals(dashboard.requests, []);
});

// -- failures of the dashboard --

const REFUSALS: readonly { name: string; answer: Answerer; complaint: string }[] = [
  {
    name: "500 with Codis 2.0's text",
    answer: { status: 500, body: "group already exists" },
    complaint: "dashboard answered 500: group already exists",
  },
  {
    name: "500 with Codis 2.0's text that says nothing of what to do",
    answer: { status: 500, body: "node already exists" },
    complaint:
      "dashboard answered 500: node already exists; the group has a master: add this server as a " +
      "slave, and promote it if it is to be the master",
  },
  {
    name: "500 with a text of several lines",
    answer: { status: 500, body: 'slot {\n  "id": 1\n} is not online or migrate' },
    complaint: 'dashboard answered 500: slot { "id": 1 } is not online or migrate; ' +
      "`codis-proxy config check` says how to mend such slots",
  },
  {
    name: "500 because of a proxy that was killed",
    answer: { status: 500, body: "Some proxies may not stop cleanly: a:9000" },
    complaint:
      "dashboard answered 500: Some proxies may not stop cleanly: a:9000; start them again " +
      "or, if they have surely ended, `codis-proxy config action remove-fence`",
  },
  {
    name: "400 with field and rule",
    answer: {
      status: 400,
      body: '{"error":"bad request","field":"id","rule":"a whole number from 1"}',
    },
    complaint: "dashboard answered 400: bad request (id: a whole number from 1)",
  },
  {
    name: "401",
    answer: { status: 401, body: '{"error":"token missing or wrong"}' },
    complaint: "dashboard answered 401: token missing or wrong; " +
      "set dashboard_token to the token of the dashboard",
  },
  {
    name: "something that is no dashboard",
    answer: { body: "<html>hello</html>" },
    complaint: "does not answer PUT /api/server_groups as a dashboard does: " +
      "not JSON: <html>hello</html>; start `codis-proxy dashboard`, or set dashboard_addr or " +
      "--dashboard to its address",
  },
  {
    name: "Codis 2.0's dashboard",
    answer: { status: 404, body: "404 page not found\n" },
    complaint:
      "does not know PUT /api/server_groups: it is Codis 2.0's dashboard, or none; stop it, and " +
      "start `codis-proxy dashboard`, or set dashboard_addr or --dashboard to its address\n",
  },
  {
    name: "503 that knows no leader",
    answer: { status: 503, body: '{"error":"no leader yet"}' },
    complaint: "dashboard answered 503: no leader yet",
  },
];

for (const { name, answer, complaint } of REFUSALS) {
  Deno.test(`config: a refusal is told in one line: ${name}`, async () => {
    await using dashboard = new RecordingDashboard({ "PUT /api/server_groups": answer });
    const { code, stdout, stderr } = await config(
      ...[`--dashboard=${dashboard.addr}`, "--dashboard-wait=0"],
      ...["server", "add-group", "3"],
    );
    assertEquals([code, stdout], [1, ""]);
    assertEquals(stderr.trimEnd().split("\n").length, 1, stderr);
    assertStringIncludes(stderr, complaint);
  });
}

Deno.test("config: a file that cannot be read or written is told in words, by the name that was given", async () => {
  await using folder = await StoreFolder.make();
  await folder.openFilled("a:1");
  const ini = `${folder.dir}/config.ini`;
  await Deno.writeTextFile(ini, `${folder.config}\nproduct = test\n`);
  await using dashboard = new RecordingDashboard({});
  const none = `${folder.dir}/none`;
  const at = `--dashboard=${dashboard.addr}`;
  for (
    const [words, said] of [
      [["-c", ini, "dump", `${none}/x`], `${none}/x cannot be written: there is no folder ${none}`],
      [["-c", ini, "dump", folder.dir], `${folder.dir} cannot be written: it is a folder`],
      [["-c", ini, "restore", none], `${none} cannot be read: no such file`],
      [[at, "acl", "import", none], `cannot read "${none}": no such file`],
      [[at, "acl", "import", folder.dir], `cannot read "${folder.dir}": it is a folder`],
    ] as const
  ) {
    const { code, stderr } = await config(...words);
    assertEquals([code, stderr], [1, `codis-proxy: ${said}\n`]);
  }
});

Deno.test("config: a dashboard that stands by sends to the leader, once", async () => {
  await using leader = new RecordingDashboard({ "PUT /api/server_groups": OK });
  const standby = (addr: string): Answerer => ({
    status: 503,
    body: JSON.stringify({ error: "this dashboard stands by", leader: addr }),
  });
  await using first = new RecordingDashboard({ "PUT /api/server_groups": standby(leader.addr) });
  const words = ["server", "add-group", "3"];
  const followed = await config(`--dashboard=${first.addr}`, ...words);
  assertEquals(followed, { code: 0, stdout: DONE, stderr: "" });
  assertEquals(leader.requests, first.requests);

  // Two that send to each other do not send for ever.
  await using second = new RecordingDashboard({ "PUT /api/server_groups": standby(first.addr) });
  first.answers["PUT /api/server_groups"] = standby(second.addr);
  const lost = await config(`--dashboard=${first.addr}`, "--dashboard-wait=0", ...words);
  assertEquals([lost.code, lost.stdout], [1, ""]);
  assertStringIncludes(lost.stderr, "dashboard answered 503: this dashboard stands by");
  assertEquals(second.requests.length, 1);
});

Deno.test("config: nobody there is told with what to do", async () => {
  const addr = `127.0.0.1:${freePort()}`;
  assertEquals(await config(`--dashboard=${addr}`, "--dashboard-wait=0", "slot", "list"), {
    code: 1,
    stdout: "",
    stderr: `codis-proxy: dashboard ${addr} cannot be reached: connection refused; ` +
      "start `codis-proxy dashboard`, or set dashboard_addr or --dashboard to its address\n",
  });
});

// -- where the dashboard is --

Deno.test("config: dashboard_addr says where it is, dashboard_token goes with every request", async () => {
  await using dashboard = new RecordingDashboard({ "PUT /api/server_groups": OK });
  await using folder = await StoreFolder.make();
  const file = `${folder.dir}/config.ini`;
  await Deno.writeTextFile(file, `dashboard_addr = ${dashboard.addr}\ndashboard_token = hunter2\n`);
  const words = ["-c", file, "server", "add-group", "3"];
  assertEquals(await config(...words), { code: 0, stdout: DONE, stderr: "" });
  assertEquals(dashboard.tokens, ["Bearer hunter2"]);
  // The flag is above the file.
  await using other = new RecordingDashboard({ "PUT /api/server_groups": OK });
  assertEquals((await config(...words, "--dashboard", other.addr)).code, 0);
  assertEquals([dashboard.requests.length, other.tokens], [1, ["Bearer hunter2"]]);
});

Deno.test("config: an embedded store says where the dashboard is that serves it", async () => {
  await using dashboard = new RecordingDashboard({ "GET /api/slots": json([]) });
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  const record = encodeDashboard({ addr: dashboard.addr, pid: 1 });
  await store.coordinator.create(store.paths.dashboard, record, "ephemeral");
  const file = `${folder.dir}/config.ini`;
  await Deno.writeTextFile(file, folder.config);
  assertEquals(await config("-c", file, "slot", "list"), { code: 0, stdout: "[]\n", stderr: "" });
});

Deno.test("config: a dashboard that is just starting is waited for, and so is its store", async () => {
  const port = freePort();
  const words = ["slot", "list", "--output=json"];
  const asked = config(`--dashboard=127.0.0.1:${port}`, ...words);
  await using _dashboard = await later(() =>
    new RecordingDashboard({ "GET /api/slots": json([]) }, port)
  );
  assertEquals((await asked).stdout, "[]\n");

  await using folder = await StoreFolder.make();
  const file = `${folder.dir}/config.ini`;
  await Deno.writeTextFile(file, folder.config);
  const askedStore = config("-c", file, ...words);
  const store = await later(() => folder.open());
  const record = encodeDashboard({ addr: `127.0.0.1:${port}`, pid: 1 });
  await later(() => store.coordinator.create(store.paths.dashboard, record, "ephemeral"));
  assertEquals((await askedStore).stdout, "[]\n");
});

/** Does something when whoever waits for it has looked in vain. */
async function later<T>(what: () => T | Promise<T>): Promise<T> {
  await delay(300);
  return await what();
}

Deno.test("config proxy online --wait stays until the proxy is there and serves every slot", async () => {
  const record = { ...PROXIES[0]!, state: "offline" };
  const view = (slots_offline: number) =>
    json({
      ...VIEW,
      proxies: [{
        ...VIEW.proxies[0]!,
        id: "proxy_1",
        state: "online",
        is_reachable: true,
        slots_offline,
      }],
    });
  const lists = [json(null), json([record])];
  const views = [view(1024), view(0)];
  await using dashboard = new RecordingDashboard({
    "GET /api/proxy/list": () => lists.shift()!,
    "POST /api/proxy": OK,
    "GET /api/cluster": () => views.shift()!,
  });
  const words = ["proxy", "online", "proxy_1", "--wait"];
  assertEquals((await config(`--dashboard=${dashboard.addr}`, ...words)).code, 0);
  assertEquals(dashboard.requests.map((request) => request.split(" {")[0]), [
    ...["GET /api/proxy/list", "GET /api/proxy/list", "POST /api/proxy"],
    ...["GET /api/cluster", "GET /api/cluster"],
  ]);
});

Deno.test("config proxy online --wait sets the next process online when what was registered goes meanwhile", async () => {
  const record = json([{ ...PROXIES[0]!, state: "offline" }]);
  const view = (state: string) =>
    json({
      ...VIEW,
      proxies: [{
        ...VIEW.proxies[0]!,
        ...{ id: "proxy_1", state, is_reachable: true, slots_offline: 0 },
      }],
    });
  const gone = { status: 409, body: '{"error":"proxy proxy_1 is not found: …"}' };
  const answers = [gone, OK, gone, OK];
  const views = [view("offline"), view("offline"), view("online")];
  await using dashboard = new RecordingDashboard({
    "GET /api/proxy/list": () => record,
    "POST /api/proxy": () => answers.shift()!,
    "GET /api/cluster": () => views.shift()!,
  });
  const words = ["proxy", "online", "proxy_1", "--wait"];
  assertEquals((await config(`--dashboard=${dashboard.addr}`, ...words)).code, 0);
  assertEquals([answers.length, views.length], [0, 0]);
  // Without it, the answer is told at once.
  answers.push(gone);
  const once = await config(`--dashboard=${dashboard.addr}`, ...words.slice(0, -1));
  assertEquals(once.code, 1);
  assertStringIncludes(once.stderr, "proxy proxy_1 is not found");
});

Deno.test("config: a store without a dashboard is told with what to do, and left as it is", async () => {
  await using folder = await StoreFolder.make();
  const file = `${folder.dir}/config.ini`;
  await Deno.writeTextFile(file, `embedded_dir = ${folder.dir}/none`);
  const words = ["-c", file, "--dashboard-wait=0", "slot", "list"];
  const { code, stdout, stderr } = await config(...words);
  assertEquals([code, stdout], [1, ""]);
  assertStringIncludes(stderr, "no dashboard is known: start `codis-proxy`");
  assertEquals([...Deno.readDirSync(folder.dir)].map(({ name }) => name), ["config.ini"]);
});

Deno.test("config: who names the dashboard needs no config file, unless one is named", async () => {
  await using dashboard = new RecordingDashboard({ "GET /api/slots": json([]) });
  const words = ["config", `--dashboard=${dashboard.addr}`, "slot", "list"];
  await using folder = await StoreFolder.make();
  assertEquals((await endOf(startProgram(words, {}, folder.dir))).stdout, "[]\n");
  const { code, stderr } = await config("-c", "/nowhere/config.ini", ...words.slice(1));
  assertEquals(code, 1);
  assertStringIncludes(stderr, "/nowhere/config.ini: cannot read config file: no such file");
});

// -- help --

Deno.test("config: --help tells of every level, and lists every command", async () => {
  const all = await config("--help");
  assertEquals([all.code, all.stderr], [0, ""]);
  for (const { words } of ROWS) {
    assertStringIncludes(all.stdout, words.split(" ").slice(0, 2).join(" "));
  }
  const slot = await config("slot", "--help");
  assertStringIncludes(slot.stdout, "codis-proxy config slot [<flags>] <command>");
  assertStringIncludes(slot.stdout, "range-set <slot_from> <slot_to> <group_id> <status>");
  const migrate = await config("slot", "migrate", "--help");
  assertStringIncludes(
    migrate.stdout,
    "codis-proxy config slot migrate <slot_from> <slot_to> <group_id> [<flags>]",
  );
  assertStringIncludes(migrate.stdout, "--delay=<ms>");
  assertStringIncludes(migrate.stdout, "-c <config_file>");
});

Deno.test("config: a log is written where it is asked for", async () => {
  await using dashboard = new RecordingDashboard({ "GET /api/slots": json([]) });
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/config.ini`;
    await Deno.writeTextFile(file, `zk = z:1\nproxy_id = p\ndashboard_addr = ${dashboard.addr}`);
    const words = ["-c", file, "slot", "list"];
    assertEquals((await config(...words)).stderr, "");
    assertStringIncludes((await config(...words, "--log-level=info")).stderr, "using zookeeper");
    const { stderr } = await config("-L", `${folder}/log`, ...words);
    assertEquals(stderr, "");
    assertStringIncludes(await Deno.readTextFile(`${folder}/log.0`), "using zookeeper");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
