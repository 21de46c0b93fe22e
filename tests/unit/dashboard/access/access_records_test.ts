/**
 * The users that the dashboard goes by are those that the store has.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { AccessRecords } from "../../../../src/dashboard/access/access_records.ts";
import { encodeDashboardUsers } from "../../../../src/model/dashboard_user.ts";
import { createFolders } from "../../../../src/store/store.ts";
import { StoreFolder } from "../../../support/store.ts";

Deno.test("an answer of the store that is late brings no user back", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  const { coordinator, paths } = store;
  const alice = {
    name: "alice",
    role: "admin",
    password: "",
    created_at: 1,
    changed_at: 1,
  } as const;
  const data = encodeDashboardUsers([alice]);
  await createFolders(store);
  await coordinator.transact([{ create: paths.dashboardUsers, data, isLeaf: true }]);
  const records = new AccessRecords(store);
  const read = coordinator.read.bind(coordinator);
  let reads = 0;
  coordinator.read = async (path) => {
    const answer = await read(path);
    if (reads++ === 0) await delay(200);
    return answer;
  };
  const first = records.refresh();
  await delay(50);
  await coordinator.transact([{ write: paths.dashboardUsers, data: encodeDashboardUsers([]) }]);
  await Promise.all([first, records.refresh()]);
  assertEquals(records.user("alice"), undefined);
});
