/**
 * Where this proxy is: its zone, and the names of its machine.
 *
 * @module
 */

import { isLoopback, ownAddresses } from "../../base/address.ts";
import type { Config } from "../../config/config.ts";
import type { ProxyPlace } from "./replica_loader.ts";

/** Time between two looks for replicas in the store; milliseconds. */
const LOOK_MS = 10_000;
const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "::1"];

/** The place of a proxy with this configuration. */
export function proxyPlace({ zone, announceAddr }: Config): ProxyPlace {
  const announced = announceAddr?.hostname ?? "";
  const hosts = [...LOOPBACK_NAMES, ...ownAddresses(), Deno.hostname(), announced];
  return {
    zone,
    hosts: new Set(hosts.filter((host) => host !== "")),
    lookMs: LOOK_MS,
  };
}

/**
 * How other machines call this one: by its name, as in Codis 2.0; by its first address, where its name is that of every
 * machine, as `localhost.localdomain`; by that name where it has no address for others.
 *
 * @param own The addresses of this machine.
 */
export function machineName(name = Deno.hostname(), own = ownAddresses()): string {
  if (name !== "" && !/^localhost(\.|$)/i.test(name)) return name;
  const others = own.filter((address) => !isLoopback(address) && !/^fe80:/i.test(address));
  return others.find((address) => !address.includes(":")) ?? others[0] ?? (name || "localhost");
}
