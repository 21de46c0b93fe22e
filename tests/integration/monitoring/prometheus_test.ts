/**
 * Prometheus's own tool on what it is given: the metrics of real processes, alerts that fire when they should
 * and only then, and the expressions of Grafana's panels.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { ALL_METRICS, allAlerts, monitoringFiles } from "../../../deploy/monitoring.ts";
import { DashboardProcess } from "../../support/dashboard_process.ts";
import { until } from "../../support/deadline.ts";
import { expressionsOf, type GrafanaDashboard } from "../../support/grafana.ts";
import { checkMetrics, promtool } from "../../support/promtool.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { FIRING, HEALTHY, type Series } from "./firing_alerts.ts";

const ALERTS = new URL("../../../deploy/alerts.yml", import.meta.url).pathname;
const ROWS = ALL_METRICS.flatMap(({ rows }) => rows);

/** What promtool says of a file with this text. */
async function ofFile(words: readonly string[], text: string) {
  const file = await Deno.makeTempFile({ suffix: ".yml" });
  try {
    await Deno.writeTextFile(file, text);
    return await promtool([...words, file]);
  } finally {
    await Deno.remove(file);
  }
}

/** How long a series must be measured before an alert may be judged, in minutes. */
const SLACK_MINUTES = 12;

/** A test of promtool's: which alerts fire in the end. A file of JSON is one of YAML, too. */
function ruleTest(
  name: string,
  series: readonly Series[],
  minutes: number,
  fires: Readonly<Record<string, number>>,
) {
  return {
    name,
    interval: "1m",
    input_series: series,
    promql_expr_test: Object.entries(fires).map(([alert, times]) => ({
      expr: `count(ALERTS{alertname="${alert}",alertstate="firing"}) or vector(0)`,
      eval_time: `${minutes + SLACK_MINUTES}m`,
      exp_samples: [{ labels: "{}", value: times }],
    })),
  };
}

/** The names of the metrics in a text, and what is wrong with their labels. */
function read(text: string): { names: Set<string>; wrong: string[] } {
  const names = new Set<string>();
  const wrong: string[] = [];
  for (const [line, name, labels] of text.matchAll(/^([a-z]\w*)(?:\{(.*)\})? /gm)) {
    const row = ROWS.find((each) =>
      each.name === name ||
      each.type === "histogram" && each.name === name!.replace(/_(bucket|sum|count)$/, "")
    );
    if (row === undefined) {
      wrong.push(`${name} is in no table`);
      continue;
    }
    names.add(row.name);
    const given = [...(labels ?? "").matchAll(/(\w+)="/g)].map(([, label]) => label!)
      .filter((label) => label !== "worker" && label !== "le");
    if (given.join() !== row.labels.join()) wrong.push(`${line} has not the labels ${row.labels}`);
  }
  return { names, wrong };
}

Deno.test("every alert fires when it should, and none while all is well", async () => {
  const checked = await promtool(["check", "rules", ALERTS]);
  assert(checked.isGood, checked.text);
  const alerts = allAlerts().map(({ alert }) => alert);
  const names = alerts.map(({ name }) => name);
  assertEquals(Object.keys(FIRING).toSorted(), names.toSorted());
  const tests = [
    ...alerts.map(({ name, minutes }) => ruleTest(name, FIRING[name]!, minutes, { [name]: 1 })),
    ruleTest("all is well", HEALTHY, 70, Object.fromEntries(names.map((name) => [name, 0]))),
  ];
  const file = { rule_files: [ALERTS], evaluation_interval: "1m", tests };
  const { isGood, text } = await ofFile(["test", "rules"], JSON.stringify(file));
  assert(isGood, text);
});

Deno.test("an alert's texts name the place and what to do", async () => {
  const alert = "CodisMasterDown";
  const test = {
    interval: "1m",
    input_series: FIRING[alert],
    alert_rule_test: [{
      alertname: alert,
      eval_time: "10m",
      exp_alerts: [{
        exp_labels: {
          severity: "critical",
          instance: "d",
          group: "1",
          server: "s",
          type: "master",
        },
        exp_annotations: {
          summary: "The master s of group 1 does not answer: its slots get errors.",
          description:
            "Look at that server. codis-proxy config server promote 1 <replica>, or set failover = auto.",
        },
      }],
    }],
  };
  const file = { rule_files: [ALERTS], evaluation_interval: "1m", tests: [test] };
  const { isGood, text } = await ofFile(["test", "rules"], JSON.stringify(file));
  assert(isGood, text);
});

Deno.test("Prometheus understands the expressions of every Grafana panel", async () => {
  const expressions = [...monitoringFiles()].filter(([path]) => path.endsWith(".json"))
    .flatMap(([, text]) => expressionsOf(JSON.parse(text) as GrafanaDashboard));
  const rules = expressions.map((expr, i) => ({ record: `panel:${i}`, expr }));
  const file = { groups: [{ name: "panels", rules }] };
  const { isGood, text } = await ofFile(["check", "rules"], JSON.stringify(file));
  assert(isGood, text);
  assert(text.includes(`${expressions.length} rules found`), text);
});

Deno.test("promtool finds nothing in the metrics of proxies and dashboards", async (t) => {
  await using servers = await RedisServer.startMany(2);
  const seen = new Set<string>();
  const check = async (url: string) => {
    const text = await (await fetch(url)).text();
    assertEquals(await checkMetrics(text), "", url);
    const { names, wrong } = read(text);
    assertEquals(wrong, []);
    for (const name of names) seen.add(name);
    return names;
  };

  for (const cpu of [1, 2]) {
    await t.step(`a proxy with ${cpu} workers that serves the dashboard, too`, async () => {
      await using proxy = await ProxyProcess.start({ servers, cpu });
      using client = await proxy.client();
      await client.send("SET", "a", "1");
      await client.send("NOSUCH");
      await until(async () => {
        const names = await check(proxy.url("/metrics"));
        return ["slots_served", "proxy_up"].every((name) => names.has(`codis_cluster_${name}`));
      });
    });
  }

  await t.step("a dashboard of its own", async () => {
    const folder = await Deno.makeTempDir();
    await using dashboard = await DashboardProcess.start({ embedded_dir: `${folder}/data` });
    const names = await check(dashboard.url("/metrics"));
    assertEquals([...names].filter((name) => name.startsWith("codis_proxy")), []);
    assert(names.has("codis_cluster_groups"));
    await Deno.remove(folder, { recursive: true });
  });

  await t.step("all that is always there has been seen", () => {
    const rest = ROWS.filter(({ name }) => !seen.has(name)).map(({ name }) => name);
    // Without replicas, users with limits, migrations, and damaged records.
    const rare =
      /^codis_(proxy_(user|reads|replica)_|cluster_(replica|migration_route|unreadable_record))/;
    assertEquals(rest.filter((name) => !rare.test(name)), []);
  });
});
