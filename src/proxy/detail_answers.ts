/**
 * `/clients` and `/commands`: what the page of a proxy shows.
 *
 * @module
 */

import type { ProxyCommands } from "../api/detail_view.ts";
import type { ClientsAnswer } from "../api/proxy_clients.ts";
import { percentileUs } from "../base/histogram.ts";
import { clientFields } from "../resp/client_list.ts";
import type { FoundClients } from "../router/local/client_search.ts";
import type { CommandSnapshot } from "../router/stats_snapshot.ts";
import { recentTimes } from "./metrics/recent_times.ts";

/** The clients that were found. */
export function clientsAnswer({ total, matching, first }: FoundClients): ClientsAnswer {
  return { total, matching, clients: first.map(({ line }) => clientFields(line)) };
}

/** The commands that were used. */
export function commandsAnswer(
  commands: readonly CommandSnapshot[],
  nowMs: number,
): ProxyCommands {
  const times = new Map(commands.map((command) => [command.name, command.times]));
  const recent = recentTimes("/commands", times, nowMs);
  return {
    commands: commands.map(({ name, calls, errors, failures, usecs }, i) => ({
      ...{ name: name.replace("|", " "), calls, usecs: Math.round(usecs) },
      failed: errors + failures,
      p50_usecs: percentileUs(recent[i]!, 0.5),
      p99_usecs: percentileUs(recent[i]!, 0.99),
    })),
  };
}
