/**
 * What a session's deadlines guarantee.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { overdueReason, type SessionTimes } from "../../../../src/router/client/deadlines.ts";
import { testOptions } from "../../../support/router_server.ts";

const options = testOptions({
  sessionIdleMs: 1_800_000,
  sessionAuthMs: 10_000,
  sessionPartialMs: 30_000,
  sessionWriteMs: 20_000,
});

/** A session that opened at 1 000 000 ms and has done nothing since. */
const quiet: SessionTimes = {
  nowMs: 1_000_000,
  createdMs: 1_000_000,
  lastReadMs: 1_000_000,
  lastWroteMs: 1_000_000,
  partialSinceMs: 0,
  partialBytes: 0,
  hasUnsent: false,
  hasRequests: false,
  isAuthenticated: true,
  isSubscribed: false,
};

const since = (ms: number, change: Partial<SessionTimes> = {}, given = options) =>
  overdueReason(given, { ...quiet, ...change, nowMs: 1_000_000 + ms });

Deno.test("a session that sends nothing is closed after session_max_timeout", () => {
  assertEquals(since(1_800_000), "");
  assertEquals(since(1_800_001), "idle timeout");
});

Deno.test("a session that subscribes may be idle, but must read what it gets", () => {
  assertEquals(since(10_000_000, { isSubscribed: true }), "");
  assertEquals(since(20_001, { isSubscribed: true, hasUnsent: true }), "write timeout");
});

Deno.test("a session that waits for a reply is not idle, however long it takes", () => {
  assertEquals(since(10_000_000, { hasRequests: true }), "");
});

Deno.test("a session that has not authenticated is closed after session_auth_timeout", () => {
  const change = { isAuthenticated: false, lastReadMs: 1_009_999 };
  assertEquals(since(10_000, change), "");
  assertEquals(since(10_001, change), "authentication timeout");
});

Deno.test("a session whose request stays unfinished is closed after session_partial_timeout", () => {
  const change = { partialSinceMs: 1_000_000, lastReadMs: 1_029_999, partialBytes: 10 };
  assertEquals(since(30_000, change), "");
  assertEquals(since(30_001, change), "request timeout");
});

Deno.test("a large request may take its time as long as it comes at a fair pace", () => {
  const change = { partialSinceMs: 1_000_000, partialBytes: 16_000_000 };
  assertEquals(since(600_000, change), "");
  assertEquals(since(1_040_000, change), "request timeout");
});

Deno.test("a session that reads none of its replies is closed after session_write_timeout", () => {
  assertEquals(since(20_000, { hasUnsent: true }), "");
  assertEquals(since(20_001, { hasUnsent: true }), "write timeout");
  assertEquals(since(30_000, { hasUnsent: true, lastWroteMs: 1_015_000 }), "");
});

Deno.test("a deadline of 0 is none", () => {
  const none = testOptions({
    sessionIdleMs: 0,
    sessionAuthMs: 0,
    sessionPartialMs: 0,
    sessionWriteMs: 0,
  });
  const day = 86_400_000;
  assertEquals(since(day, {}, none), "");
  assertEquals(since(day, { isAuthenticated: false }, none), "");
  assertEquals(since(day, { partialSinceMs: 1_000_000 }, none), "");
  assertEquals(since(day, { hasUnsent: true }, none), "");
});
