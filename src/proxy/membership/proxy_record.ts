/**
 * What a proxy registers of itself.
 *
 * @module
 */

import { type Address, formatAddress } from "../../base/address.ts";
import { formatStartAt, type ProxyRecord } from "../../model/proxy.ts";

/** Where a proxy listens, and who it is. */
export interface ProxyIdentity {
  readonly proxyId: string;
  /** Where it listens for Redis clients; the port it has, not the one it asked for. */
  readonly listen: Address;
  /** Where it listens for TLS, if that is registered: `listen` itself, or another address of the same host. */
  readonly tls?: Address | undefined;
  /** Where its HTTP endpoint listens. */
  readonly http: Address;
  /** What is registered instead of them, where that is configured. */
  readonly announce: { readonly addr: Address | undefined; readonly http: Address | undefined };
  /** The name of this machine, which stands in for an address that others cannot dial. */
  readonly hostname: string;
  readonly pid: number;
  /** What proves its end; see `base/process_life.ts`. */
  readonly life: string;
  /** When it started, in milliseconds since 1970; fractions tell two starts apart. */
  readonly startedMs: number;
}

/** The record of a proxy that has just started: `offline` until it is set online. */
export function newProxyRecord(identity: ProxyIdentity): ProxyRecord {
  const { announce, hostname } = identity;
  const addr = announce.addr ?? advertisedAddress(identity.listen, hostname);
  const http = announce.http ?? advertisedAddress(identity.http, hostname);
  return {
    id: identity.proxyId,
    addr: formatAddress(addr),
    last_event: "",
    last_event_ts: 0,
    state: "offline",
    description: identity.life,
    debug_var_addr: formatAddress(http),
    pid: identity.pid,
    start_at: formatStartAt(identity.startedMs),
    ...identity.tls === undefined ? {} : {
      tls_addr: formatAddress(
        identity.tls === identity.listen ? addr : { ...addr, port: identity.tls.port },
      ),
    },
  };
}

/**
 * The address that others are given: the machine's name instead of an empty host, of every
 * interface and of the loopback ones, as in Codis 2.0 (which knows IPv4 only).
 */
export function advertisedAddress(listen: Address, hostname: string): Address {
  const isLocal = ["", "0.0.0.0", "::", "::1"].includes(listen.hostname) ||
    listen.hostname.startsWith("127.0.0.");
  return isLocal ? { hostname, port: listen.port } : listen;
}
