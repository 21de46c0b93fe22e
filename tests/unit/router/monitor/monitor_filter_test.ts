import { assertEquals } from "@std/assert";
import { findCommand } from "../../../../src/command/command_table.ts";
import { readMonitorFilter, RequestFilter } from "../../../../src/router/monitor/monitor_filter.ts";
import { BeginningArguments } from "../../../../src/router/slow_log/shown_arguments.ts";
import { encodeRequests } from "../../../support/resp_client.ts";

const argumentsOf = (line: string, bytes = Infinity) =>
  new BeginningArguments(encodeRequests([line.split(" ")]).slice(0, bytes));
const read = (line: string, slowMs = 10) => readMonitorFilter(argumentsOf(line), slowMs);

Deno.test("MONITOR's filters are read in any order and spelling, each once", () => {
  assertEquals(read("MONITOR"), {});
  assertEquals(read("monitor db 3 Match user:* slow USER app"), {
    ...{ database: 3, match: "user:*", slowMs: 10, user: "app" },
  });
  assertEquals(read("monitor slow 0.5 user 7"), { slowMs: 0.5, user: "7" });
  assertEquals(read("monitor user slow"), { user: "slow" });
  assertEquals(read("monitor slow 250"), { slowMs: 250 });
});

Deno.test("what MONITOR cannot filter by is said, with what it can", () => {
  const forms = "MATCH pattern, USER name, DB number, SLOW [milliseconds]";
  const errors: Readonly<Record<string, string>> = {
    "monitor key": `MONITOR has no filter 'key', only ${forms}`,
    "monitor slow fast": `MONITOR has no filter 'fast', only ${forms}`,
    "monitor match": `MONITOR match needs a value: ${forms}`,
    "monitor match a MATCH b": "MONITOR has MATCH twice",
    "monitor db 16": "MONITOR DB takes 0 to 15, not '16'",
    "monitor db x": "MONITOR DB takes 0 to 15, not 'x'",
    "monitor slow -5": "MONITOR SLOW takes milliseconds, as in 50 or 0.5, not '-5'",
    "monitor slow 1e3": "MONITOR SLOW takes milliseconds, as in 50 or 0.5, not '1e3'",
  };
  for (const [line, error] of Object.entries(errors)) assertEquals(read(line), `ERR ${error}`);
  assertEquals(
    read("monitor slow", Infinity),
    "ERR the slow log is off, so MONITOR SLOW needs a number of milliseconds",
  );
});

const CLIENT = { remote: "10.1.1.1:5", database: 0, user: { name: "app" } };

Deno.test("a request is let through when each filter lets it", () => {
  const lets = (filters: string, request: string) => {
    const args = argumentsOf(request);
    const filter = read(`monitor ${filters}`);
    return new RequestFilter(filter as object).lets(CLIENT, findCommand(args)!, args);
  };
  assertEquals(lets("user app db 0", "ping"), true);
  assertEquals(lets("user app db 1", "ping"), false);
  assertEquals(lets("user other", "ping"), false);
  assertEquals(lets("match k*", "get k1"), true);
  assertEquals(lets("match k*", "get other"), false);
  assertEquals(lets("match k*", "set other k1"), false, "values are no keys");
  assertEquals(lets("match k*", "mset a 1 k2 2"), true);
  assertEquals(lets("match k*", "eval k 1 k3"), true);
  assertEquals(lets("match k*", "eval k 0 k3"), false);
  assertEquals(lets("match k*", "keys k*"), false);
  assertEquals(lets("match k[1-3]", "del k4 k5"), false);
});

Deno.test("of a request that is kept in part, a key that may be missing is taken to match", () => {
  const filter = new RequestFilter({ match: "k*" });
  const lets = (request: string, bytes: number) => {
    const args = argumentsOf(request, bytes);
    const command = findCommand(argumentsOf(request))!;
    return filter.letsBeginning(CLIENT, command, args);
  };
  const value = "v".repeat(400);
  assertEquals(lets(`set other ${value}`, 320), false, "the key is whole");
  assertEquals(lets(`set ${value}`, 320), true, "the key is cut");
  assertEquals(lets(`mget a ${value} k`, 320), true, "the last key is missing");
  assertEquals(lets(`mget a b`, 320), false);
  assertEquals(lets(`get other`, 0), true, "nothing is kept");
  assertEquals(lets(`ping`, 0), false, "it has no keys");
});
