/**
 * What a proxy tells systemd, as a socket in systemd's place hears it.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";

Deno.test("systemd hears when a proxy serves, all the time that it lives, and when it is about to end", async () => {
  await using redis = await RedisServer.start();
  const folder = await Deno.makeTempDir();
  const path = `${folder}/notify`;
  const socket = Deno.listenDatagram({ transport: "unixpacket", path });
  const heard: string[] = [];
  const hearing = (async () => {
    for await (const [bytes] of socket) heard.push(new TextDecoder().decode(bytes));
  })();
  const times = (text: string) => heard.filter((each) => each.startsWith(text)).length;
  try {
    await using proxy = await ProxyProcess.start({
      servers: [redis],
      env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: "200000" },
    });
    await until(() => times("READY=1") === 1);
    const before = times("WATCHDOG=1");
    await until(() => times("WATCHDOG=1") > before);
    assertEquals(await proxy.stop(), 0);
    assertEquals(times("STOPPING=1"), 1);
    assert(heard.findIndex((each) => each.startsWith("READY=1")) < heard.lastIndexOf("WATCHDOG=1"));
    // It leaves no socket behind.
    const names = [...Deno.readDirSync(proxy.folder)].map(({ name }) => name);
    assertEquals(names.filter((name) => name.startsWith("codis-notify")), []);
  } finally {
    socket.close();
    await hearing;
    await Deno.remove(folder, { recursive: true });
  }
});
