/**
 * Versions of RDBs and of their types.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { VALUE_TYPES } from "../../../../src/import/rdb/value_shape.ts";
import { rdbVersionOf } from "../../../../src/redis/rdb_version.ts";

Deno.test("each server reads the RDB version that it writes", () => {
  const versions = ["2.4.18", "2.8.21", "3.2.11", "4.0.14", "6.2.14", "7.0.15", "7.2.4", "8.0.0"];
  assertEquals(versions.map((version) => rdbVersionOf({ redis_version: version })), [
    ...[5, 6, 7, 8, 9, 10, 11, 12],
  ]);
  assertEquals(rdbVersionOf({ redis_version: "7.2.4", server_name: "valkey" }), 11);
});

Deno.test("no type is said to be older than the versions that are known to have it", () => {
  assertEquals(VALUE_TYPES.get(18)!.since, 10);
  assertEquals(VALUE_TYPES.get(20)!.since, 11);
  assertEquals(VALUE_TYPES.get(24)!.since, 12);
});
