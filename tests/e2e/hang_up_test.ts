/**
 * SIGHUP, as logrotate sends it: the logs are opened again, and nothing ends.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { DashboardProcess } from "../support/dashboard_process.ts";
import { until } from "../support/deadline.ts";
import { ProxyProcess } from "../support/proxy_process.ts";
import { StoreFolder } from "../support/store.ts";

Deno.test("SIGHUP and SIGUSR1 let proxy and dashboard write new logs, and end neither", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("127.0.0.1:1");
  const logs = await Deno.makeTempDir();
  try {
    const config = { embedded_dir: folder.dir };
    await using dashboard = await DashboardProcess.start(config, [
      ...["-L", `${logs}/dashboard.log`, `--http-log=${logs}/requests.log`],
    ]);
    await using proxy = await ProxyProcess.start({
      config: { ...config, dashboard_addr: dashboard.addr },
      args: ["-L", `${logs}/proxy.log`],
    });
    const names = ["dashboard.log.0", "proxy.log.0", "requests.log"];
    for (const name of names) await Deno.rename(`${logs}/${name}`, `${logs}/${name}.old`);
    const before = await Deno.readTextFile(`${logs}/proxy.log.0.old`);
    assertMatch(before, /serving on/);

    for (const child of [dashboard.child, proxy.child]) child.signal("SIGHUP");
    const read = (name: string) => Deno.readTextFile(`${logs}/${name}`).catch(() => "");
    await until(async () => {
      assertEquals((await dashboard.ask("GET", "/api/slots")).status, 200);
      const texts = await Promise.all(names.map(read));
      // The proxy tells the dashboard of its reload: that request may be there first.
      return texts.every((text) => text !== "") && /GET \/api\/slots 200/.test(texts[2]!);
    });
    assertMatch(await read("proxy.log.0"), /got SIGHUP/);
    using client = await proxy.client();
    assertEquals(await client.call("PING"), "PONG");
    // Once more, with the files where they were: lines are appended.
    proxy.child.signal("SIGHUP");
    await until(async () => (await read("proxy.log.0")).match(/got SIGHUP/g)?.length === 2);
    assertEquals(await Deno.readTextFile(`${logs}/proxy.log.0.old`), before);
    // SIGUSR1, as nginx's users know it, does the same with the logs.
    for (const name of names) await Deno.rename(`${logs}/${name}`, `${logs}/${name}.older`);
    for (const child of [dashboard.child, proxy.child]) child.signal("SIGUSR1");
    await until(async () => {
      assertEquals((await dashboard.ask("GET", "/api/slots")).status, 200);
      const texts = await Promise.all(names.map(read));
      return texts.every((text, i) =>
        text.includes(names[i] === "requests.log" ? "200" : "got SIGUSR1")
      );
    });

    // Still clean: a fence would be left otherwise, and no change could be made.
    assertEquals(await proxy.stop(), 0);
    assertEquals(await store.coordinator.children(store.paths.fences), []);
    assertEquals(await dashboard.stop(), 0);
    assert((await read("dashboard.log.0")).includes("got SIGTERM"));
  } finally {
    await Deno.remove(logs, { recursive: true });
  }
});
