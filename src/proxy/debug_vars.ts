/**
 * `/debug/vars` in the shape of Codis 2.0, which its dashboard polls every second.
 *
 * @module
 */

import { COMMANDS } from "../command/command_table.ts";
import type { ProxyRecord } from "../model/proxy.ts";
import { type RouterFigures, totalCalls } from "../router/figures.ts";

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
export function debugVars(figures: RouterFigures, info: ProxyRecord, build: Build): unknown {
  const cmds = figures.commands.filter(({ calls }) => calls > 0).map((command) => {
    const { id, calls } = command;
    const usecs = Math.round(command.usecs);
    return {
      calls,
      cmd: COMMANDS[id]!.name.toUpperCase().replace("|", " "),
      usecs,
      usecs_percall: Math.floor(usecs / calls),
    };
  });
  const { used, total, external } = figures.heap;
  return {
    cmdline: ["codis-proxy", ...Deno.args],
    memstats: {
      Alloc: used + external,
      HeapAlloc: used,
      HeapSys: total,
      Sys: Deno.memoryUsage().rss,
    },
    router: {
      build: { compile: build.compile, version: build.version },
      cmds,
      info,
      ops: totalCalls(figures),
    },
  };
}
