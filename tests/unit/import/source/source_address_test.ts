/**
 * What `--from` may say.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { parseSources, sourceName } from "../../../../src/import/source/source_address.ts";

Deno.test("sources are read with user, password and TLS, and named without password", () => {
  const sources = parseSources("redis://u:p%2Cq@10.0.0.1:7000,rediss://:s@[::1]:7001,redis://host");
  const seen = sources.map((source) =>
    "server" in source
      ? [
        sourceName(source),
        source.server.user,
        source.server.password.reveal(),
        source.server.isTls,
      ]
      : []
  );
  assertEquals(seen, [
    ["redis://10.0.0.1:7000", "u", "p,q", false],
    ["redis://[::1]:7001", "", "s", true],
    ["redis://host:6379", "", "", false],
  ]);
  assertEquals(parseSources("rdb:/tmp/a.rdb"), [{ kind: "rdb", file: "/tmp/a.rdb" }]);
});

Deno.test("what is no source is refused with what to write", () => {
  for (
    const [text, message] of [
      ["10.0.0.1:6379", "a source is one of redis://"],
      ["redis://a:1,redis://a:1", "redis://a:1 is named twice"],
      ["cluster://a:1,redis://b:1", "only sources of the form redis://… can be several"],
    ] as const
  ) assertThrows(() => parseSources(text), SyntaxError, message);
});
