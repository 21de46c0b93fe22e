/**
 * A product that Codis 2.0 keeps in etcd 2's keys: reported when the store is empty, and imported.
 *
 * @module
 */

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Secret } from "../../../src/base/secret.ts";
import { CoordinatorError } from "../../../src/coordinator/errors.ts";
import { EtcdCoordinator } from "../../../src/coordinator/etcd/etcd.ts";
import { Etcd2Tree } from "../../../src/coordinator/etcd/etcd2_tree.ts";
import { encodeSlot, slotIn } from "../../../src/model/slot.ts";
import { storePaths } from "../../../src/store/paths.ts";
import { callCli } from "../../support/cli_call.ts";
import { freePort } from "../../support/free_port.ts";
import { EtcdServer } from "../../support/etcd_server.ts";
import { VIEW } from "../../support/cluster_view.ts";
import { startProgram } from "../../support/proxy_process.ts";
import { json, OK, RecordingDashboard } from "../../support/recording_dashboard.ts";

const PATHS = storePaths("test");

/** What a Codis 2.0 with two groups has written, as seen in a real one's keys. */
function codis2Keys(): [path: string, value: string][] {
  const server = (type: string, groupId: number, addr: string): [string, string] => [
    PATHS.server(groupId, addr),
    JSON.stringify({ type, group_id: groupId, addr }),
  ];
  const proxy = {
    ...{ id: "proxy_1", addr: "old-host:19000", last_event: "", last_event_ts: 0 },
    ...{ state: "online", description: "", debug_var_addr: "old-host:11000", pid: 7 },
    start_at: "2015-07-05 00:23:29.669851572 +0800 CST",
  };
  return [
    server("master", 1, "10.0.0.1:6379"),
    server("slave", 1, "10.0.0.2:6379"),
    server("master", 2, "10.0.0.3:6379"),
    [PATHS.proxy("proxy_1"), JSON.stringify(proxy)],
    [PATHS.dashboard, '{"addr": "old-host:18087", "pid": 8}'],
    ...Array.from({ length: 1024 }, (_, id): [string, string] => [
      PATHS.slot(id),
      encodeSlot(slotIn("test", id, id < 512 ? 1 : 2, "online")),
    ]),
  ];
}

async function fill(etcd: EtcdServer, keys: [path: string, value: string][]): Promise<void> {
  const put = async ([path, value]: [string, string]) => {
    const response = await fetch(`${etcd.url}/v2/keys${path}`, {
      method: "PUT",
      body: new URLSearchParams({ value }),
    });
    if (!response.ok) throw new Error(await response.text());
    await response.body?.cancel();
  };
  while (keys.length > 0) await Promise.all(keys.splice(0, 32).map(put));
}

