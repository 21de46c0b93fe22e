/** The rates of commands on the pages of servers and proxies. */

import { assertEquals } from "@std/assert";
import { commandRates } from "../../../../src/dashboard/page/detail_parts.js";

const command = (name: string, calls: number, usecs: number) => ({
  ...{ name, calls, usecs, failed: 0, p50_usecs: null, p99_usecs: null },
});

Deno.test("commands come by their rate since the reading before", () => {
  const before = { at: 1_000, commands: [command("get", 100, 1_000), command("set", 900, 900)] };
  const now = {
    at: 3_000,
    commands: [command("set", 902, 904), command("get", 300, 5_000), command("ping", 4, 8)],
  };
  assertEquals(commandRates(before, now).map(({ name, rate, meanMs }) => [name, rate, meanMs]), [
    ["get", 100, 0.02],
    ["ping", 2, 0.002],
    ["set", 1, 0.002],
  ]);
  // Nothing to compare with, or a process that has started again: since its start.
  assertEquals(commandRates(null, before).map(({ name, rate, meanMs }) => [name, rate, meanMs]), [
    ["set", null, 0.001],
    ["get", null, 0.01],
  ]);
  assertEquals(commandRates(now, { ...before, at: 5_000 })[0]!.rate, null);
});
