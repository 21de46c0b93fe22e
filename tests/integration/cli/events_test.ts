/**
 * `config events` shows what was out and is, as a table and as JSON, and follows what is new.
 *
 * @module
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { callCli } from "../../support/cli_call.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { startProgram } from "../../support/proxy_process.ts";
import { StoreFolder } from "../../support/store.ts";

Deno.test("config events", async (t) => {
  await using folder = await StoreFolder.make();
  await using server = await DashboardServer.start(await folder.open());
  const { dashboard, addr } = server;
  const call = (...args: string[]) => callCli("config", "events", `--dashboard=${addr}`, ...args);

  await t.step("says when there is nothing", async () => {
    assertEquals((await call("--output=table")).stdout, "no outage was noted\n");
  });

  dashboard.outage({
    ...{ kind: "circuit_open", phase: "begin", subject: "s:1", text: "s:1 is refused" },
    ...{ cause: "too\x1bslow", hint: "look at it" },
  });
  dashboard.outage({
    ...{ kind: "failover_refused", phase: "once", subject: "group 1", text: "no failover" },
  });

  await t.step("shows a table, and what is out now", async () => {
    const { stdout, code } = await call("--output=table");
    assertEquals(code, 0);
    const [head, first, second] = stdout.split("\n");
    assertMatch(head!, /^WHEN +KIND +WHAT$/);
    assertMatch(first!, /^20\S+Z +failover_refused +no failover$/);
    assertMatch(second!, /^20\S+Z +circuit_open +begins +s:1 is refused: too slow$/);
    assertStringIncludes(stdout, "1 outage now:\n  s:1 is refused, since 20");
    assertStringIncludes(stdout, "; what to do: look at it\n");
  });

  await t.step("selects by kind and time, and prints JSON", async () => {
    const { stdout } = await call("--output=json", "--kind=failover_refused", "--since=1h");
    const { events, open } = JSON.parse(stdout);
    assertEquals([events.length, events[0].text, open], [1, "no failover", []]);
    const old = JSON.parse((await call("--output=json", "--since=2200-01-01T00:00:00Z")).stdout);
    assertEquals([old.events, old.open.length], [[], 1]);
  });

  await t.step("refuses a kind and a time that there is not", async () => {
    const kind = await call("--kind=server_up");
    assertEquals(kind.code, 1);
    assertStringIncludes(kind.stderr, "server_up");
    assertStringIncludes((await call("--since=soon")).stderr, '"soon" is not a time such as 30m');
  });

  await t.step("follows new events, a line of JSON for each", async () => {
    const child = startProgram(
      ["config", "events", "--follow", "--output=json", `--dashboard=${addr}`],
      {},
      folder.dir,
    );
    try {
      const lines = () => child.stdout.trim().split("\n").map((line) => JSON.parse(line));
      await until(() => child.stdout.split("\n").length > 2);
      dashboard.outage({
        ...{ kind: "circuit_open", phase: "end", subject: "s:1", text: "s:1 is used again" },
      });
      await until(() => child.stdout.split("\n").length > 3);
      assertEquals(lines().map(({ phase }) => phase), ["begin", "once", "end"]);
    } finally {
      await child.end("SIGTERM");
    }
  });
});
