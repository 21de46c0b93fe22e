/**
 * What requests may bring is what the command line and the page let through.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { GROUP_ID } from "../../../src/cli/parts/arguments.ts";
import { groupIdIn, groupIdOfPath } from "../../../src/dashboard/input.ts";
import { GROUP_ACTIONS } from "../../../src/dashboard/page/group_actions.js";
import { GROUP_ID_MAX, GROUP_ID_MIN } from "../../../src/model/group.ts";

Deno.test("API, command line and page take the same numbers for groups", () => {
  for (const id of [GROUP_ID_MIN, GROUP_ID_MAX]) {
    assertEquals(GROUP_ID.parse(`${id}`), id);
    assertEquals(groupIdOfPath(`${id}`), id);
    assertEquals(groupIdIn({ id }, "id"), id);
  }
  for (const id of [GROUP_ID_MIN - 1, GROUP_ID_MAX + 1]) {
    assertThrows(() => GROUP_ID.parse(`${id}`));
    assertThrows(() => groupIdOfPath(`${id}`));
    assertThrows(() => groupIdIn({ id }, "id"));
  }
  const [field] = GROUP_ACTIONS["add_group"]!.fields!;
  assertEquals([field!.least, field!.most], [GROUP_ID_MIN, GROUP_ID_MAX]);
});
