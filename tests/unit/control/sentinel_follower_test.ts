/**
 * When groups are judged again, of which sentinels have said more meanwhile.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Control } from "../../../src/control/control.ts";
import { SentinelFollower } from "../../../src/control/sentinel_follower.ts";
import type { GroupRecord } from "../../../src/model/group.ts";

function group(id: number): GroupRecord {
  const server = { type: "master", group_id: id, addr: `a:${id}` } as const;
  return { id, product_name: "test", servers: [server] };
}

Deno.test("a group is judged again for its own sake only: two do not keep each other busy", async () => {
  const missed: number[] = [];
  const follower = new SentinelFollower({
    control: { outage: () => {} } as unknown as Control,
    servers: { downMs: () => 0, infoOf: () => undefined },
    isHeld: () => false,
    onMissed: (groupId) => missed.push(groupId),
    takeMaster: () => Promise.reject(new Error("nobody decides")),
  });
  const judged = [1, 1, 2].map((id) => follower.judge(group(id), [], 3));
  await Promise.all(judged);
  assertEquals(missed, [1]);
  assertEquals(follower.problemOf(2), "0 of 3 sentinels answer, 2 are needed");
});
