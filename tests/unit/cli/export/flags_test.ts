/**
 * What `--to` of an export may say.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { TO_SERVER } from "../../../../src/cli/export/flags.ts";

Deno.test("a target is one server; what is none is refused with what to write", () => {
  const { address, isTls } = TO_SERVER.parse!("rediss://user:secret@10.0.0.1:7000");
  assertEquals([address, isTls], [{ hostname: "10.0.0.1", port: 7000 }, true]);
  for (
    const [text, message] of [
      ["10.0.0.1:6379", "a target is one server: redis://"],
      ["redis://", "a target is one server: redis://"],
      ["redis://a:1,redis://b:1", "a target is one server: redis://"],
      ["rdb:/tmp/a.rdb", "a target is one server: redis://"],
      ["cluster://a:1", "keys are not exported to a Redis Cluster"],
    ] as const
  ) assertThrows(() => TO_SERVER.parse!(text), SyntaxError, message);
});
