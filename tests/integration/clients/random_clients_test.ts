/**
 * Many clients at once, each with random pipelines of mixed commands: every reply is right and in its
 * place, byte for byte.
 *
 * `MODEL_CLIENTS` sets how many clients, `FUZZ_SEED` repeats a run.
 *
 * @module
 */

import { assert } from "@std/assert";
import fc from "fast-check";
import { until } from "../../support/deadline.ts";
import { chance, FUZZ_SEED, fuzzParameters } from "../../support/fuzz.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { runRandomClient } from "../../support/random_client.ts";
import { RedisModel } from "../../support/redis_model.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { ReplyError } from "../../support/resp_value.ts";

const CLIENTS = Number(Deno.env.get("MODEL_CLIENTS") ?? 60);
/** Requests of each client. */
const REQUESTS = 250;

/** Before a server has said what it knows, a command that the proxy does not know gets another error. */
async function untilCommandsAreKnown(proxy: ProxyProcess): Promise<void> {
  using client = await proxy.client();
  await until(async () =>
    (await client.call("NOSUCH") as ReplyError).message.includes("unknown command")
  );
}

Deno.test("a model of Redis answers as redis-server itself does", async () => {
  // The model is what the proxy is measured with, so it is measured first.
  await using redis = await RedisServer.start();
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      await runRandomClient(redis.port, 0, 600, chance(seed), new RedisModel(false));
      using client = await redis.client();
      await client.call("FLUSHALL");
    }),
    { ...fuzzParameters(6), endOnFailure: true },
  );
});

Deno.test(`${CLIENTS} clients with random pipelines get what a model of Redis says, in order`, async () => {
  await using servers = await RedisServer.startMany(3);
  for (const readMode of ["byob", "direct"]) {
    // A thousand clients in one process read slower than the proxy bears with.
    const config = { read_mode: readMode, session_write_timeout: 600 };
    await using proxy = await ProxyProcess.start({ servers, config });
    await untilCommandsAreKnown(proxy);
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const startedMs = performance.now();
        const reports = await Promise.all(
          Array.from(
            { length: CLIENTS },
            (_, id) => runRandomClient(proxy.port, id, REQUESTS, chance(seed + id * 7919)),
          ),
        );
        const requests = reports.reduce((sum, report) => sum + report.requests, 0);
        const megabytes = reports.reduce((sum, report) => sum + report.receivedBytes, 0) / 2 ** 20;
        const seconds = (performance.now() - startedMs) / 1000;
        console.log(
          `${readMode}: FUZZ_SEED=${FUZZ_SEED}, ${CLIENTS} clients, ${requests} requests, ${
            megabytes.toFixed(0)
          } MB received, ` +
            `${seconds.toFixed(1)} s, RSS ${
              ((await proxy.figures()).rssBytes / 2 ** 20).toFixed(0)
            } MB`,
        );
        assert(requests === CLIENTS * REQUESTS);
        using client = await servers[0]!.client();
        await client.call("FLUSHALL");
        for (const server of servers) {
          using direct = await server.client();
          await direct.call("FLUSHALL");
        }
      }),
      { ...fuzzParameters(1), endOnFailure: true },
    );
  }
});
