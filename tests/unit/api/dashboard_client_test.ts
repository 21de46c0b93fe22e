/**
 * What the client asks of the dashboard, endpoint by endpoint, and what it makes of the answers.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { DashboardClient } from "../../../src/api/dashboard_client.ts";
import { DashboardError, DashboardUnreachableError } from "../../../src/api/dashboard_errors.ts";
import { parseAddress } from "../../../src/base/address.ts";
import { Secret } from "../../../src/base/secret.ts";
import { slotIn } from "../../../src/model/slot.ts";
import { VIEW } from "../../support/cluster_view.ts";
import { freePort } from "../../support/free_port.ts";
import { type Answer, json, OK, RecordingDashboard } from "../../support/recording_dashboard.ts";

function clientOf(addr: string, token = ""): DashboardClient {
  return new DashboardClient({ address: parseAddress(addr), token: new Secret(token) });
}

const DONE = { msg: "OK", ret: 0 };

/** Codis 2.0's answers, as recorded from a running one. */
async function recorded(name: string): Promise<unknown> {
  const file = new URL(`../../fixtures/codis2/rest/${name}.json`, import.meta.url);
  return JSON.parse(await Deno.readTextFile(file));
}

/** Reads, and the changes that the config commands do not use. */
const QUESTIONS: readonly {
  readonly ask: (client: DashboardClient) => Promise<unknown>;
  readonly request: string;
  readonly answer: unknown;
}[] = [
  {
    ask: (client) => client.overview(),
    request: "GET /api/overview",
    answer: await recorded("GET_overview"),
  },
  { ask: (client) => client.cluster(), request: "GET /api/cluster", answer: VIEW },
  { ask: (client) => client.cluster(true), request: "GET /api/cluster?fresh=yes", answer: VIEW },
  {
    ask: (client) => client.slowRequests(20),
    request: "GET /api/slowlog?limit=20",
    answer: { entries: [], events: [], problems: [] },
  },
  { ask: (client) => client.check(), request: "GET /api/check", answer: { problems: [] } },
  { ask: (client) => client.login(), request: "POST /api/login", answer: DONE },
  {
    ask: (client) => client.groups(),
    request: "GET /api/server_groups",
    answer: await recorded("GET_server_groups"),
  },
  {
    ask: (client) => client.group(4),
    request: "GET /api/server_group/4",
    answer: { id: 4, product_name: "test", servers: null },
  },
  {
    ask: (client) => client.redisStat("redis-1:6379"),
    request: "GET /api/redis/redis-1:6379/stat",
    answer: { redis_version: "7.0.15", maxmemory: "∞" },
  },
  {
    ask: (client) => client.slot(1),
    request: "GET /api/slot/1",
    answer: await recorded("GET_slot_1"),
  },
  {
    ask: (client) => client.migrateStatus(),
    request: "GET /api/migrate/status",
    answer: await recorded("GET_migrate_status"),
  },
  { ask: (client) => client.migrateTasks(), request: "GET /api/migrate/tasks", answer: [] },
  {
    ask: (client) => client.proxies(),
    request: "GET /api/proxy/list",
    answer: await recorded("GET_proxy_list"),
  },
  {
    ask: (client) => client.proxyDebugVars(),
    request: "GET /api/proxy/debug/vars",
    answer: { proxy_1: await recorded("GET_debug_vars") },
  },
];

for (const { ask, request, answer } of QUESTIONS) {
  Deno.test(`DashboardClient asks ${request}, and gives what was answered`, async () => {
    await using dashboard = new RecordingDashboard({ [request]: json(answer) });
    assertEquals(await ask(clientOf(dashboard.addr)), answer);
    assertEquals([dashboard.requests, dashboard.tokens], [[request], [null]]);
  });
}

Deno.test("DashboardClient hands on fields that it does not know", async () => {
  const slot = { ...slotIn("test", 5, 1, "online"), colour: "red" };
  await using dashboard = new RecordingDashboard({ "GET /api/slot/5": json(slot) });
  assertEquals(await clientOf(dashboard.addr).slot(5) as unknown, slot);
});

const REFUSALS: readonly [answer: Answer, expected: Partial<DashboardError>][] = [
  [
    { status: 500, body: "group already exists\n" },
    { status: 500, text: "group already exists", field: undefined, rule: undefined },
  ],
  [
    { status: 400, body: '{"error":"id is 0","field":"id","rule":"a whole number from 1"}' },
    { status: 400, text: "id is 0", field: "id", rule: "a whole number from 1" },
  ],
  [{ status: 500, body: "" }, { message: "dashboard answered 500: nothing more" }],
  [
    { status: 302, body: '{"error":{"deep":1}}' },
    { status: 302, message: 'dashboard answered 302: {"error":{"deep":1}}' },
  ],
];

for (const [answer, expected] of REFUSALS) {
  Deno.test(`DashboardClient takes a refusal apart: ${answer.status} ${answer.body}`, async () => {
    await using dashboard = new RecordingDashboard({ "PUT /api/server_groups": answer });
    const client = clientOf(dashboard.addr);
    const error = await assertRejects(() => client.addGroup(0), DashboardError);
    for (const [name, value] of Object.entries(expected)) {
      assertEquals(error[name as keyof DashboardError], value, name);
    }
  });
}

