/**
 * Metrics of the process, by the names that Prometheus's client libraries give them.
 *
 * What only `/proc` tells is not here: Deno lets only programs read it that are allowed everything.
 *
 * @module
 */

import process from "node:process";
import { countFreeDescriptors } from "./free_descriptors.ts";
import { type Metric, type MetricHead, type MetricSection, oneSample } from "./prometheus.ts";

/** Free descriptors beyond this number are not counted: they cost time, and make no difference. */
const FREE_DESCRIPTORS_MAX = 64;

interface ProcessRow extends MetricHead {
  readonly value: () => number;
}

/** CPU time of this process so far, user and system, in seconds. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** See the header. */
export const PROCESS_METRICS: MetricSection<ProcessRow> = {
  title: "Process",
  rows: [
    {
      name: "process_cpu_seconds_total",
      help: "CPU time of the process, user and system",
      type: "counter",
      labels: [],
      value: cpuSeconds,
    },
    {
      name: "process_resident_memory_bytes",
      help: "Resident memory of the process",
      type: "gauge",
      labels: [],
      value: () => Deno.memoryUsage().rss,
    },
    {
      name: "process_start_time_seconds",
      help: "When the process started, in Unix seconds",
      type: "gauge",
      labels: [],
      value: () => performance.timeOrigin / 1000,
    },
    {
      name: "codis_free_descriptors",
      help: `Files and connections that can still be opened; counted up to ${FREE_DESCRIPTORS_MAX}`,
      type: "gauge",
      labels: [],
      alerts: [{
        name: "CodisDescriptorsNearLimit",
        when: "codis_free_descriptors < 16",
        minutes: 2,
        severity: "warning",
        summary: "{{ $labels.instance }} can open only {{ $value }} more files and connections.",
        fix: "Raise ulimit -n.",
      }],
      value: () => countFreeDescriptors(FREE_DESCRIPTORS_MAX),
    },
  ],
};

/** All metrics of this process at this moment. */
export function processMetrics(): Metric[] {
  return PROCESS_METRICS.rows.map((row) => ({ ...row, samples: oneSample(row.value()) }));
}
