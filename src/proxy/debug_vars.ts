/**
 * `/debug/vars` in the shape of Codis 2.0, which its dashboard polls every second.
 *
 * @module
 */

import { COMMANDS } from "../command/command_table.ts";
import type { ProxyRecord } from "../model/proxy.ts";
import type { Router } from "../router/router.ts";

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
export function debugVars(router: Router, info: ProxyRecord, build: Build): unknown {
  const { stats } = router;
  const cmds = COMMANDS.filter(({ id }) => stats.calls[id]! > 0).map(({ id, name }) => {
    const calls = stats.calls[id]!;
    const usecs = Math.round(stats.usecs[id]!);
    return {
      calls,
      cmd: name.toUpperCase().replace("|", " "),
      usecs,
      usecs_percall: Math.floor(usecs / calls),
    };
  });
  const memory = Deno.memoryUsage();
  return {
    cmdline: ["codis-proxy", ...Deno.args],
    memstats: {
      Alloc: memory.heapUsed + memory.external,
      HeapAlloc: memory.heapUsed,
      HeapSys: memory.heapTotal,
      Sys: memory.rss,
    },
    router: {
      build: { compile: build.compile, version: build.version },
      cmds,
      info,
      ops: stats.totalCalls(),
    },
  };
}
