/** The rates of commands on the pages of servers and proxies. */

import { assertEquals } from "@std/assert";
import { commandRates, micros } from "../../../../src/dashboard/page/detail_parts.js";

const command = (name: string, calls: number, usecs: number) => ({
  ...{ name, calls, usecs, failed: 0, p50_usecs: null, p99_usecs: null },
});

Deno.test("commands come by their rate since the reading before", () => {
  const before = { at: 1_000, commands: [command("get", 100, 1_000), command("set", 900, 900)] };
  const now = {
    at: 3_000,
    commands: [command("set", 902, 904), command("get", 300, 5_000), command("ping", 4, 8)],
  };
  assertEquals(commandRates(before, now).map(({ name, rate, meanUs }) => [name, rate, meanUs]), [
    ["get", 100, 20],
    ["ping", 2, 2],
    ["set", 1, 2],
  ]);
  // Nothing to compare with, or a process that has started again: since its start.
  assertEquals(commandRates(null, before).map(({ name, rate, meanUs }) => [name, rate, meanUs]), [
    ["set", null, 1],
    ["get", null, 10],
  ]);
  assertEquals(commandRates(now, { ...before, at: 5_000 })[0]!.rate, null);
});

Deno.test("times of commands are in microseconds as long as they are short", () => {
  assertEquals(
    [null, 2.007, 93, 1_500].map(micros),
    ["–", "2.0\u202fµs", "93\u202fµs", "1.50\u202fms"],
  );
});
