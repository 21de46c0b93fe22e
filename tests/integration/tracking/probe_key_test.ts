/**
 * The key with which a migration tries the way is not seen by clients: not as an invalidation, and not as a
 * keyspace event.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { probeKey } from "../../../src/resp/probe_key.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";
import { RouterServer } from "../../support/router_server.ts";

/** What came to a client, as text. */
async function heard(client: RespClient): Promise<string> {
  return new TextDecoder().decode((await client.read()).raw);
}

for (const way of ["RESP3", "REDIRECT"]) {
  Deno.test(`a client of CLIENT TRACKING BCAST hears nothing of it, ${way}`, async () => {
    await using server = await RedisServer.start();
    await using proxy = await RouterServer.start({ servers: [server] });
    using direct = await server.client();
    using reader = await proxy.client();
    using listener = await proxy.client();
    if (way === "RESP3") {
      await reader.call("HELLO", 3);
      await reader.call("CLIENT", "TRACKING", "ON", "BCAST");
    } else {
      const id = `${await listener.call("CLIENT", "ID")}`;
      await listener.call("SUBSCRIBE", "__redis__:invalidate");
      await reader.call("CLIENT", "TRACKING", "ON", "BCAST", "REDIRECT", id);
    }
    await direct.call("SET", probeKey(), "v");
    await direct.pipeline([["SET", probeKey(), "v"], ["SET", "mine", "v"]]);
    await direct.call("SET", "last", "v");
    const found = way === "RESP3" ? reader : listener;
    // The server tells of what was written in one turn at once.
    let text = "";
    while (!text.includes("last")) text += await heard(found);
    assertEquals([text.includes("mine"), text.includes("codis-mover")], [true, false]);
  });
}

Deno.test("a subscriber of keyspace events hears nothing of it", async () => {
  await using server = await RedisServer.start({ args: ["--notify-keyspace-events", "AKE"] });
  await using proxy = await RouterServer.start({ servers: [server] });
  using direct = await server.client();
  using client = await proxy.client();
  await client.call("PSUBSCRIBE", "__key*__:*");
  await direct.call("SET", probeKey(), "v");
  await direct.call("SET", "mine", "v");
  const events = [await client.read(), await client.read()].map(({ value }) =>
    (value as string[]).slice(2).join(" ")
  );
  assertEquals(events.sort(), ["__keyevent@0__:set mine", "__keyspace@0__:mine set"]);
});
