/**
 * Metrics of migrations, of the dashboard that leads.
 *
 * @module
 */

import { type MetricSection, oneSample, type Sample } from "../../base/prometheus.ts";
import { MIGRATION_PHASES } from "../../api/cluster_view.ts";
import type { ClusterRow } from "./row.ts";

/** See the header. */
export const MIGRATION_METRICS: MetricSection<ClusterRow> = {
  title: "Migrations",
  rows: [
    {
      name: "codis_cluster_migrations",
      help: "Migration tasks, one for each slot, by what they do: " + MIGRATION_PHASES.join(", "),
      type: "gauge",
      labels: ["phase"],
      alerts: [{
        name: "CodisMigrationStuck",
        when: 'sum(codis_cluster_migrations{phase=~"stuck|failed"}) > 0',
        minutes: 5,
        severity: "warning",
        summary: "{{ $value }} migration tasks cannot go on.",
        fix: "codis-proxy config status says why for each of them.",
      }],
      samples: ({ migrations }) =>
        MIGRATION_PHASES.map((phase) => [
          { phase },
          migrations.filter((each) => each.phase === phase).length,
        ]),
    },
    {
      name: "codis_cluster_migrations_paused",
      help: "1 while an operator has paused migrations",
      type: "gauge",
      labels: [],
      alerts: [{
        name: "CodisMigrationsPaused",
        when:
          "codis_cluster_migrations_paused == 1 and on (instance) sum by (instance) (codis_cluster_migrations) > 0",
        minutes: 60,
        severity: "warning",
        summary: "Migrations have been paused for an hour, and tasks wait.",
        fix: "codis-proxy config slot resume.",
      }],
      samples: ({ isPaused }) => oneSample(isPaused ? 1 : 0),
    },
    {
      name: "codis_cluster_migrated_slots_total",
      help: "Slots that have arrived since this dashboard leads",
      type: "counter",
      labels: [],
      samples: ({ moved }) => oneSample(moved.slots),
    },
    {
      name: "codis_cluster_migrated_keys_total",
      help: "Keys that were moved since this dashboard leads",
      type: "counter",
      labels: [],
      alerts: [{
        name: "CodisMigrationStandsStill",
        when:
          'sum(codis_cluster_migrations{phase="moving"}) > 0 and sum(rate(codis_cluster_migrated_keys_total[10m])) == 0 ' +
          "and sum(rate(codis_cluster_migrated_slots_total[10m])) == 0",
        minutes: 10,
        severity: "warning",
        summary: "{{ $value }} slots migrate, and no key has moved for 10 minutes.",
        fix: "codis-proxy config status says what slows them down.",
      }],
      samples: ({ moved }) => oneSample(moved.keys),
    },
    {
      name: "codis_cluster_migrated_bytes_total",
      help: "Memory that those keys took at their sources, as far as it was measured",
      type: "counter",
      labels: [],
      samples: ({ moved }) => oneSample(moved.bytes),
    },
    {
      name: "codis_cluster_migration_slots_left",
      help: "Slots that have not arrived yet",
      type: "gauge",
      labels: [],
      samples: ({ totals }) => oneSample(totals?.slots_left ?? 0),
    },
    {
      name: "codis_cluster_migration_keys_left",
      help: "Keys that have not been moved yet, as far as they were counted",
      type: "gauge",
      labels: [],
      samples: ({ totals }) => ifKnown(totals === null ? 0 : totals.keys_left),
    },
    {
      name: "codis_cluster_migration_seconds_left",
      help:
        "How long all migrations still take at their present speed; none while that is not known",
      type: "gauge",
      labels: [],
      samples: ({ totals }) => ifKnown(totals === null ? 0 : totals.eta_seconds),
    },
    {
      name: "codis_cluster_migration_route_slots",
      help: "Migration tasks by the groups that they move a slot from and to",
      type: "gauge",
      labels: ["from", "to"],
      samples: ({ migrations }) => {
        const counts = new Map<string, [from: number | string, to: number, count: number]>();
        for (const { from_group, to_group } of migrations) {
          const from = from_group ?? "unknown";
          const key = `${from} ${to_group}`;
          counts.set(key, [from, to_group, (counts.get(key)?.[2] ?? 0) + 1]);
        }
        return [...counts.values()].map(([from, to, count]): Sample => [{ from, to }, count]);
      },
    },
  ],
};

function ifKnown(value: number | null): Sample[] {
  return value === null ? [] : oneSample(value);
}
