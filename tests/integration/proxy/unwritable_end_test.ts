/**
 * What is left of a proxy that ends in order while its coordinator takes no changes, and what its next start does.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { loadFences } from "../../../src/store/fences.ts";
import { Child } from "../../support/child.ts";
import { freePort } from "../../support/free_port.ts";
import { configText, programWords } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";

const BLOCK_BYTES = 512;
/** What the proxy may store before its disk is full. */
const ROOM_BYTES = 256 * 1024;

Deno.test("a proxy whose fence could not be removed at its end proves that end: its next start removes it", async () => {
  await using folder = await StoreFolder.make();
  await using server = await RedisServer.start();
  const store = await folder.openFilled(server.addr);
  const [addr, http] = [`127.0.0.1:${freePort()}`, `127.0.0.1:${freePort()}`];
  const file = `${folder.dir}/config.ini`;
  await Deno.writeTextFile(file, configText({ embedded_dir: folder.dir, announce_addr: addr }));
  const words = programWords(["proxy", "-c", file, `--addr=${addr}`, `--http-addr=${http}`]);
  const env = { TMPDIR: folder.dir };
  const { size } = await Deno.stat(`${folder.dir}/journal`);
  const blocks = Math.ceil((size + ROOM_BYTES) / BLOCK_BYTES);
  // A file that may get no longer is as a full disk.
  const limited = `trap '' XFSZ; ulimit -f ${blocks}; exec "$@"`;
  const first = new Child("sh", { args: ["-c", limited, "sh", ...words], env });
  try {
    await first.waitFor(() => first.stderr.includes("serving on"));
    await store.coordinator.create("/other", "z".repeat(ROOM_BYTES));
  } finally {
    await first.end("SIGTERM");
  }
  assertStringIncludes(first.stderr, "own entry and fence not removed");
  assertEquals(await loadFences(store), [addr]);

  const [program, ...args] = words;
  const second = new Child(program!, { args, env });
  try {
    await second.waitFor(() => second.stderr.includes("serving on"));
  } finally {
    await second.end("SIGTERM");
  }
  assertStringIncludes(second.stderr, `removed the fence of ${addr}: its process is gone`);
  assertEquals(await loadFences(store), []);
  assertEquals([...Deno.readDirSync(folder.dir)].filter(({ name }) => /life$/.test(name)), []);
});
