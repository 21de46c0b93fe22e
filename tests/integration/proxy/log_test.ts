/**
 * The log of a real proxy, as an operator reads it.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { until } from "../../support/deadline.ts";
import { ProxyProcess, startProgram } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";

interface Line {
  readonly level: string;
  readonly module: string;
  readonly message: string;
}

/** Sends what is not the Redis protocol, and waits for the end. */
async function sendGarbage(port: number): Promise<void> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(new TextEncoder().encode("*3\r\n$zz\r\n"));
  const buffer = new Uint8Array(1024);
  while (await conn.read(buffer) !== null);
}

Deno.test("standard output has JSON: floods are counted, and who did what is told", async () => {
  await using servers = await RedisServer.startMany(1);
  await using proxy = await ProxyProcess.start({
    servers,
    config: { log_format: "json" },
    args: ["-L", "-"],
  });
  const lines = (text: string): Line[] =>
    proxy.child.stdout.trim().split("\n").map((line) => JSON.parse(line) as Line)
      .filter(({ message }) => message.includes(text));

  for (let i = 0; i < 40; i++) await sendGarbage(proxy.port);
  assertEquals(lines("a client of 127.0.0.1 was closed").length, 1);

  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ from: 0, to: 1, new_group: 99, delay: 0 });
  const response = await fetch(proxy.url("/api/migrate"), { method: "POST", headers, body });
  await response.body?.cancel();
  await until(() => lines("/api/migrate").length === 1);
  const [asked] = lines("/api/migrate");
  assertEquals([asked!.level, asked!.module], ["warn", "audit"]);
  assertMatch(
    asked!.message,
    /^this machine \(api at 127\.0\.0\.1\): POST \/api\/migrate from=0 to=1 new_group=99 delay=0: \d+ /,
  );

  assertEquals(await proxy.stop(), 0);
  // What was counted is not lost with the process.
  assertMatch(lines("times more")[0]!.message, /invalid bulk length.* \(39 times more in \d+ s\)$/);
  assertEquals(proxy.child.stderr, "");
});

Deno.test("a start that fails says why on standard error and in the log file", async () => {
  const folder = await Deno.makeTempDir();
  try {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const addr = `127.0.0.1:${(taken.addr as Deno.NetAddr).port}`;
    await Deno.writeTextFile(`${folder}/config.ini`, `embedded_dir = ${folder}/data\n`);
    const child = startProgram([
      ...["proxy", "-c", `${folder}/config.ini`, `--addr=${addr}`, "--http-addr=127.0.0.1:0"],
      ...["-L", `${folder}/proxy.log`],
    ]);
    assertEquals((await child.ended).code, 1);
    const why = `cannot listen on ${addr}: the address is in use by another process`;
    assert(child.stderr.includes(why), child.stderr);
    const log = await Deno.readTextFile(`${folder}/proxy.log.0`);
    assert(log.includes(`[ERROR] log: the process ends: ${why}`), log);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
