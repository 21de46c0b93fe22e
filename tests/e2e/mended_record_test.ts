/**
 * What operators see of a proxy that started while a record of the coordinator could not be read, and that it needs
 * nothing but the repair.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { EmbeddedCoordinator } from "../../src/coordinator/embedded/embedded.ts";
import { storePaths } from "../../src/store/paths.ts";
import { callCli } from "../support/cli_call.ts";
import { keysInSlots } from "../support/counting_load.ts";
import { until } from "../support/deadline.ts";
import { ProxyProcess } from "../support/proxy_process.ts";
import { RedisServer } from "../support/redis_server.ts";
import { ReplyError } from "../support/resp_value.ts";

Deno.test("config status says how many slots a proxy does not serve, and why; it serves them once the record is mended", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await ProxyProcess.start({ servers });
  const path = storePaths("test").server(1, servers[0]!.addr);
  const coordinator = await EmbeddedCoordinator.open({ dir: `${proxy.folder}/data` });
  try {
    const { data } = await coordinator.read(path);
    await coordinator.write(path, "garbage");
    await proxy.stop();
    // It is not healthy before all slots are served.
    const healthy = proxy.restart();
    const told = async () => {
      const { stdout } = await callCli(
        ...[
          "config",
          "-c",
          `${proxy.folder}/config.ini`,
          `--dashboard=127.0.0.1:${proxy.httpPort}`,
        ],
        ...["status", "--short"],
      );
      if (stdout === "") return "";
      const { concerns } = JSON.parse(stdout) as {
        concerns: { severity: string; text: string }[];
      };
      return concerns.filter(({ text }) => text.includes("does not serve"))
        .map(({ severity, text }) => `${severity}: ${text}`).join();
    };
    let text = "";
    await until(async () => (text = await told()) !== "", 20_000);
    assertMatch(text, /^error: Proxy \S+: does not serve 512 slots: \S+ cannot be read: /);
    assertEquals(text.includes(path), true, text);
    using client = await proxy.client();
    const [key] = keysInSlots([1], 1);
    assertEquals((await client.call("GET", key!)) instanceof ReplyError, true);
    await coordinator.write(path, data);
    await healthy;
    assertEquals(await client.call("GET", key!), null);
    await until(async () => await told() === "");
  } finally {
    await coordinator.close();
  }
});
