/**
 * `/debug/vars` in the shape of Codis 2.0, which its dashboard polls every second.
 *
 * @module
 */

import type { ProxyRecord } from "../model/proxy.ts";
import { type StatsSnapshot, totalCalls } from "../router/stats_snapshot.ts";

/** What the process is, for `router.build`. */
export interface Build {
  readonly version: string;
  /** When and by what it was built. */
  readonly compile: string;
}

/**
 * The document; `ops` and `cmds` count requests that were answered, error replies included, not
 * those the proxy failed itself. Keys come out sorted, as Go prints them.
 */
export function debugVars(stats: StatsSnapshot, info: ProxyRecord, build: Build): unknown {
  const cmds = stats.commands.filter(({ calls }) => calls > 0).map((command) => {
    const { name, calls } = command;
    const usecs = Math.round(command.usecs);
    return {
      calls,
      cmd: name.toUpperCase().replace("|", " "),
      usecs,
      usecs_percall: Math.floor(usecs / calls),
    };
  });
  return {
    cmdline: ["codis-proxy", ...Deno.args],
    memstats: memStats(stats),
    router: {
      build: { compile: build.compile, version: build.version },
      cmds,
      info,
      ops: totalCalls(stats),
    },
  };
}

/** Lengths of Go's lists: the newest pauses, and the classes of sizes. */
const GO_PAUSES = 256;
const GO_SIZES = 61;

/**
 * Every field of Go's `runtime.MemStats`, since what reads them stumbles over one that is missing. V8
 * does not tell what Go counts of its own allocator and collector: that is 0.
 */
function memStats({ heap: { used, total, external } }: StatsSnapshot): Record<string, unknown> {
  return {
    Alloc: used + external,
    TotalAlloc: used + external,
    Sys: Deno.memoryUsage().rss,
    Lookups: 0,
    Mallocs: 0,
    Frees: 0,
    HeapAlloc: used,
    HeapSys: total,
    HeapIdle: Math.max(0, total - used),
    HeapInuse: used,
    HeapReleased: 0,
    HeapObjects: 0,
    StackInuse: 0,
    StackSys: 0,
    MSpanInuse: 0,
    MSpanSys: 0,
    MCacheInuse: 0,
    MCacheSys: 0,
    BuckHashSys: 0,
    GCSys: 0,
    OtherSys: external,
    NextGC: total,
    LastGC: 0,
    PauseTotalNs: 0,
    PauseNs: new Array(GO_PAUSES).fill(0),
    PauseEnd: new Array(GO_PAUSES).fill(0),
    NumGC: 0,
    NumForcedGC: 0,
    GCCPUFraction: 0,
    EnableGC: true,
    DebugGC: false,
    BySize: Array.from({ length: GO_SIZES }, () => ({ Size: 0, Mallocs: 0, Frees: 0 })),
  };
}
