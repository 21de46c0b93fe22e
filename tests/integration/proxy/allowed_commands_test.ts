/**
 * Commands that an operator lets through: said once, heard by every worker of every proxy.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { callCli } from "../../support/cli_call.ts";
import { until } from "../../support/deadline.ts";
import { KnowingServer, madeUp } from "../../support/knowing_server.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { ReplyError } from "../../support/resp_value.ts";
import type { RespClient } from "../../support/resp_client.ts";

const COMMANDS = [
  madeUp("my.info", { arity: -1, keys: [0, 0, 0] }),
  madeUp("my.put", { arity: -1, keys: [0, 0, 0] }),
  madeUp("my.state", { categories: ["@connection"] }),
];

async function isRefused(client: RespClient, ...words: string[]): Promise<boolean> {
  return await client.call(...words) instanceof ReplyError;
}

Deno.test("config command allow lets a command through in all workers, until it is removed", async () => {
  await using one = new KnowingServer(COMMANDS);
  await using two = new KnowingServer(COMMANDS);
  await using proxy = await ProxyProcess.start({ servers: [one, two], cpu: 2 });
  const file = `${proxy.folder}/config.ini`;
  const call = (...words: string[]) =>
    callCli("config", "-c", file, "command", ...words, "--output=table");
  const config = async (...words: string[]) => {
    const { code, stdout, stderr } = await call(...words);
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    return stdout;
  };
  // Clients of both workers.
  const clients = await Promise.all(Array.from({ length: 8 }, () => proxy.client()));
  const everywhere = async (isDone: (client: RespClient) => Promise<boolean>) =>
    await until(async () => (await Promise.all(clients.map(isDone))).every((is) => is));
  try {
    await everywhere((client) => isRefused(client, "MY.INFO"));
    await config("allow", "MY.INFO", "all");
    await config("allow", "my.put", "key=2");
    await config("allow", "my.state", "any");
    assertMatch(await config("list"), /^MY\.INFO +all\nMY\.PUT +key=2\nMY\.STATE +any\n/m);
    await everywhere(async (client) => !await isRefused(client, "MY.INFO"));
    await everywhere(async (client) => !await isRefused(client, "MY.PUT", "x", "k"));
    // The key says which server; without it, the request is none.
    for (const key of ["1:k", "2:k", "3:k", "4:k", "5:k", "6:k"]) {
      await clients[0]!.call("MY.PUT", "x", key);
    }
    for (const server of [one, two]) {
      const keys = new Set(server.asked.filter((line) => line.startsWith("MY.PUT")));
      assertEquals(keys.size > 0 && keys.size < 7, true, [...keys].join());
    }
    assertEquals(
      await clients[0]!.call("MY.PUT", "x"),
      new ReplyError("ERR wrong number of arguments for 'my.put' command"),
    );
    // What belongs to one connection cannot be allowed.
    assertEquals(await isRefused(clients[0]!, "MY.STATE", "x"), true);
    await config("remove", "my.info");
    await everywhere((client) => isRefused(client, "MY.INFO"));
    const again = await call("remove", "my.info");
    assertEquals(again.code, 1);
    assertMatch(again.stderr, /no command MY\.INFO was allowed/);
  } finally {
    for (const client of clients) client[Symbol.dispose]();
  }
});
