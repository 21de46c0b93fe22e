import { assertEquals } from "@std/assert";
import { findCommand } from "../../../../src/command/command_table.ts";
import { keyCountOf } from "../../../../src/router/reports/reported_request.ts";
import { BeginningArguments } from "../../../../src/router/slow_log/shown_arguments.ts";
import { encodeRequests } from "../../../support/resp_client.ts";

Deno.test("how many keys a request names is known from its beginning, or not at all", () => {
  const count = (line: string, bytes = Infinity) => {
    const request = encodeRequests([line.split(" ")]);
    const command = findCommand(new BeginningArguments(request))!;
    return keyCountOf(command, new BeginningArguments(request.slice(0, bytes)));
  };
  assertEquals(count("ping"), 0);
  assertEquals(count("get k"), 1);
  assertEquals(count("get k", 0), 1, "a command of one key needs no arguments");
  assertEquals(count("mget a b c"), 3);
  assertEquals(count("mset a 1 b 2"), 2);
  assertEquals(count(`mget ${"k ".repeat(99)}k`, 320), 100, "the number of arguments says it");
  assertEquals(count("eval script 2 a b c"), 2);
  assertEquals(count("eval script 2 a b c", 20), -1);
  assertEquals(count("mget a b", 0), -1);
});
