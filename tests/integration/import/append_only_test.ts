/**
 * `import --from=aof:…`: append-only files of real servers, of one file and of several parts.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { encodeRequest } from "../../../src/resp/encoder.ts";
import { latin1 } from "../../../src/resp/latin1.ts";
import { ProxyProcess, startProgram } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";
import { makeAllValues } from "./all_values.ts";

function lines(...words: string[]): string {
  return latin1(encodeRequest(words));
}

Deno.test("an append-only file is imported with all its changes, and is left as it is", async () => {
  await using source = await RedisServer.start({ args: ["--appendonly", "yes"] });
  await using targets = await RedisServer.startMany(2);
  await using proxy = await ProxyProcess.start({ servers: targets });
  using client = await RespClient.connect(source.port);
  using product = await RespClient.connect(proxy.port);
  const run = async (from: string, ...words: string[]) => {
    const config = `${proxy.folder}/config.ini`;
    const child = startProgram(["import", "-c", config, `--from=aof:${from}`, ...words]);
    const { code } = await child.ended;
    return { code, output: child.stdout, error: child.stderr };
  };
  await makeAllValues(client);
  // It would be gone before its life is prolonged, if times were followed while the file is read.
  await client.call("SET", "prolonged", "v", "PX", 600);
  await client.call("BGREWRITEAOF");
  const [, folder] = await client.call("CONFIG", "GET", "dir") as string[];
  while (
    /aof_rewrite_(in_progress|scheduled):1/.test(await client.call("INFO", "persistence") as string)
  ) {
    await delay(20);
  }
  for (
    const words of [
      ["APPEND", "prolonged", "w"],
      ["PERSIST", "prolonged"],
      ["SET", "over", "v", "PX", 300],
      ["SADD", "a", 1, 2],
      ["SADD", "b", 2, 3],
      ["SUNIONSTORE", "c", "a", "b"],
      ["RENAME", "a", "renamed"],
      ["MULTI"],
      ["INCR", "n1"],
      ["INCR", "n2"],
      ["EXEC"],
      ["SELECT", 7],
      ["RPUSH", "elsewhere", 1],
      ["SELECT", 0],
    ]
  ) await client.call(...words as [string, ...string[]]);
  await delay(700);
  await client.call("SET", "last", "cut off");
  const parts = `${folder}/appendonlydir`;
  const last = `${parts}/appendonly.aof.2.incr.aof`;
  while (!(await Deno.readTextFile(last)).includes("cut off")) await delay(20);
  await source.kill();
  await Deno.truncate(last, (await Deno.stat(last)).size - 4);
  const before = await Deno.readFile(last);

  const done = await run(parts, "--verify=all");
  assertEquals(done.code, 0, done.error);
  assertEquals(JSON.parse(done.output).verified.different, 0);
  assertEquals(await product.call("GET", "prolonged"), "vw");
  assertEquals(await product.call("TTL", "prolonged"), -1);
  assertEquals(await product.call("EXISTS", "over", "last", "a"), 0);
  assertEquals(await product.call("SCARD", "c"), 3);
  assertEquals(await product.call("MGET", "n1", "n2"), ["1", "1"]);
  assertEquals(await product.call("LLEN", "list:large"), 200);
  await product.call("SELECT", 7);
  assertEquals(await product.call("LLEN", "elsewhere"), 1);
  assertEquals(await Deno.readFile(last), before);
  const names = await Array.fromAsync(Deno.readDir(parts), ({ name }) => name);
  assertEquals(names.length, 3, names.join());

  // As before Redis 7: one file.
  const single = `${proxy.folder}/old.aof`;
  const text = lines("SELECT", "3") + "#TS:1628217470\r\n" + lines("SET", "k", "v") +
    lines("INCR", "n");
  await Deno.writeTextFile(single, text);
  const unused = `--from-password-file=${proxy.folder}/config.ini`;
  const old = await run(single, "--strip=k", "--prefix=kk", unused);
  assertEquals([old.code, JSON.parse(old.output).keys], [0, 1], old.error);
  await product.call("SELECT", 3);
  assertEquals(await product.call("GET", "kk"), "v");

  await Deno.writeTextFile(single, `${text}*1\r\n$4\r\nwhat\r\n${text}`);
  const bad = await run(single);
  assertEquals(bad.code, 1);
  assertStringIncludes(bad.error, "Unknown command 'what' reading the append only file");
  assertStringIncludes((await run(`${proxy.folder}/none`)).error, "cannot be read");
  assertStringIncludes((await run(proxy.folder)).error, "has no *.manifest");
  assertStringIncludes((await run(single, "--switch-over")).error, "--switch-over is for sources");
  assert((await Array.fromAsync(Deno.readDir(proxy.folder))).length > 0);
});
