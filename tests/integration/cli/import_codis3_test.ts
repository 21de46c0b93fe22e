/**
 * `config server import dashboard.toml`: a product of Codis 3.2, in the form in which its real dashboard
 * stores it (recorded, with `coordinator_name = "filesystem"`).
 *
 * @module
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { callCli } from "../../support/cli_call.ts";
import { json, OK, RecordingDashboard } from "../../support/recording_dashboard.ts";

interface Codis3 extends AsyncDisposable {
  /** The dashboard.toml. */
  readonly file: string;
  /** Writes an entry as Codis 3.2 does. */
  write(path: string, value: unknown): Promise<void>;
}

function group(id: number, servers: readonly (readonly [addr: string, datacenter: string])[]) {
  return {
    id,
    servers: servers.map(([server, datacenter]) => ({
      ...{ server, datacenter, action: {}, replica_group: false },
    })),
    promoting: {},
    out_of_sync: true,
  };
}

/** Two groups, the first one with a replica; slots 1000 and up belong to none. */
async function makeCodis3(): Promise<Codis3> {
  const dir = await Deno.makeTempDir();
  const file = `${dir}/dashboard.toml`;
  await Deno.writeTextFile(
    file,
    `# Set Coordinator, only accept "zookeeper" & "etcd" & "filesystem".
coordinator_name = "filesystem"
coordinator_addr = "${dir}/fs"
product_name = "shop"
product_auth = "secret"
admin_addr = "0.0.0.0:18080"
migration_async_maxbytes = "32mb"
`,
  );
  const write = async (path: string, value: unknown) => {
    const at = `${dir}/fs/data/codis3/shop/${path}`;
    await Deno.mkdir(at.slice(0, at.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(at, JSON.stringify(value, null, 4));
  };
  await write("topom", { token: "c9f1", admin_addr: "127.0.0.1:18080", product_name: "shop" });
  await write("group/group-0001", group(1, [["10.0.0.1:6379", "east"], ["10.0.0.3:6379", ""]]));
  await write("group/group-0002", group(2, [["10.0.0.2:6379", ""]]));
  for (let id = 0; id < 1000; id++) {
    const name = `slots/slot-${`${id}`.padStart(4, "0")}`;
    await write(name, { id, group_id: id < 512 ? 1 : 2, action: {} });
  }
  const proxy = {
    id: 1,
    token: "0d8a",
    admin_addr: "10.0.0.9:11080",
    proxy_addr: "10.0.0.9:19000",
  };
  await write("proxy/proxy-0d8a", proxy);
  await write("sentinel", { servers: ["10.0.0.7:26379"], out_of_sync: false });
  return {
    file,
    write,
    [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }),
  };
}

function emptyDashboard(): RecordingDashboard {
  return new RecordingDashboard({
    "GET /api/server_groups": json(null),
    "GET /api/slots": json(null),
    "PUT /api/server_group/1/addServer": OK,
    "PUT /api/server_group/2/addServer": OK,
    "POST /api/slots/init": OK,
    "POST /api/slot": OK,
    "PUT /api/fence": OK,
  });
}

Deno.test("a product of Codis 3.2 comes with its groups, replicas, zones and slots", async () => {
  await using codis3 = await makeCodis3();
  await using dashboard = emptyDashboard();
  const words = ["config", `--dashboard=${dashboard.addr}`, "server", "import", codis3.file];
  const { code, stdout, stderr } = await callCli(...words, "--output=table");
  assertEquals([code, stderr], [0, ""]);
  assertEquals(dashboard.requests, [
    "GET /api/server_groups",
    "GET /api/slots",
    'PUT /api/server_group/1/addServer {"type":"master","group_id":1,"addr":"10.0.0.1:6379","zone":"east"}',
    'PUT /api/server_group/1/addServer {"type":"slave","group_id":1,"addr":"10.0.0.3:6379"}',
    'PUT /api/server_group/2/addServer {"type":"master","group_id":2,"addr":"10.0.0.2:6379"}',
    "POST /api/slots/init",
    'POST /api/slot {"from":0,"to":511,"new_group":1,"status":"online"}',
    'POST /api/slot {"from":512,"to":999,"new_group":2,"status":"online"}',
    // Its proxies hear of no change: none is made while they may serve.
    'PUT /api/fence {"addr":"10.0.0.9:19000"}',
  ]);
  const lines = stdout.trimEnd().split("\n");
  assertStringIncludes(lines[0]!, "Codis 3.2's proxies serve the same servers: 10.0.0.9:19000");
  assertStringIncludes(
    lines[1]!,
    "config sentinel add was run for each of 10.0.0.7:26379: do that now",
  );
  assertEquals(lines[2], "warning: product_auth is set there: set backend_password to it");
  assertEquals(lines[6], "fence          10.0.0.9:19000  proxy of Codis 3.2  set");
  assertEquals(lines[3], "group 1        10.0.0.1:6379   master, zone east   added");
});

Deno.test("an import is refused while Codis 3.2's dashboard runs, which could move slots", async () => {
  await using codis3 = await makeCodis3();
  await using dashboard = emptyDashboard();
  const topom = { token: "c9f1", admin_addr: "", product_name: "shop" };
  await using running = new RecordingDashboard({ "GET /topom/model": json(topom) });
  await codis3.write("topom", { ...topom, admin_addr: running.addr });
  const words = ["config", `--dashboard=${dashboard.addr}`, "server", "import", codis3.file];
  const said = `Codis 3.2's dashboard runs at ${running.addr}, where it could move slots`;
  const refused = await callCli(...words);
  assertEquals([refused.code, refused.stdout], [1, ""]);
  assertStringIncludes(refused.stderr, said);
  assertEquals(dashboard.requests.filter((request) => !request.startsWith("GET")), []);
  const dry = await callCli(...words, "--dry-run", "--output=table");
  assertEquals(dry.code, 0);
  assertStringIncludes(dry.stdout, `warning: ${said}`);
  // One that was killed has left its entry; another program may listen there now.
  await codis3.write("topom", { ...topom, token: "other", admin_addr: running.addr });
  assertEquals((await callCli(...words)).code, 0);
});

Deno.test("a slot that moves or a promotion there refuses the import, before anything is changed", async () => {
  await using codis3 = await makeCodis3();
  await using dashboard = emptyDashboard();
  const words = ["config", `--dashboard=${dashboard.addr}`, "server", "import", codis3.file];
  const refusal = async () => {
    const { code, stderr } = await callCli(...words);
    assertEquals(code, 1);
    return stderr;
  };
  await codis3.write("slots/slot-0005", {
    ...{ id: 5, group_id: 1, action: { index: 1, state: "pending", target_id: 2 } },
  });
  assertEquals(
    await refusal(),
    "codis-proxy: slot 5 is migrating there: wait until the migration is done\n",
  );
  const promoting = { index: 1, state: "preparing" };
  await codis3.write("group/group-0002", { ...group(2, [["10.0.0.2:6379", ""]]), promoting });
  assertEquals(
    await refusal(),
    "codis-proxy: group 2 promotes a server there: wait until that is done\n",
  );
  assertEquals(dashboard.requests.filter((request) => !request.startsWith("GET")), []);
});

Deno.test("a file that is no dashboard.toml is refused with what is wrong in it", async () => {
  await using codis3 = await makeCodis3();
  await using dashboard = emptyDashboard();
  const words = ["config", `--dashboard=${dashboard.addr}`, "server", "import", codis3.file];
  const toml = await Deno.readTextFile(codis3.file);
  const refusal = async (text: string) => {
    await Deno.writeTextFile(codis3.file, text);
    const { code, stderr } = await callCli(...words);
    assertEquals(code, 1);
    return stderr.trim().replace(`codis-proxy: ${codis3.file}`, "FILE");
  };
  assertStringIncludes(await refusal("coordinator_name ="), "FILE is not TOML: ");
  assertEquals(
    await refusal(""),
    "FILE: coordinator_name is missing; is it a dashboard.toml of Codis 3.2?",
  );
  const zookeeper = toml.replace('name = "filesystem"', 'name = "zookeeper"');
  assertMatch(
    await refusal(zookeeper.replace(/addr = ".*\/fs"/, 'addr = "http://zk:2181"')),
    /^FILE: coordinator_addr = "http:\/\/zk:2181": ZooKeeper's hosts are written host or host:port$/,
  );
  assertEquals(
    await refusal(toml.replace('name = "filesystem"', 'name = "consul"')),
    'FILE: coordinator_name "consul" must be zookeeper, etcd or filesystem',
  );
  assertEquals(
    await refusal(toml.replace('"shop"', '"other"')),
    "FILE: nothing is stored at /codis3/other",
  );
});
