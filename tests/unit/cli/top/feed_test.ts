/**
 * What `top` asks the dashboard for, and what it shows when there is no answer.
 *
 * @module
 */

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { DashboardClient } from "../../../../src/api/dashboard_client.ts";
import { DashboardError } from "../../../../src/api/dashboard_errors.ts";
import { parseAddress } from "../../../../src/base/address.ts";
import { Secret } from "../../../../src/base/secret.ts";
import { TopFeed } from "../../../../src/cli/top/feed.ts";
import { VIEW } from "../../../support/cluster_view.ts";
import { type Answerer, json, RecordingDashboard } from "../../../support/recording_dashboard.ts";
import { OUTAGE, SLOW } from "../../../support/top_data.ts";

const NOWHERE = { isOnSlow: false, isOnKeys: false, proxy: undefined };

/** The dashboard's answers; a test changes them. */
function answers(): Record<string, Answerer> {
  return {
    "GET /api/cluster": json(VIEW),
    "GET /api/events?limit=100": json({ events: [OUTAGE], open: [OUTAGE] }),
    "GET /api/slowlog?limit=100": json({ entries: [SLOW], events: [], problems: [] }),
    "GET /api/proxy/debug/vars": json({
      proxy_1: { router: { cmds: [{ cmd: "GET", calls: 10, usecs: 50 }] } },
    }),
  };
}

function feedOf(addr: string): TopFeed {
  return new TopFeed(
    new DashboardClient({ address: parseAddress(addr), token: new Secret(""), readMs: 1_000 }),
  );
}

Deno.test("the cluster is asked for each time, the rest seldom unless it is looked at", async () => {
  await using dashboard = new RecordingDashboard(answers());
  const feed = feedOf(dashboard.addr);
  const asked = async (attention: Parameters<TopFeed["ask"]>[0]) => {
    const before = dashboard.requests.length;
    await feed.ask(attention);
    return dashboard.requests.slice(before).map((each) => each.split(/[ ?]/)[1]);
  };
  const all = ["/api/cluster", "/api/events", "/api/slowlog"];
  assertEquals(await asked(NOWHERE), all);
  assertEquals(await asked(NOWHERE), ["/api/cluster"]);
  assertEquals(await asked({ ...NOWHERE, isOnSlow: true }), ["/api/cluster", "/api/slowlog"]);
  assertEquals(await asked(NOWHERE), all);
  assertEquals(await asked({ ...NOWHERE, proxy: "proxy_1" }), [
    ...["/api/cluster", "/api/proxy/debug/vars"],
  ]);
  const { view, open, slow, commands, lost } = feed.data;
  assertEquals([view, open, slow, lost], [VIEW, [OUTAGE], [SLOW], undefined]);
  assertEquals(commands?.rates, [{ command: "GET", calls: 10, per_second: null, usecs: 5 }]);
  await asked({ ...NOWHERE, proxy: "proxy_1" });
  assertEquals(feed.data.commands?.rates[0]?.per_second, 0);
});

Deno.test("who may only look is not refused again and again: slow requests are not asked for", async () => {
  const you = { name: "token eye", role: "viewer", kind: "token" } as const;
  await using dashboard = new RecordingDashboard({
    ...answers(),
    "GET /api/cluster": json({ ...VIEW, you }),
  });
  const feed = feedOf(dashboard.addr);
  await feed.ask({ ...NOWHERE, isOnSlow: true });
  assertEquals(dashboard.requests.some((each) => each.includes("slowlog")), false);
  assertStringIncludes(feed.data.slowProblem, "only operators and admins");
});

Deno.test("a dashboard without slow log, and proxies that do not answer, are told of", async () => {
  await using dashboard = new RecordingDashboard(answers());
  const feed = feedOf(dashboard.addr);
  delete dashboard.answers["GET /api/slowlog?limit=100"];
  await feed.ask(NOWHERE);
  assertEquals([feed.data.slow, feed.data.lost], [[], undefined]);
  assertStringIncludes(feed.data.slowProblem, "no such route");
  const problems = [{ proxy_id: "proxy_2", problem: "no answer within 2 s" }];
  dashboard.answers["GET /api/slowlog?limit=100"] = json({ entries: [], events: [], problems });
  await feed.ask({ ...NOWHERE, isOnSlow: true });
  assertEquals(feed.data.slowProblem, "proxy_2: no answer within 2 s");
});

Deno.test("what was known stays when the dashboard goes, with the reason and since when", async () => {
  const dashboard = new RecordingDashboard(answers());
  const feed = feedOf(dashboard.addr);
  await feed.ask(NOWHERE);
  const answered = Date.now();
  await dashboard[Symbol.asyncDispose]();
  await feed.ask(NOWHERE);
  await feed.ask(NOWHERE);
  const { view, lost } = feed.data;
  assertEquals(view, VIEW);
  assertStringIncludes(lost!.problem, "cannot be reached: connection refused");
  assertEquals(Math.abs(lost!.since - answered) < 1_000, true);
  await using again = new RecordingDashboard(answers(), parseAddress(dashboard.addr).port);
  await feed.ask(NOWHERE);
  assertEquals([again.requests.length > 0, feed.data.lost], [true, undefined]);
});

Deno.test("it ends when there is no first answer, or the token is refused", async () => {
  await using dashboard = new RecordingDashboard({});
  const feed = feedOf(dashboard.addr);
  await assertRejects(() => feed.ask(NOWHERE), DashboardError, "no such route");
  Object.assign(dashboard.answers, answers());
  await feed.ask(NOWHERE);
  dashboard.answers["GET /api/cluster"] = { status: 401, body: '{"error":"token needed"}' };
  await assertRejects(() => feed.ask(NOWHERE), DashboardError, "token needed");
});
