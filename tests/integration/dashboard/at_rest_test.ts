/**
 * Guards what a whole system in one process, with the dashboard in it, allocates while nobody asks for anything:
 * V8 gives memory back to the system only while that is less than 1 MB/s, and collecting it costs CPU.
 *
 * The heap's young part is made so large that hardly anything is collected while it is measured.
 *
 * @module
 */

import { assert } from "@std/assert";
import { delay } from "@std/async/delay";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";

/** Bytes per second when this was written, with what asking for it costs. */
const BYTES = 450_000;
/** How much more is noticed. */
const TOLERANCE = 1.2;
/** Slots and groups are read every 10 s: a round of that is in it. */
const ROUNDS = 4;
const ROUND_SECONDS = 3;
const START_MS = 3_000;

Deno.test({
  name: "a system in one process allocates little while nobody uses it",
  // The heap of a built file is its own.
  ignore: Deno.env.has("CODIS_PROXY_BIN"),
  async fn() {
    await using server = await RedisServer.start();
    await using proxy = await ProxyProcess.start({
      servers: [server],
      flags: ["--v8-flags=--min-semi-space-size=256,--max-semi-space-size=256"],
    });
    const heapBytes = async (): Promise<number> =>
      (await (await fetch(proxy.url("/debug/vars"))).json()).memstats.HeapAlloc;
    await delay(START_MS);
    const found: number[] = [];
    for (let round = 0; found.length < ROUNDS && round < 3 * ROUNDS; round++) {
      const before = await heapBytes();
      await delay(ROUND_SECONDS * 1000);
      const bytes = await heapBytes() - before;
      // Less than nothing: it was collected on the way.
      if (bytes > 0) found.push(bytes / ROUND_SECONDS);
    }
    const mean = found.reduce((sum, bytes) => sum + bytes, 0) / found.length;
    console.log(`${found.map((bytes) => `${Math.round(bytes / 1000)}`).join(", ")} KB/s`);
    assert(mean < BYTES * TOLERANCE, `${Math.round(mean)} bytes per second`);
    assert(mean > BYTES / 5, `only ${Math.round(mean)} bytes per second: is it measured at all?`);
  },
});
