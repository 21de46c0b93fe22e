/** What the picture of the cluster shows. */

import { assertEquals } from "@std/assert";
import { thickness, topologyOf, topologyWords } from "../../../../src/dashboard/page/topology.js";
import { VIEW } from "../../../support/cluster_view.ts";

Deno.test("what is broken comes first, and says what it is", () => {
  const { proxies, groups } = topologyOf(VIEW);
  assertEquals(proxies.map(({ name, ops, tone }) => [name, ops, tone]), [
    ["proxy_1", 1234.4, "good"],
  ]);
  assertEquals(groups.map(({ name, ops, tone }) => [name, ops, tone]), [
    ["group 2", 512, "bad"],
    ["group 1", 512, "good"],
    ["group 3", 0, "off"],
  ]);
  assertEquals(
    topologyWords({ proxies, groups }, VIEW),
    "50 clients send 1\u202f234 requests/s to the proxies, which send them by slot to the groups. " +
      "Broken: group 2 (master down: connection refused).",
  );
});

Deno.test("of many, the least are one box", () => {
  const many = Array.from({ length: 40 }, (_, i) => ({ ...VIEW.proxies[0]!, id: `p${i}`, ops: i }));
  const { proxies } = topologyOf({ ...VIEW, proxies: many });
  assertEquals(proxies.length, 12);
  assertEquals([proxies[0]!.name, proxies.at(-1)!.name], ["p29", "29 other proxies"]);
  assertEquals(proxies.at(-1)!.ops, 28 * 29 / 2);
});

Deno.test("a line is as thick as its traffic", () => {
  assertEquals([thickness(0, 0), thickness(0, 9), thickness(9, 9)], [1.5, 1.5, 14]);
  assertEquals(thickness(null, 9), 1.5);
});
