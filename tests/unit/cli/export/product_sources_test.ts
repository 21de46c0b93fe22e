/**
 * The groups of a product as sources of an export.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { ProductSources } from "../../../../src/cli/export/product_sources.ts";
import { parseConfig } from "../../../../src/config/load.ts";
import type { Coordinator } from "../../../../src/coordinator/coordinator.ts";
import { NoNodeError } from "../../../../src/coordinator/errors.ts";
import type { ImportRun } from "../../../../src/import/import_run.ts";
import { ChangeError } from "../../../../src/import/stream/change_writer.ts";
import { encodeServer } from "../../../../src/model/server.ts";
import { encodeSlotRules } from "../../../../src/model/slot_rule.ts";
import { storeOf } from "../../../../src/store/store.ts";
import { VirtualTime } from "../../../support/virtual_time.ts";

/** A product of one group, and its entries. */
function madeUpStore() {
  const entries = new Map<string, string>();
  const tree = {
    read: (path: string) => {
      const data = entries.get(path);
      return data === undefined
        ? Promise.reject(new NoNodeError(path, "read"))
        : Promise.resolve({ data, version: 0 });
    },
    children: (path: string) =>
      Promise.resolve(
        [...entries.keys()].map((entry) => entry.split("/")).filter((names) =>
          names.slice(0, -1).join("/") === path
        ).map((names) => names.at(-1)!),
      ),
  };
  const store = storeOf(tree as unknown as Coordinator, "test");
  const [addr, type] = ["127.0.0.1:1", "master"] as const;
  entries.set(store.paths.group(1), "");
  entries.set(store.paths.server(1, addr), encodeServer({ type, group_id: 1, addr }));
  return { entries, store, server: store.paths.server(1, addr) };
}

const { config } = parseConfig("", "test");

Deno.test("a group may have no master for a moment; one that is gone ends an export", async () => {
  const { entries, store, server } = madeUpStore();
  const { places } = await ProductSources.read(store, config);
  const locate = async () => (await places.get("group 1")!.locate!()).address.port;
  const addr = "127.0.0.1:1";
  entries.set(server, encodeServer({ type: "slave", group_id: 1, addr }));
  assertEquals(await locate(), 1);
  entries.delete(server);
  await assertRejects(locate, ChangeError, "group 1 is gone, or has no servers");
  entries.delete(store.paths.group(1));
  await assertRejects(locate, ChangeError, "group 1 is gone, or has no servers");
});

Deno.test("slot rules that change before anything is followed end an export, as later ones do", async () => {
  const { entries, store } = madeUpStore();
  const sources = await ProductSources.read(store, config);
  const rules = [{ pattern: "a*", tag: "a" }];
  entries.set(store.paths.slotRules, encodeSlotRules({ rules, pending: null }));

  using time = new VirtualTime();
  const run = { sources: [], isEnded: false } as unknown as ImportRun;
  const watching = sources.watch(run, () => Promise.resolve());
  await assertRejects(
    () => time.until(watching, 20_000),
    ChangeError,
    "slot rules have changed",
  );
});
