/**
 * `import --from=aof:…` that is killed: what it leaves, the next one ends and removes.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { encodeRequest } from "../../../src/resp/encoder.ts";
import { ProxyProcess, startProgram } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";

Deno.test("what a killed import of an append-only file has left, the next one ends and removes", async () => {
  await using target = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ servers: [target] });
  const { folder } = proxy;
  const file = `${folder}/one.aof`;
  // Nothing that gets small when it is compressed.
  const value = crypto.getRandomValues(new Uint8Array(50_000)).toHex();
  await Deno.writeFile(file, encodeRequest(["SET", "k", value]));
  const temporary = `${folder}/tmp`;
  await Deno.mkdir(temporary);
  const start = (...words: string[]) =>
    startProgram(["import", "-c", `${folder}/config.ini`, `--from=aof:${file}`, ...words], {
      TMPDIR: temporary,
    });
  const left = () => [...Deno.readDirSync(temporary)].filter(({ name }) => /import/.test(name));

  const running = start("--rate=1kb");
  const killed = start("--rate=1kb");
  await killed.waitFor(() =>
    left().length === 2 && left().every(({ name }) => exists(`${temporary}/${name}/state`))
  );
  killed.signal("SIGKILL");
  await killed.ended;
  const links = await Promise.all(
    left().map(({ name }) =>
      Deno.connect({ transport: "unix", path: `${temporary}/${name}/redis.sock` })
    ),
  );
  const ends = links.map((link) => link.read(new Uint8Array(1)));

  assertEquals((await start().ended).code, 0);
  // What still runs is left alone.
  assertEquals(await Promise.any(ends), null);
  assertEquals(left().length, 1);
  assertEquals(running.hasEnded, false);
  running.signal("SIGTERM");
  assertEquals((await running.ended).code, 143, running.stderr);
  await Promise.all(ends);
  for (const link of links) link.close();
  assertEquals(left().length, 0);
});

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
