/**
 * What a command takes from its environment is checked before anything is asked.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { ownToken } from "../../../../src/cli/parts/context.ts";
import { ConfigError } from "../../../../src/config/error.ts";

Deno.test("a token in the environment that cannot be sent is refused, and not shown", () => {
  const before = Deno.env.get("CODIS_DASHBOARD_TOKEN");
  try {
    Deno.env.set("CODIS_DASHBOARD_TOKEN", "x".repeat(4_096));
    assertEquals(ownToken()!.reveal().length, 4_096);
    for (
      const [token, rule] of [
        ["x".repeat(100_000), "must have at most 4096 characters, this one has 100000"],
        ["漢字", "must be Latin letters, digits and signs: HTTP headers cannot hold others"],
      ] as const
    ) {
      Deno.env.set("CODIS_DASHBOARD_TOKEN", token);
      const { message } = assertThrows(ownToken, ConfigError);
      assertEquals(message, `CODIS_DASHBOARD_TOKEN: ${rule}`);
    }
  } finally {
    if (before === undefined) Deno.env.delete("CODIS_DASHBOARD_TOKEN");
    else Deno.env.set("CODIS_DASHBOARD_TOKEN", before);
  }
});
