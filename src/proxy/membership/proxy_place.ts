/**
 * Where this proxy is: its zone, and the names of its machine.
 *
 * @module
 */

import type { Config } from "../../config/config.ts";
import type { ProxyPlace } from "./replica_loader.ts";

/** Time between two looks for replicas in the store; milliseconds. */
const LOOK_MS = 10_000;
const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "::1"];

/** The place of a proxy with this configuration. */
export function proxyPlace({ zone, announceAddr }: Config): ProxyPlace {
  const own = Deno.networkInterfaces().map(({ address }) => address);
  const hosts = [...LOOPBACK_NAMES, ...own, Deno.hostname(), announceAddr?.hostname ?? ""];
  return {
    zone,
    hosts: new Set(hosts.filter((host) => host !== "")),
    lookMs: LOOK_MS,
  };
}
