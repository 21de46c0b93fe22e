/**
 * Which clients protected mode serves.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { ProtectedMode } from "../../../../src/router/client/protected_mode.ts";
import type { RouterEvents } from "../../../../src/router/events.ts";
import { Users } from "../../../../src/acl/users.ts";
import type { RouterOptions } from "../../../../src/router/options.ts";

const HERE = ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"];
const ELSEWHERE = ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", "fe80::1", "::", "127.evil.org"];

function modeOf(options: Partial<RouterOptions>): { mode: ProtectedMode; reports: string[] } {
  const reports: string[] = [];
  const events = {
    clientsProtectedFrom: (address, count) => reports.push(`${count} ${address}`),
  } as Partial<RouterEvents> as RouterEvents;
  return {
    mode: new ProtectedMode(
      { isProtected: true, ...options } as RouterOptions,
      new Users([options.password ?? ""]),
      events,
    ),
    reports,
  };
}

const from = (hostname: string): Deno.NetAddr => ({ transport: "tcp", hostname, port: 1 });

Deno.test("ProtectedMode serves only addresses of this machine", () => {
  const { mode } = modeOf({});
  for (const hostname of HERE) assertEquals(mode.isRefused(from(hostname)), false, hostname);
  for (const hostname of ELSEWHERE) assertEquals(mode.isRefused(from(hostname)), true, hostname);
});

Deno.test("ProtectedMode serves every machine with a password, or when it is off", () => {
  for (const options of [{ password: "secret" }, { isProtected: false }]) {
    const { mode, reports } = modeOf(options);
    for (const hostname of ELSEWHERE) assertEquals(mode.isRefused(from(hostname)), false, hostname);
    assertEquals(reports, []);
  }
});

Deno.test("ProtectedMode reports the first client that it refuses, not each one", () => {
  const { mode, reports } = modeOf({});
  for (let i = 0; i < 1_000; i++) mode.isRefused(from("::ffff:192.0.2.7"));
  assertEquals(reports, ["1 192.0.2.7"]);
});
