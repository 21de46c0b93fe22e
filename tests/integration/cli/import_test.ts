/**
 * `config server import`: from twemproxy and from another Codis, through the API.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { slotIn } from "../../../src/model/slot.ts";
import { saveServer } from "../../../src/store/groups.ts";
import { saveSlot } from "../../../src/store/slots.ts";
import { callCli } from "../../support/cli_call.ts";
import { startProgram } from "../../support/proxy_process.ts";
import { json, OK, RecordingDashboard } from "../../support/recording_dashboard.ts";
import { StoreFolder } from "../../support/store.ts";

const POOL = `
alpha:
  listen: 127.0.0.1:22121
  hash: murmur
  hash_tag: "{}"
  distribution: ketama
  redis: true
  servers:
   - 10.0.0.1:6379:1 one
   - 10.0.0.2:6379:2
`;

function master(groupId: number, addr: string) {
  return {
    id: groupId,
    product_name: "test",
    servers: [{ type: "master", group_id: groupId, addr }],
  };
}

Deno.test("a twemproxy pool becomes a group for each server, and a second time nothing", async () => {
  await using folder = await StoreFolder.make();
  const file = `${folder.dir}/nutcracker.yml`;
  await Deno.writeTextFile(file, POOL);
  await using dashboard = new RecordingDashboard({
    "GET /api/server_groups": json([master(4, "10.0.0.9:6379")]),
    "PUT /api/server_groups": OK,
    "PUT /api/server_group/5/addServer": OK,
    "PUT /api/server_group/6/addServer": OK,
  });
  const words = ["config", `--dashboard=${dashboard.addr}`, "server", "import", file];

  const planned = await callCli(...words, "--dry-run", "--output=table");
  assertEquals(planned.code, 0);
  assertEquals(dashboard.requests.splice(0), ["GET /api/server_groups"]);
  const lines = planned.stdout.trimEnd().split("\n");
  assertEquals(lines.slice(2), [
    "group 5  10.0.0.1:6379  master  would be added",
    "group 6  10.0.0.2:6379  master  would be added",
    "2 servers would be added, 0 exist already",
  ]);
  assertStringIncludes(lines[0]!, "warning: keys are not in the groups of their slots");
  assertStringIncludes(lines[0]!, "ketama of murmur and hash_tag {}");
  assertStringIncludes(lines[1]!, "warning: weights are ignored");

  const child = startProgram(words);
  assertEquals((await child.ended).code, 0);
  const { warnings, ...printed } = JSON.parse(child.stdout);
  assertEquals(warnings.length, 2);
  const step = (group_id: number, addr: string) => ({
    ...{ addr, group_id, is_there: false, type: "master" },
  });
  assertEquals(printed, {
    dry_run: false,
    groups: [{ group_id: 5, is_there: false }, { group_id: 6, is_there: false }],
    makes_slots: false,
    servers: [step(5, "10.0.0.1:6379"), step(6, "10.0.0.2:6379")],
    slots: [],
  });
  assertEquals(dashboard.requests.splice(0), [
    "GET /api/server_groups",
    'PUT /api/server_group/5/addServer {"type":"master","group_id":5,"addr":"10.0.0.1:6379"}',
    'PUT /api/server_group/6/addServer {"type":"master","group_id":6,"addr":"10.0.0.2:6379"}',
  ]);

  dashboard.answers["GET /api/server_groups"] = json([
    ...[master(4, "10.0.0.9:6379"), master(5, "10.0.0.1:6379"), master(6, "10.0.0.2:6379")],
  ]);
  const again = await callCli(...words, "--output=table");
  assertEquals(dashboard.requests, ["GET /api/server_groups"]);
  assertStringIncludes(again.stdout, "group 5  10.0.0.1:6379  master  exists\n");
  assertStringIncludes(again.stdout, "0 servers added, 2 exist already\n");
});

Deno.test("an import that breaks off says where, and that it can be repeated", async () => {
  await using folder = await StoreFolder.make();
  const file = `${folder.dir}/nutcracker.yml`;
  await Deno.writeTextFile(file, POOL);
  await using dashboard = new RecordingDashboard({
    "GET /api/server_groups": { status: 500, body: "zk: node does not exist" },
    "PUT /api/server_groups": OK,
    "PUT /api/server_group/1/addServer": { status: 500, body: "zkutil: obtaining lock timed out" },
  });
  const words = ["config", `--dashboard=${dashboard.addr}`, "server", "import", file];
  assertEquals(await callCli(...words), {
    code: 1,
    stdout: "",
    stderr: "codis-proxy: 10.0.0.1:6379, master of group 1 (step 1 of 2): " +
      "dashboard answered 500: zkutil: obtaining lock timed out; " +
      "the steps before it are done; run the command again to continue\n",
  });
});

/** Another Codis, with two groups, one of them with a slave; slots 1000 and up are offline. */
async function otherCodis(folder: StoreFolder): Promise<string> {
  const store = await folder.openFilled("10.0.0.1:6379,10.0.0.2:6379", "old");
  await saveServer(store, { type: "slave", group_id: 2, addr: "10.0.0.3:6379" });
  await saveServer(store, { type: "offline", group_id: 2, addr: "10.0.0.4:6379" });
  for (let id = 1000; id < 1024; id++) await saveSlot(store, slotIn("old", id, -1, "offline"));
  const file = `${folder.dir}/old.ini`;
  await Deno.writeTextFile(file, `${folder.config}\nproduct = old\n`);
  return file;
}

