/**
 * What the reader of runtest's output guarantees.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { parseOutput } from "./output.ts";

Deno.test("runtest's own output is read, with colours and reasons on several lines", () => {
  const output = parseOutput(
    [
      "Starting test server at port 21079",
      "[ready]: 4711",
      "\x1b[1;37;49mTesting unit/multi\x1b[0m",
      "[\x1b[0;32;49mok\x1b[0m]: MULTI / EXEC basics (1 ms)",
      "[ok]: took (2 ms) to say (13 ms)",
      "[\x1b[0;36;49mignore\x1b[0m]: WATCH is killed: Tag: needs:repl denied",
      "[err]: DISCARD in tests/unit/multi.tcl",
      "Expected 'a' to be equal to 'b'",
      "  (context: line 3)",
      "[exception]: Executing test client: ERR unknown command.",
      "    while executing",
    ].join("\n"),
    false,
  );
  assertEquals(output, {
    tests: [
      { name: "MULTI / EXEC basics", hasPassed: true, why: "" },
      { name: "took (2 ms) to say", hasPassed: true, why: "" },
      {
        name: "DISCARD",
        hasPassed: false,
        why: "Expected 'a' to be equal to 'b'\n  (context: line 3)",
      },
    ],
    ignored: 1,
    setupFailures: [],
    exception: "Executing test client: ERR unknown command.\n    while executing",
    unfinished: undefined,
    isDone: false,
  });
});

Deno.test("runtest's end of a unit is seen", () => {
  const output = parseOutput("[ok]: a (0 ms)\n[1/1 done]: unit/quit (0 seconds)\n", false);
  assertEquals(output.isDone, true);
  assertEquals(output.tests.length, 1);
});

Deno.test("judge.tcl's output is read line by line, and escapes are undone", () => {
  const output = parseOutput(
    [
      "[testing]: one",
      String.raw`[err]: one in tests/unit/x.tcl\nmmand failed\nERR command failed\n    in C:\\new`,
      "something that a test printed",
      "[setup]: tests/unit/x.tcl: r config set a b: ERR unknown command",
      "[testing]: two in a row",
      "[ok]: two in a row (0 ms)",
      "[testing]: three",
    ].join("\n"),
    true,
  );
  assertEquals(output, {
    tests: [
      { name: "one", hasPassed: false, why: "ERR command failed\n    in C:\\new" },
      { name: "two in a row", hasPassed: true, why: "" },
    ],
    ignored: 0,
    setupFailures: ["tests/unit/x.tcl: r config set a b: ERR unknown command"],
    exception: undefined,
    unfinished: "three",
    isDone: false,
  });
});

Deno.test("one event after the other, whatever the tests are called", () => {
  const output = parseOutput("[ok]: [err]: in tests/unit/x.tcl (7 ms)\n[done]: unit/x\n", true);
  assertEquals(output.tests, [{ name: "[err]: in tests/unit/x.tcl", hasPassed: true, why: "" }]);
  assertEquals(output.isDone, true);
});
