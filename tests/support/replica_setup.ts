/**
 * Tells a running proxy of the replicas of its groups, as an operator does.
 *
 * @module
 */

import { until } from "./deadline.ts";
import { type ProxyProcess, startProgram } from "./proxy_process.ts";
import type { ServersOfGroup } from "./replica_group.ts";

/** Runs `codis-proxy config` for a proxy; returns what it prints. */
export async function configure(proxy: ProxyProcess, ...words: string[]): Promise<string> {
  const child = startProgram(["config", "-c", `${proxy.folder}/config.ini`, ...words]);
  const { code } = await child.ended;
  if (code !== 0) throw new Error(child.stderr);
  return child.stdout;
}

/** Adds the replicas of the groups 1, 2 and so on, and waits until all workers read from all of them. */
export async function addReplicas(
  proxy: ProxyProcess,
  groups: readonly ServersOfGroup[],
): Promise<void> {
  let count = 0;
  for (const [i, { replicas }] of groups.entries()) {
    for (const { addr } of replicas) {
      await configure(proxy, "server", "add", `${i + 1}`, addr, "slave", "--force");
      count++;
    }
  }
  await until(async () => {
    const metrics = await (await fetch(proxy.url("/metrics"))).text();
    const rows = [...metrics.matchAll(/^codis_proxy_replica_serving{.*} (\d)/gm)];
    return rows.length >= count && rows.every(([, serves]) => serves === "1");
  });
}
