/**
 * Which groups' masters sentinels can be told to watch.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { fitGroups } from "../../../src/control/sentinel_sync.ts";
import type { GroupRecord } from "../../../src/model/group.ts";

function group(id: number, addr: string): GroupRecord {
  return { id, product_name: "test", servers: [{ type: "master", group_id: id, addr }] };
}

Deno.test("a master whose name has no address keeps no other group from being watched", async () => {
  const control = { redis: () => Promise.reject(new Error("connection refused")) };
  const groups = [group(1, "name.invalid:6379"), group(2, "127.0.0.1:6379")];
  const { fit, problems } = await fitGroups(control, groups, () => false);
  assertEquals(fit.map(({ id }) => id), [2]);
  assertEquals(problems.length, 1);
  assertEquals(problems[0]!.startsWith('group 1: the name "name.invalid" '), true, problems[0]);
});
