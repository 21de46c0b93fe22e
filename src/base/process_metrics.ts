/**
 * Metrics of the process, by the names that Prometheus's client libraries give them.
 *
 * What only `/proc` tells (descriptors, virtual memory) is left out where it cannot be read: Deno lets only
 * programs read it that are allowed everything.
 *
 * @module
 */

import process from "node:process";
import { type Metric, type MetricHead, type MetricSection, oneSample } from "./prometheus.ts";

interface ProcessRow extends MetricHead {
  /** `undefined` where it is not known. */
  readonly value: () => number | undefined;
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
      value: () => {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1e6;
      },
    },
    {
      name: "process_resident_memory_bytes",
      help: "Resident memory of the process",
      type: "gauge",
      labels: [],
      value: () => Deno.memoryUsage().rss,
    },
    {
      name: "process_virtual_memory_bytes",
      help: "Virtual memory of the process; only where /proc can be read",
      type: "gauge",
      labels: [],
      value: () => numberIn("status", /^VmSize:\s+(\d+) kB/m, 1024),
    },
    {
      name: "process_start_time_seconds",
      help: "When the process started, in Unix seconds",
      type: "gauge",
      labels: [],
      value: () => performance.timeOrigin / 1000,
    },
    {
      name: "process_open_fds",
      help: "Descriptors that are open; only where /proc can be read",
      type: "gauge",
      labels: [],
      alerts: [{
        name: "CodisDescriptorsNearLimit",
        when: "process_open_fds / process_max_fds > 0.9",
        minutes: 2,
        severity: "warning",
        summary:
          "{{ $labels.instance }} uses {{ $value | humanizePercentage }} of its descriptors.",
        fix: "Raise ulimit -n.",
      }],
      value: openDescriptors,
    },
    {
      name: "process_max_fds",
      help: "Most descriptors that may be open; only where /proc can be read",
      type: "gauge",
      labels: [],
      value: () => numberIn("limits", /^Max open files\s+(\d+)/m, 1),
    },
  ],
};

/** All metrics of this process at this moment. */
export function processMetrics(): Metric[] {
  return PROCESS_METRICS.rows.flatMap((row) => {
    const value = row.value();
    return value === undefined ? [] : [{ ...row, samples: oneSample(value) }];
  });
}

function numberIn(file: string, pattern: RegExp, unit: number): number | undefined {
  try {
    const found = pattern.exec(Deno.readTextFileSync(`/proc/self/${file}`))?.[1];
    return found === undefined ? undefined : Number(found) * unit;
  } catch {
    return undefined;
  }
}

function openDescriptors(): number | undefined {
  try {
    // The one that reads the folder is in it.
    return [...Deno.readDirSync("/proc/self/fd")].length - 1;
  } catch {
    return undefined;
  }
}
