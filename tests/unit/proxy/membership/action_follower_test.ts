/**
 * Whom an action is for, by Codis 2.0's rule.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { isReceiver } from "../../../../src/proxy/membership/action_follower.ts";

const OWN = { id: "proxy_1", pid: 7, start_at: "2026-11-22 05:16:07 +0000 UTC" };
const json = (change: object) => JSON.stringify({ ...OWN, state: "online", ...change });

const CASES: readonly [name: string, receivers: string[] | null, expected: boolean][] = [
  ["nobody", null, false],
  ["an empty list", [], false],
  ["us", [json({})], true],
  ["us behind others", [json({ id: "proxy_0" }), json({})], true],
  ["an earlier process of ours", [json({ pid: 6 })], false],
  ["another start of the same pid", [json({ start_at: "2026-11-22 05:16:08 +0000 UTC" })], false],
  ["our id alone", ["proxy_1"], true],
  ["another id alone, which hides who is behind it", ["proxy_2", json({})], false],
  ["JSON that is no record, which hides who is behind it", ["12", json({})], false],
];

for (const [name, receivers, expected] of CASES) {
  Deno.test(`isReceiver() ${expected ? "takes" : "refuses"} an action for ${name}`, () => {
    assertEquals(isReceiver(receivers, OWN), expected);
  });
}
