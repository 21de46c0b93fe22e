/**
 * Tells a running proxy of the replicas of its groups, as an operator does.
 *
 * @module
 */

import { until } from "./deadline.ts";
import { type ProxyProcess, startProgram } from "./proxy_process.ts";
import { say, type ServersOfGroup } from "./replica_group.ts";

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
  for (const [i, { replicas, links }] of groups.entries()) {
    for (const [k, replica] of replicas.entries()) {
      await configure(proxy, "server", "add", `${i + 1}`, replica.addr, "slave", "--force");
      // Adding it made it follow its master directly.
      await say(replica, "REPLICAOF", "127.0.0.1", links[k]!.port);
      count++;
    }
  }
  await until(async () => {
    const metrics = await (await fetch(proxy.url("/metrics"))).text();
    const rows = [...metrics.matchAll(/^codis_proxy_replica_serving{.*} (\d)/gm)];
    return rows.length >= count && rows.every(([, serves]) => serves === "1");
  });
}
