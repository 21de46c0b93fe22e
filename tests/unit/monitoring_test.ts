/**
 * What is made from the tables of metrics is up to date, and names only metrics that exist.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  ALL_METRICS,
  allAlerts,
  monitoringFiles,
  replaceMetricTables,
} from "../../deploy/monitoring.ts";
import { expressionsOf, type GrafanaDashboard } from "../support/grafana.ts";

const ROOT = new URL("../../", import.meta.url);
const ROWS = ALL_METRICS.flatMap(({ rows }) => rows);

/** The names of metrics in an expression that no table has. */
function unknownMetrics(expression: string): string[] {
  const names = expression.replace(/"[^"]*"/g, "").match(/\b(codis|process)_\w+/g) ?? [];
  return names.filter((name) =>
    !ROWS.some((row) =>
      row.name === name ||
      (row.type === "histogram" && name.replace(/_(bucket|sum|count)$/, "") === row.name)
    )
  );
}

/** The labels that an expression groups by, picks or shows, and that none of its metrics has. */
function unknownLabels(expression: string): string[] {
  const rows = ROWS.filter(({ name }) => expression.includes(name));
  const known = new Set([
    "instance",
    "job",
    "worker",
    "le",
    ...rows.flatMap(({ labels }) => labels),
  ]);
  const used = [
    ...[...expression.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap(([, list]) =>
      list!.split(",").map((each) => each.trim())
    ),
    ...[...expression.matchAll(/(\w+)=~?"/g)].map(([, label]) => label!),
  ];
  return used.filter((label) => !known.has(label));
}

Deno.test("alerts.yml and the Grafana files are what `deno task gen:metrics` writes", async () => {
  for (const [path, text] of monitoringFiles()) {
    assertEquals(await Deno.readTextFile(new URL(path, ROOT)), text, path);
  }
});

Deno.test("docs/metrics.md has the tables that `deno task gen:metrics` writes", async () => {
  const document = await Deno.readTextFile(new URL("docs/metrics.md", ROOT));
  assertEquals(replaceMetricTables(document), document);
});

Deno.test("names of metrics are unique, and say what they are: _total for what only grows", () => {
  assertEquals(new Set(ROWS.map(({ name }) => name)).size, ROWS.length);
  const wrong = ROWS.filter(({ name, type }) => name.endsWith("_total") !== (type === "counter"));
  assertEquals(wrong.map(({ name }) => name), []);
});

Deno.test("alerts name metrics and labels that exist, and say what to do", () => {
  for (const { alert: { name, when, summary, fix } } of allAlerts()) {
    assertEquals([name, ...unknownMetrics(when), ...unknownLabels(when)], [name]);
    assert(/^Codis[A-Z]\w+$/.test(name), name);
    assert(summary.endsWith(".") && fix.endsWith("."), name);
  }
  const names = allAlerts().map(({ alert }) => alert.name);
  assertEquals(new Set(names).size, names.length);
});

Deno.test("Grafana's panels name metrics and labels that exist, and every metric has a panel", () => {
  const shown = new Set<string>();
  for (const [path, text] of monitoringFiles()) {
    if (!path.endsWith(".json")) continue;
    const dashboard = JSON.parse(text) as GrafanaDashboard;
    assertEquals(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
    for (const { x, w } of dashboard.panels.map(({ gridPos }) => gridPos)) assert(x + w <= 24);
    for (const expression of expressionsOf(dashboard)) {
      assertEquals([path, ...unknownMetrics(expression), ...unknownLabels(expression)], [path]);
      for (const { name } of ROWS) if (expression.includes(name)) shown.add(name);
    }
  }
  assertEquals(ROWS.filter(({ name }) => !shown.has(name)).map(({ name }) => name), []);
});
