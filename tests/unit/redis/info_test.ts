import { assertEquals } from "@std/assert";
import { databasesIn, keysIn, parseInfo } from "../../../src/redis/info.ts";

const TEXT = "# Keyspace\r\ndb0:keys=3,expires=0,avg_ttl=0\r\ndb12:keys=4,expires=1,avg_ttl=9\r\n";

Deno.test("keys are counted over all databases of a server", () => {
  const info = parseInfo(TEXT);
  assertEquals(keysIn(info), 7);
  assertEquals(databasesIn(info), [{ database: 0, keys: 3 }, { database: 12, keys: 4 }]);
  assertEquals(keysIn(parseInfo("# Server\r\nredis_version:7.0.15\r\n")), 0);
});