Deno.test("another Codis comes with its groups, roles and slots, numbers and all", async () => {
  await using folder = await StoreFolder.make();
  const file = await otherCodis(folder);
  await using dashboard = new RecordingDashboard({
    "GET /api/server_groups": json(null),
    "GET /api/slots": json(null),
    "PUT /api/server_groups": OK,
    "PUT /api/server_group/1/addServer": OK,
    "PUT /api/server_group/2/addServer": OK,
    "POST /api/slots/init": OK,
    "POST /api/slot": OK,
  });
  const words = ["config", `--dashboard=${dashboard.addr}`, "server", "import", file, "--slots"];
  const { code, stdout, stderr } = await callCli(...words, "--output=table");
  assertEquals([code, stderr], [0, ""]);
  assertEquals(dashboard.requests, [
    "GET /api/server_groups",
    "GET /api/slots",
    'PUT /api/server_group/1/addServer {"type":"master","group_id":1,"addr":"10.0.0.1:6379"}',
    'PUT /api/server_group/2/addServer {"type":"master","group_id":2,"addr":"10.0.0.2:6379"}',
    'PUT /api/server_group/2/addServer {"type":"slave","group_id":2,"addr":"10.0.0.3:6379"}',
    "POST /api/slots/init",
    'POST /api/slot {"from":0,"to":511,"new_group":1,"status":"online"}',
    'POST /api/slot {"from":512,"to":999,"new_group":2,"status":"online"}',
  ]);
  assertEquals(
    stdout,
    `warning: 10.0.0.4:6379 of group 2 is offline there: not imported
group 1        10.0.0.1:6379  master   added
group 2        10.0.0.2:6379  master   added
group 2        10.0.0.3:6379  slave    added
slots          all of them    offline  added
slots 0-511    group 1        online   added
slots 512-999  group 2        online   added
3 servers added, 0 exist already
`,
  );
});

Deno.test("slots that are on their way there, or given away here, stay where they are", async () => {
  await using folder = await StoreFolder.make();
  const file = await otherCodis(folder);
  const slotsHere = Array.from({ length: 1024 }, (_, id) => slotIn("test", id, 7, "online"));
  await using dashboard = new RecordingDashboard({
    "GET /api/server_groups": json([]),
    "GET /api/slots": json(slotsHere),
  });
  const words = ["config", `--dashboard=${dashboard.addr}`, "server", "import", file, "--slots"];
  const taken = await callCli(...words);
  assertEquals([taken.code, taken.stdout], [1, ""]);
  assertEquals(
    taken.stderr,
    "codis-proxy: slots 0-999 are not offline here: --slots assigns only offline slots\n",
  );
  const store = await folder.open("old");
  const moving = slotIn("old", 5, 2, "migrate");
  const state = { ...moving.state, migrate_status: { from: 1, to: 2 } };
  await saveSlot(store, { ...moving, state });
  const { code, stderr } = await callCli(...words);
  assertEquals(code, 1);
  assertEquals(
    stderr,
    "codis-proxy: slot 5 is migrating there: wait until the migration is done\n",
  );
  assertEquals(dashboard.requests.filter((request) => !request.startsWith("GET")), []);
});
