/**
 * INFO, HELLO and COMMAND speak of the lowest version of Redis among the servers.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { until } from "../../support/deadline.ts";
import { answerNothing, FakeRedis, type FakeReply } from "../../support/fake_redis.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { RouterServer } from "../../support/router_server.ts";

/** A server of a version that a test may change; `""` says nothing of it, `silent` nothing at all, `busy` not now. */
class Versioned extends FakeRedis {
  constructor(public version: string) {
    super((words) => this.answer(words));
  }

  answer(words: string[]): FakeReply {
    if (words[0]!.toUpperCase() !== "INFO") return answerNothing(words);
    if (this.version === "silent") return "hang";
    if (this.version === "busy") return "-BUSY Redis is busy running a script.\r\n";
    if (this.version === "") return "-NOPERM this user has no permissions to run 'info'\r\n";
    const text = `# Server\r\nredis_version:${this.version}\r\nredis_mode:standalone\r\n`;
    return `$${text.length}\r\n${text}\r\n`;
  }
}

/** How often a server was asked for its version; INFO itself asks without a word. */
function timesAsked({ received }: FakeRedis): number {
  return received.filter(([name, section]) => name === "INFO" && section === "server").length;
}

async function told(client: RespClient): Promise<string[]> {
  const hello = await client.call("HELLO", 2) as string[];
  const info = await client.call("INFO", "server") as string;
  return [hello[hello.indexOf("version") + 1]!, /^redis_version:(.*)\r$/m.exec(info)![1]!];
}

Deno.test("the lowest version of the servers is told, as numbers go, and asked for once", async () => {
  await using servers = new AsyncDisposableStack();
  const versions = ["7.0.15", "6.2.14", "6.10.1"].map((version) => new Versioned(version));
  for (const server of versions) servers.use(server);
  await using proxy = await RouterServer.start({ servers: versions });
  using client = await proxy.client();
  for (let i = 0; i < 3; i++) assertEquals(await told(client), ["6.2.14", "6.2.14"]);
  assertEquals(
    versions.map(timesAsked),
    [1, 1, 1],
  );
  // One that comes back may be another one.
  versions[1]!.version = "8.0.2";
  versions[1]!.disconnectAll();
  await until(async () => (await told(client))[0] === "6.10.1");
});

Deno.test("servers that say nothing of their version hold nobody up", async () => {
  await using servers = new AsyncDisposableStack();
  const versions = ["", "silent", "3.2.11"].map((version) => new Versioned(version));
  for (const server of versions) servers.use(server);
  await using proxy = await RouterServer.start({
    servers: versions,
    options: { backendDialMs: 200 },
  });
  using client = await proxy.client();
  const startedMs = performance.now();
  const clients = await Promise.all(Array.from({ length: 20 }, () => proxy.client()));
  const versionsTold = await Promise.all(clients.map(told));
  for (const each of versionsTold) assertEquals(each, ["3.2.11", "3.2.11"]);
  assert(performance.now() - startedMs < 1_500);
  for (const each of clients) each.close();
  assertEquals(await told(client), ["3.2.11", "3.2.11"]);
  assertEquals(versions.map(timesAsked), [1, 1, 1], "one question for all who wait");
});

Deno.test("a server that is busy with a script is asked again for its version", async () => {
  await using server = new Versioned("busy");
  await using proxy = await RouterServer.start({ servers: [server] });
  using client = await proxy.client();
  assertEquals(await told(client), ["7.0.15", "7.0.15"]);
  server.version = "3.2.11";
  assertEquals(await told(client), ["3.2.11", "3.2.11"]);
});

Deno.test("COMMAND tells only what the oldest server knows, and what the proxy answers itself", async () => {
  await using servers = new AsyncDisposableStack();
  const versions = ["7.2.4", "3.2.11"].map((version) => new Versioned(version));
  for (const server of versions) servers.use(server);
  await using proxy = await RouterServer.start({ servers: versions });
  using client = await proxy.client();
  const list = await client.call("COMMAND", "LIST") as string[];
  const commands = list.filter((name) => !name.includes("|"));
  assertEquals(await client.call("COMMAND", "COUNT"), commands.length);
  for (const name of ["get", "sadd", "hello", "client", "slotshashkey"]) {
    assert(list.includes(name));
  }
  for (const name of ["unlink", "getdel", "copy", "lmpop", "fcall"]) assert(!list.includes(name));
  const filtered = await client.call("COMMAND", "LIST", "FILTERBY", "PATTERN", "*n*") as string[];
  assert(filtered.includes("info") && !filtered.includes("unlink"));
  const [get, unlink, object] = await client.call("COMMAND", "INFO", "get", "unlink", "object") as [
    string[],
    null,
    unknown[],
  ];
  assertEquals([get[0], unlink], ["get", null]);
  const subcommands = (object[9] as string[][]).map(([name]) => name);
  assert(subcommands.includes("object|encoding") && !subcommands.includes("object|freq"));
  const docs = await client.call("COMMAND", "DOCS", "get", "unlink", "object") as unknown[];
  assertEquals(docs.filter((_, i) => i % 2 === 0), ["get", "object"]);
  assertMatch(JSON.stringify(docs), /object\|idletime/);
  assert(!JSON.stringify(docs).includes("object|freq"));
});
