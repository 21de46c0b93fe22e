/** What a stored ring guarantees. */

import { assertEquals } from "@std/assert";
import { StoredRing } from "../../../src/control/stored_ring.ts";
import type { AuditEntry } from "../../../src/model/audit_entry.ts";
import { AUDIT_RINGS } from "../../../src/store/page_rings.ts";
import { createFolders } from "../../../src/store/store.ts";
import { StoreFolder } from "../../support/store.ts";

function entry(request: string): Omit<AuditEntry, "seq"> {
  const end = { status: 200, end: "ok", count: 1 };
  return { at: 1, who: "w", address: "", by: "api", request, arguments: "", ...end };
}

Deno.test("what is noted before a dashboard leads, or while it reads what was noted before, is kept", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  await createFolders(store);
  const open = () =>
    new StoredRing(store, AUDIT_RINGS.done, async (operations) => {
      await store.coordinator.transact(operations);
    });
  const earlier = open();
  await earlier.load();
  earlier.add(entry("earlier"), 0);
  await earlier.flush();
  earlier.unload();

  const ring = open();
  ring.add(entry("before"), 0);
  const loaded = ring.load();
  ring.add(entry("meanwhile"), 0);
  await loaded;
  await ring.flush();
  ring.unload();
  const later = open();
  await later.load();
  const requests = later.records.map(({ seq, request }) => [seq, request]);
  assertEquals(requests, [[0, "earlier"], [1, "before"], [2, "meanwhile"]]);
  later.unload();
});