Deno.test("DashboardClient stays with the leader that it was sent to, and brings the token", async () => {
  await using leader = new RecordingDashboard({ "PUT /api/server_groups": OK });
  const body = JSON.stringify({ error: "this dashboard stands by", leader: leader.addr });
  await using standby = new RecordingDashboard({ "PUT /api/server_groups": { status: 503, body } });
  const client = clientOf(standby.addr, "hunter2");
  await client.addGroup(1);
  await client.addGroup(2);
  assertEquals(standby.requests, ['PUT /api/server_groups {"id":1}']);
  assertEquals(leader.requests, [
    'PUT /api/server_groups {"id":1}',
    'PUT /api/server_groups {"id":2}',
  ]);
  assertEquals(leader.tokens, ["Bearer hunter2", "Bearer hunter2"]);
  assertEquals(client.address, leader.addr);
});

Deno.test("DashboardClient does not follow a leader that is no address, or itself", async () => {
  await using dashboard = new RecordingDashboard();
  for (const leader of ["", "http://x/", dashboard.addr]) {
    const body = JSON.stringify({ error: "this dashboard stands by", leader });
    dashboard.answers["GET /api/slots"] = { status: 503, body };
    const error = await assertRejects(() => clientOf(dashboard.addr).slots(), DashboardError);
    assertEquals(error.status, 503);
  }
  assertEquals(dashboard.requests.length, 3);
});

Deno.test("DashboardClient waits for a dashboard that is starting, until it has answered once", async () => {
  const port = freePort();
  const address = parseAddress(`127.0.0.1:${port}`);
  const client = new DashboardClient({ address, token: new Secret(""), startMs: 5_000 });
  const adding = client.addGroup(1);
  await delay(50);
  const standsBy = { status: 503, body: JSON.stringify({ error: "nobody leads yet" }) };
  let asked = 0;
  await using dashboard = new RecordingDashboard(
    { "PUT /api/server_groups": () => asked++ === 0 ? standsBy : OK, "GET /api/slots": standsBy },
    port,
  );
  assertEquals(await adding, DONE);
  assertEquals(asked, 2);
  const startedMs = performance.now();
  await assertRejects(() => client.slots(), DashboardError, "nobody leads yet");
  assertEquals(performance.now() - startedMs < 2_000, true);
  assertEquals(dashboard.requests.length, 3);
});

Deno.test("DashboardClient does not know what became of a change when the dashboard dies over it", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const dying = (async () => {
    using connection = await listener.accept();
    await connection.read(new Uint8Array(1_000));
  })();
  const client = clientOf(`127.0.0.1:${listener.addr.port}`);
  const { reason, message } = await assertRejects(
    () => client.addGroup(1),
    DashboardUnreachableError,
  );
  await dying;
  assertEquals(reason, "silent");
  assertEquals(
    message,
    `dashboard ${client.address} did not answer PUT /api/server_groups: connection closed before ` +
      "message completed; whether it was done is not known",
  );
});

Deno.test("DashboardClient says whether an address is unreachable, silent, or no dashboard", async () => {
  const nobody = clientOf(`127.0.0.1:${freePort()}`);
  const unreachable = await assertRejects(() => nobody.slots(), DashboardUnreachableError);
  assertEquals(unreachable.reason, "unreachable");
  assertEquals(
    unreachable.message,
    `dashboard ${nobody.address} cannot be reached: connection refused`,
  );

  const release = Promise.withResolvers<void>();
  await using dashboard = new RecordingDashboard({
    "PUT /api/server_groups": () => release.promise.then(() => OK),
    "GET /api/slots": json({ slots: [] }),
  });
  const address = parseAddress(dashboard.addr);
  const hasty = new DashboardClient({ address, token: new Secret(""), changeMs: 100, readMs: 50 });
  dashboard.answers["GET /api/proxy/list"] = () => release.promise.then(() => json([]));
  const mute = await assertRejects(() => hasty.proxies(), DashboardUnreachableError);
  assertEquals(
    mute.message,
    `dashboard ${dashboard.addr} did not answer GET /api/proxy/list within 0.05 s`,
  );
  const silent = await assertRejects(() => hasty.addGroup(1), DashboardUnreachableError);
  release.resolve();
  assertEquals(silent.reason, "silent");
  assertEquals(
    silent.message,
    `dashboard ${dashboard.addr} did not answer PUT /api/server_groups within 0.1 s; ` +
      "whether it was done is not known",
  );

  const garbled = await assertRejects(() => hasty.slots(), DashboardUnreachableError);
  assertEquals(garbled.reason, "garbled");
  assertEquals(
    garbled.message,
    `${dashboard.addr} does not answer GET /api/slots as a dashboard does: ` +
      'answer must be an array, not {"slots":[]}',
  );
});

Deno.test("when the leader that was named is gone, the address that was given is asked again", async () => {
  await using given = new RecordingDashboard();
  const names = (leader: string) => ({
    status: 503,
    body: JSON.stringify({ error: "this dashboard stands by", leader }),
  });
  const first = new RecordingDashboard({ "GET /api/cluster": json(VIEW) });
  given.answers["GET /api/cluster"] = names(first.addr);
  const client = clientOf(given.addr);
  assertEquals(await client.cluster(), VIEW);
  await first[Symbol.asyncDispose]();
  await using second = new RecordingDashboard({ "GET /api/cluster": json(VIEW) });
  given.answers["GET /api/cluster"] = names(second.addr);
  await assertRejects(() => client.cluster(), DashboardUnreachableError);
  assertEquals(await client.cluster(), VIEW);
  assertEquals(client.address, second.addr);
});
