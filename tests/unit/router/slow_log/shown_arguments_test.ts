/** What is shown of a request of which only the first bytes are kept. */

import { assertEquals } from "@std/assert";
import { shownArguments } from "../../../../src/router/slow_log/shown_arguments.ts";
import { encodeRequests } from "../../../support/resp_client.ts";

const REQUEST = encodeRequests([["SET", "key", "x".repeat(1_000), "EX", 5]]);

Deno.test("a request that is cut anywhere shows what is there, and how much is not", () => {
  assertEquals(shownArguments("set", REQUEST), [
    ...["SET", "key", `${"x".repeat(128)}... (872 more bytes)`, "EX", "5"],
  ]);
  assertEquals(shownArguments("set", REQUEST.subarray(0, 50)).slice(-2), [
    `${"x".repeat(21)}... (979 more bytes)`,
    "... (2 more arguments)",
  ]);
  assertEquals(shownArguments("set", REQUEST.subarray(0, 24)), [
    ...["SET", "key", "... (3 more arguments)"],
  ]);
  assertEquals(shownArguments("config|get", new Uint8Array(0)), ["config", "get"]);
  for (let end = 0; end <= REQUEST.length; end++) shownArguments("set", REQUEST.subarray(0, end));
});

Deno.test("what is secret is not shown either where it is cut", () => {
  const auth = encodeRequests([["AUTH", "somebody", "p".repeat(500)]]);
  for (let end = 0; end <= auth.length; end++) {
    const shown = shownArguments("auth", auth.subarray(0, end)).join(" ");
    assertEquals(/somebody|ppp/.test(shown), false, shown);
  }
  const move = encodeRequests([["MIGRATE", "h", 1, "k", 0, 5, "AUTH2", "somebody", "ppp"]]);
  assertEquals(shownArguments("migrate", move).slice(-3), ["AUTH2", "(redacted)", "(redacted)"]);
  const noVersion = encodeRequests([["HELLO", "AUTH", "somebody", "ppp"]]);
  assertEquals(shownArguments("hello", noVersion).slice(-3), ["AUTH", "(redacted)", "(redacted)"]);
});
