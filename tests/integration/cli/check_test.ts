/**
 * `config check`: the store judged without any dashboard.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import type { EmbeddedCoordinator } from "../../../src/coordinator/embedded/embedded.ts";
import { storePaths } from "../../../src/store/paths.ts";
import { callCli } from "../../support/cli_call.ts";
import { RECORDED_PRODUCT } from "../../support/codis2_tree.ts";
import { goodTree } from "../../support/good_tree.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { encodeSlot } from "../../../src/model/slot.ts";
import { loadSlot } from "../../../src/store/slots.ts";
import { startProgram } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";

async function makeStore(folder: StoreFolder) {
  const store = await folder.open(RECORDED_PRODUCT);
  await (store.coordinator as EmbeddedCoordinator).createAll(await goodTree());
  const file = `${folder.dir}/config.ini`;
  await Deno.writeTextFile(file, `${folder.config}\nproduct = ${RECORDED_PRODUCT}\n`);
  return { store, file };
}

/** The servers of the recorded tree do not run. */
const silent_servers = ["6401", "6402", "7003", "7004"].map((port) => `127.0.0.1:${port}`);
const SILENT = `4 servers did not answer, so not checked: ${silent_servers.join(", ")}\n`;

Deno.test("config check finds nothing in a good tree", async () => {
  await using folder = await StoreFolder.make();
  const { store, file } = await makeStore(folder);
  const child = startProgram(["config", "-c", file, "check"]);
  assertEquals((await child.ended).code, 0);
  assertEquals([JSON.parse(child.stdout), child.stderr], [{ problems: [], silent_servers }, ""]);
  const { stdout } = await callCli("config", "-c", file, "check", "--output=table");
  assertEquals(stdout, `no problems below ${store.paths.root}\n${SILENT}`);
});

Deno.test("config check tells what is wrong and what to do; an error is exit code 1", async () => {
  await using folder = await StoreFolder.make();
  const { store, file } = await makeStore(folder);
  await store.coordinator.create(store.paths.fence("h:1"), "");
  const words = ["config", "-c", file, "check"];
  const fence = {
    fix: "set it online; if that process is surely gone, codis-proxy config action remove-fence",
    path: store.paths.fence("h:1"),
    problem: "no proxy is online at h:1: nothing can be changed",
    severity: "error",
  };
  const fenced = await callCli(...words);
  assertEquals([fenced.code, JSON.parse(fenced.stdout)], [1, {
    problems: [fence],
    silent_servers,
  }]);

  await store.coordinator.delete(fence.path);
  await store.coordinator.create(store.paths.migratePause, '{"since":0}');
  const pause = {
    fix: "codis-proxy config slot resume",
    path: store.paths.migratePause,
    problem: "migrations are paused: no slot moves",
    severity: "warning",
  };
  const warned = await callCli(...words);
  assertEquals([warned.code, JSON.parse(warned.stdout)], [0, {
    problems: [pause],
    silent_servers,
  }]);

  await store.coordinator.delete(store.paths.slot(7));
  const child = startProgram([...words, "--output=table"]);
  assertEquals((await child.ended).code, 1);
  assertEquals(child.stderr, "");
  assertEquals(
    child.stdout,
    `error: ${store.paths.slot(7)}
    slot 7: not stored, though others are
    → codis-proxy config slot range-set 7 7 <group_id> online, of the group that has its keys
warning: ${pause.path}
    ${pause.problem}
    → ${pause.fix}
1 error, 1 warning
${SILENT}`,
  );
});

Deno.test("config check makes no store where there is none, and names a wrong product", async () => {
  await using folder = await StoreFolder.make();
  const file = `${folder.dir}/config.ini`;
  await Deno.writeTextFile(file, `embedded_dir = ${folder.dir}/none`);
  const { code, stdout, stderr } = await callCli("config", "-c", file, "check");
  assertEquals([code, stdout], [1, ""]);
  assertStringIncludes(stderr, `embedded_dir "${folder.dir}/none" does not exist`);
  assertEquals([...Deno.readDirSync(folder.dir)].map(({ name }) => name), ["config.ini"]);

  await makeStore(folder);
  await Deno.writeTextFile(file, `${folder.config}\nproduct = other`);
  const other = await callCli("config", "-c", file, "check");
  assertEquals(other.code, 1);
  const { problems: [problem] } = JSON.parse(other.stdout);
  assertEquals(problem.path, storePaths("other").root);
  assertEquals(problem.problem, "nothing is stored for product other");
});

Deno.test("what config check recommends for a slot that migrates nowhere brings it to its owner", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(2);
  const store = await folder.openFilled(servers.map(({ addr }) => addr).join(","));
  const file = `${folder.dir}/config.ini`;
  await Deno.writeTextFile(file, `${folder.config}\nproduct = test\n`);
  const store9 = async (from: number) => {
    const slot = await loadSlot(store, 9);
    const state = { ...slot.state, status: "migrate" as const, migrate_status: { from, to: -1 } };
    await store.coordinator.write(store.paths.slot(9), encodeSlot({ ...slot, group_id: 2, state }));
  };
  const fixes = async () =>
    JSON.parse((await callCli("config", "-c", file, "check")).stdout).problems
      .map(({ problem, fix }: { problem: string; fix: string }) => `${problem}: ${fix}`);
  await store9(-1);
  assertEquals(await fixes(), [
    "slot 9: migrates to group -1, but is owned by group 2: codis-proxy config slot range-set 9 9 2 online, if its " +
    "keys are there; until then this slot answers errors",
  ]);
  await store9(1);
  const [found, ...others] = await fixes();
  const command = "slot migrate 9 9 2";
  assertEquals(
    [found, others],
    [`slot 9: migrates to group -1, but is owned by group 2: codis-proxy config ${command}`, []],
  );
  await using dashboard = await DashboardServer.start(store);
  const words = ["config", "-c", file, `--dashboard=${dashboard.addr}`, ...command.split(" ")];
  const called = await callCli(...words);
  assertEquals(called.code, 0, `${called.stdout}${called.stderr}`);
  await until(async () => (await loadSlot(store, 9)).state.status === "online");
  assertEquals((await loadSlot(store, 9)).group_id, 2);
});
