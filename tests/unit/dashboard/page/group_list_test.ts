/** The rows of the table of groups. */

import { assertEquals } from "@std/assert";
import { groupFigures, sortedGroups } from "../../../../src/dashboard/page/group_list.js";
import { VIEW } from "../../../support/cluster_view.ts";

const ROWS = VIEW.groups.map(groupFigures);

Deno.test("a row has the master's figures, the lag of its replica and the worst state", () => {
  const { memory, keys, ops, clients, lag, up, servers, state, tone } = ROWS[0]!;
  assertEquals([memory, keys, ops, clients, lag], [512 * 1024 ** 2, 500_000, 600.2, 4, 12]);
  assertEquals([up, servers, state, tone], [2, 2, "in sync", "good"]);
  assertEquals([ROWS[1]!.state, ROWS[1]!.tone], ["master down: connection refused", "bad"]);
  assertEquals([ROWS[2]!.state, ROWS[2]!.keys], ["no server", null]);
  const [master, replica] = VIEW.groups[0]!.servers;
  const link = { master: "redis-1:6379", is_up: false, lag_bytes: null };
  const group = { ...VIEW.groups[0]!, servers: [master!, { ...replica!, replication: link }] };
  assertEquals(groupFigures(group).state, "link down: redis-2:6379");
  assertEquals(groupFigures({ ...group, servers: [replica!] }).state, "no master");
});

Deno.test("groups are sorted by any column, the unknown last", () => {
  const ids = (...order: [Parameters<typeof sortedGroups>[1], boolean]) =>
    sortedGroups(ROWS, ...order).map(({ id }) => id);
  assertEquals(ids("id", false), [1, 2, 3]);
  assertEquals(ids("id", true), [3, 2, 1]);
  assertEquals(ids("state", true), [2, 3, 1]);
  assertEquals(ids("slots", false), [3, 1, 2]);
  assertEquals(ids("keys", true), [1, 2, 3]);
  assertEquals(ids("keys", false), [1, 2, 3]);
});