Deno.test("a product in etcd 2's keys is named by check, proxy and dashboard, and imported", async (t) => {
  await using stack = new AsyncDisposableStack();
  const etcd = stack.use(await EtcdServer.start({ args: ["--enable-v2=true"] }));
  await fill(etcd, codis2Keys());
  const folder = await Deno.makeTempDir();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const dashboard = stack.use(
    new RecordingDashboard({
      "GET /api/server_groups": { status: 500, body: "zk: node does not exist" },
      "GET /api/slots": json(null),
      "GET /api/cluster": { status: 404, body: "404 page not found\n" },
      "PUT /api/server_groups": OK,
      "PUT /api/server_group/1/addServer": OK,
      "PUT /api/server_group/2/addServer": OK,
      "POST /api/slots/init": OK,
      "POST /api/slot": OK,
    }),
  );
  const file = `${folder}/config.ini`;
  const text = `coordinator = etcd\nzk = ${etcd.addr}\nproxy_id = p\n` +
    `dashboard_addr = ${dashboard.addr}\n`;
  await Deno.writeTextFile(file, text);
  const named = "the groups and slots of product test are in etcd 2's keys";

  await t.step("config check", async () => {
    const { code, stdout } = await callCli("config", "-c", file, "check");
    assertEquals(code, 1);
    const [{ problem, fix }] = JSON.parse(stdout).problems;
    assertStringIncludes(problem, named);
    assertStringIncludes(fix, "config server import config.ini --slots");
  });

  await t.step("a proxy", async () => {
    const addrs = ["--addr=127.0.0.1:0", "--http-addr=127.0.0.1:0", "--cpu=1"];
    const child = startProgram(["-c", file, ...addrs]);
    assertEquals((await child.ended).code, 1);
    assertStringIncludes(child.stderr, `codis-proxy: ${named}`);
  });

  await t.step("a dashboard, which starts nevertheless", async () => {
    const addr = `127.0.0.1:${freePort()}`;
    const child = startProgram(["dashboard", "-c", file, `--addr=${addr}`]);
    await child.waitFor(() => child.stderr.includes("this dashboard leads"));
    assertStringIncludes(child.stderr, `[WARN] dashboard: ${named}`);
    const words = ["config", "-c", file, `--dashboard=${addr}`, "status", "--output=table"];
    assertStringIncludes((await callCli(...words)).stdout, `warning  ${named}`);
    assertEquals((await child.end("SIGTERM")).code, 0);
  });

  await t.step(
    "config server import, which is refused while Codis 2.0's dashboard answers",
    async () => {
      const { code, stderr } = await callCli("config", "-c", file, "server", "import", file);
      assertEquals(code, 1);
      assertStringIncludes(
        stderr,
        `${dashboard.addr} does not know GET /api/cluster: it is Codis 2.0's dashboard`,
      );
      assertEquals(dashboard.requests, ["GET /api/cluster"]);
      dashboard.answers["GET /api/cluster"] = json(VIEW);
    },
  );

  await t.step("config server import", async () => {
    const words = ["config", "-c", file, "server", "import", file, "--slots", "--output=table"];
    const { code, stdout, stderr } = await callCli(...words);
    assertEquals([code, stderr], [0, ""]);
    const lines = stdout.trimEnd().split("\n");
    assertStringIncludes(lines[0]!, "warning: read from the keys of etcd 2");
    assertStringIncludes(
      lines[1]!,
      "warning: proxies that still use the keys of etcd 2: proxy_1 (old-host:19000)",
    );
    assertEquals(lines.at(-1), "3 servers added, 0 exist already");
    assertEquals(dashboard.requests.slice(-5), [
      'PUT /api/server_group/1/addServer {"type":"slave","group_id":1,"addr":"10.0.0.2:6379"}',
      'PUT /api/server_group/2/addServer {"type":"master","group_id":2,"addr":"10.0.0.3:6379"}',
      "POST /api/slots/init",
      'POST /api/slot {"from":0,"to":511,"new_group":1,"status":"online"}',
      'POST /api/slot {"from":512,"to":1023,"new_group":2,"status":"online"}',
    ]);
  });

  await t.step("an import of a product that is nowhere is an error", async () => {
    const other = `${folder}/other.ini`;
    await Deno.writeTextFile(other, `${text}product = none\n`);
    const { code, stderr } = await callCli("config", "-c", file, "server", "import", other);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "nothing is stored there for product none");
  });
});

/** Answers as etcd 2 does: `/v2/keys` and nothing else. */
class OldEtcd implements AsyncDisposable {
  authorization: string | null = null;
  readonly url: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      const { pathname } = new URL(request.url);
      this.authorization = request.headers.get("authorization");
      if (!pathname.startsWith("/v2/keys/")) {
        return new Response("404 page not found\n", { status: 404 });
      }
      const node = {
        ...{ key: "/a", dir: true, modifiedIndex: 4, createdIndex: 4 },
        nodes: [{ key: "/a/b", value: "1", modifiedIndex: 5, createdIndex: 5 }],
      };
      if (pathname === "/v2/keys/a") return Response.json({ action: "get", node });
      const error = { errorCode: 100, message: "Key not found", cause: pathname, index: 9 };
      return Response.json(error, { status: 404 });
    });
    this.url = `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

Deno.test("an etcd that is too old is named at once, and its keys of version 2 are read", async () => {
  await using server = new OldEtcd();
  const options = { endpoints: [server.url], tls: {}, auth: new Secret("root:secret") };
  const opening = EtcdCoordinator.open({ ...options, sessionTimeoutMs: 30_000 });
  await assertRejects(() => opening, CoordinatorError, "no API of version 3: etcd 3.4 or later");
  const tree = await Etcd2Tree.load(options, ["/a", "/none"]);
  assertEquals(await tree!.children("/a"), ["b"]);
  assertEquals((await tree!.read("/a/b")).data, "1");
  assertEquals(server.authorization, `Basic ${btoa("root:secret")}`);
  const gone = { ...options, endpoints: ["http://127.0.0.1:1"] };
  await assertRejects(() => Etcd2Tree.load(gone, ["/a"]), CoordinatorError, "http://127.0.0.1:1: ");
});
