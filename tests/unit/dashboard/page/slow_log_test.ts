/** What the page shows of a slow request. */

import { assertEquals } from "@std/assert";
import { longestFirst } from "../../../../src/dashboard/page/slow_log.js";

Deno.test("the longest stage comes first", () => {
  assertEquals(longestFirst({ usecs: 40, stages: { queue: 10, server: 30 } }), [
    { name: "server", usecs: 30, share: 0.75 },
    { name: "queue", usecs: 10, share: 0.25 },
  ]);
  assertEquals(longestFirst({ usecs: 0, stages: {} }), []);
});
