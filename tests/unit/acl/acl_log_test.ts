/**
 * ACL LOG: what is alike is one entry, of one worker or of several.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { AclLog, type AclLogEntry, mergeAclLogs } from "../../../src/acl/acl_log.ts";

function event(object: string, timeMs: number): Omit<AclLogEntry, "count"> {
  return {
    reason: "key",
    context: "toplevel",
    object,
    username: "u",
    timeMs,
    clientInfo: `at ${timeMs}`,
  };
}

const shown = (entries: readonly AclLogEntry[]) =>
  entries.map(({ object, count, timeMs }) => [object, count, timeMs]);

Deno.test("events that are alike within a minute are counted together, the newest first", () => {
  const log = new AclLog();
  for (const [object, timeMs] of [["a", 0], ["b", 1], ["a", 2], ["a", 70_000]] as const) {
    log.add(event(object, timeMs));
  }
  assertEquals(shown(log.read(false)), [["a", 1, 70_000], ["a", 2, 2], ["b", 1, 1]]);
  for (let i = 0; i < 300; i++) log.add(event(`k${i}`, 80_000));
  assertEquals(log.read(true).length, 128);
  assertEquals(log.read(false), []);
});

Deno.test("logs of several workers are shown as one", () => {
  const [one, other] = [new AclLog(), new AclLog()];
  one.add(event("a", 10));
  one.add(event("b", 20));
  other.add(event("a", 30));
  const merged = mergeAclLogs([one.read(false), other.read(false)]);
  assertEquals(shown(merged), [["a", 2, 30], ["b", 1, 20]]);
});
