/**
 * An embedded store whose file was damaged is never taken for an older one: whatever opens it fails, and names the
 * file, the byte and the line.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { callCli } from "../../support/cli_call.ts";
import { until } from "../../support/deadline.ts";
import { freePort } from "../../support/free_port.ts";
import { ProxyProcess, startProgram } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";

/** Changes one byte in the middle of a line; returns what the program must say. */
async function damage(journal: string, line: number): Promise<string> {
  const bytes = await Deno.readFile(journal);
  let begin = 0;
  for (let i = 1; i < line; i++) begin = bytes.indexOf(0x0a, begin) + 1;
  const end = bytes.indexOf(0x0a, begin);
  const middle = Math.floor((begin + end) / 2);
  bytes[middle] = bytes[middle]! ^ 1;
  await Deno.writeFile(journal, bytes);
  return `journal "${await Deno.realPath(journal)}" is damaged at byte ${begin}, line ${line}`;
}

Deno.test("check, config check, config dump and the start of a proxy fail with a damaged store", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(1);
  const { addr } = servers[0]!;
  const store = await folder.openFilled(addr);
  for (const path of ["/zk/a", "/zk/b", "/zk/c"]) await store.coordinator.create(path, "x");
  await store.coordinator.close();
  const file = `${folder.dir}/config.ini`;
  const [port, http] = [freePort(), freePort()];
  await Deno.writeTextFile(
    file,
    `${folder.config}\nproduct = test\nproxy_id = one\nservers = ${addr}\n`,
  );
  const journal = `${folder.dir}/journal`;
  const whole = await Deno.readFile(journal);
  const lines = whole.filter((byte) => byte === 0x0a).length;
  // Near the beginning, and near the end.
  for (const line of [2, lines - 2]) {
    await Deno.writeFile(journal, whole);
    const said = await damage(journal, line);
    const before = await Deno.readFile(journal);
    for (
      const words of [
        ["check", "-c", file],
        ["config", "-c", file, "check"],
        ["config", "-c", file, "dump"],
      ]
    ) {
      const { code, stdout, stderr } = await callCli(...words);
      assertEquals(code === 0, false, words.join(" "));
      assertStringIncludes(`${stdout}${stderr}`, said, words.join(" "));
    }
    const proxy = startProgram([
      ...["proxy", "-c", file, "-L", "-", `--addr=127.0.0.1:${port}`],
      `--http-addr=127.0.0.1:${http}`,
    ]);
    assertEquals((await proxy.ended).code === 0, false);
    assertStringIncludes(`${proxy.stdout}${proxy.stderr}`, said);
    // What is left of it is for the operator to save.
    assertEquals(await Deno.readFile(journal), before);
  }
});

Deno.test("commands that read make no store where its journal was removed: they say what to do, and proxies serve on", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(1);
  const { addr } = servers[0]!;
  await (await folder.openFilled(addr)).coordinator.close();
  await using proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, product: "test", proxy_id: "one", servers: addr },
  });
  using client = await proxy.client();
  assertEquals(await client.call("SET", "a", "1"), "OK");
  const file = `${folder.dir}/config.ini`;
  await Deno.writeTextFile(file, `${folder.config}\nproduct = test\nservers = ${addr}\n`);
  const journal = `${folder.dir}/journal`;
  await Deno.rename(journal, `${journal}.away`);
  const said =
    `journal "${await Deno.realPath(folder.dir)}/journal" is not there; if there was one, ` +
    "put a good copy in its place";
  for (const words of [["check"], ["config", "check"], ["config", "dump"]]) {
    const { code, stdout, stderr } = await callCli(...words, "-c", file);
    assertEquals(code === 0, false, words.join(" "));
    assertStringIncludes(`${stdout}${stderr}`, said, words.join(" "));
    assertEquals(await client.call("GET", "a"), "1");
  }
  await until(() =>
    proxy.stderr.includes(`[ERROR] coordinator: embedded_dir cannot be used: ${said}`)
  );
  // Fails if somebody has made one.
  await Deno.link(`${journal}.away`, journal);
  await until(() => proxy.stderr.includes("embedded_dir can be used again"));
  const { code } = await callCli("config", "check", "-c", file);
  assertEquals(code, 0);
  assertEquals(await client.call("GET", "a"), "1");
});
