/**
 * What operators read when a server refuses a command to the control plane.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { withRemedy } from "../../../src/redis/refusal.ts";
import { RedisError } from "../../../src/redis/reply.ts";

Deno.test("a refusal names the server and the rule that is missing, other errors are left as they are", () => {
  const told = (message: string, ...request: string[]) =>
    withRemedy(new RedisError(message), "a:1", "", request).message;
  const rule = (rule: string) =>
    ` (at a:1: run ACL SETUSER default ${rule} there, then ACL SAVE or CONFIG REWRITE)`;
  const noPassword =
    " (at a:1: it wants no password, and one is configured for it: set requirepass there, or correct " +
    "backend_password or password in config.ini)";
  for (
    const [message, request, remedy] of [
      ["NOPERM no permissions to run the 'info' command", ["INFO", "server"], rule("+info")],
      ["NOPERM no 'client|list' command", ["CLIENT", "LIST"], rule("+'client|list'")],
      ["NOPERM to access one of the keys used as arguments", ["DUMP", "k"], rule("'~*'")],
      [
        "NOAUTH needed.",
        ["PING"],
        " (at a:1: it wants a password, and none is configured for it: set backend_password or " +
        "password in config.ini)",
      ],
      ["ERR AUTH <password> called without any password configured", ["AUTH"], noPassword],
      ["ERR Client sent AUTH, but no password is set", ["AUTH"], noPassword],
      ["LOADING in memory", ["INFO"], " (at a:1: try again when it has loaded its data)"],
      ["ERR no such key", ["MIGRATE"], ""],
      ["BUSYKEY exists", ["RESTORE"], ""],
    ] as const
  ) {
    assertEquals(told(message, ...request), `${message}${remedy}`);
    // Commands that are sent often are bytes.
    const bytes = request.map((word) => new TextEncoder().encode(word));
    assertEquals(
      withRemedy(new RedisError(message), "a:1", "", bytes).message,
      `${message}${remedy}`,
    );
  }
});
