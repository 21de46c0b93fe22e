/**
 * Which servers can follow which.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { leftBehind, whyNotFollow } from "../../../src/control/mixed_groups.ts";
import type { RedisInfo } from "../../../src/redis/info.ts";

const INFOS: Record<string, RedisInfo> = {
  fork: { redis_version: "2.8.21" },
  fork3: { redis_version: "3.2.11" },
  redis: { redis_version: "7.0.15" },
  valkey: { redis_version: "7.2.4", server_name: "valkey", valkey_version: "8.0.1" },
};

Deno.test("a server follows none that writes newer data than it can read, and both are named", () => {
  const names = Object.keys(INFOS);
  const refused = names.flatMap((replica) =>
    names.filter((master) => whyNotFollow(INFOS[replica], INFOS[master]) !== "")
      .map((master) => `${replica} of ${master}`)
  );
  assertEquals(refused, [
    ...["fork of fork3", "fork of redis", "fork of valkey", "fork3 of redis", "fork3 of valkey"],
    "redis of valkey",
  ]);
  assertEquals(
    whyNotFollow(INFOS.fork, INFOS.valkey),
    "is Redis 2.8.21, which cannot read the data of Valkey 8.0.1",
  );
});

Deno.test("what is not known is not refused", async () => {
  assertEquals(whyNotFollow(undefined, INFOS.redis), "");
  assertEquals(whyNotFollow({}, INFOS.redis), "");
  assertEquals(whyNotFollow(INFOS.fork, undefined), "");
  const servers = ["redis", "fork", "valkey", "gone"].map((addr) => (
    { addr, type: "slave", group_id: 1 } as const
  ));
  const group = { id: 1, product_name: "p", servers };
  assertEquals([...await leftBehind(group, "redis", (addr) => INFOS[addr])], ["fork"]);
  assertEquals([...await leftBehind(group, "fork", (addr) => INFOS[addr])], []);
});
