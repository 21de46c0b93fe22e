/**
 * What the configuration and the addresses of the command line mean for the start of a proxy: its sockets, how
 * many clients there may be, and how long it waits for what.
 *
 * @module
 */

import type { DashboardAccess } from "../api/dashboard_requests.ts";
import { type Address, isLoopback } from "../base/address.ts";
import type { Config } from "../config/config.ts";
import { clientTlsFiles } from "../config/tls.ts";
import { LOOPBACK } from "../io/listen.ts";
import { readTlsFiles } from "../io/tls_files.ts";
import type { TlsToClients } from "../io/tls_gate.ts";
import type { ProxyRecord } from "../model/proxy.ts";
import { machineName } from "./membership/proxy_place.ts";
import { newProxyRecord } from "./membership/proxy_record.ts";
import type { ProxyStart } from "./proxy_start.ts";
import type { ListenPlace } from "./workers/data_plane.ts";

/** How long after its session a killed process's entry of the same id may still be there. */
const TAKEOVER_MS = 3_000;

/**
 * What TLS clients are met with; `undefined`: there are none.
 *
 * @throws {Error} When its files cannot be used.
 */
export async function readClientTls(config: Config): Promise<TlsToClients | undefined> {
  const files = clientTlsFiles(config);
  if (files === undefined) return undefined;
  return { identity: await readTlsFiles(files), certificates: config.tlsAuthClients };
}

/** The sockets for clients: the plain one, if there is one, comes first. */
export function listenPlace({ listen, config: { tlsAddr, proto } }: ProxyStart): ListenPlace {
  const plain = listen === undefined ? [] : [listen];
  const tls = tlsAddr === undefined ? [] : [{ ...tlsAddr, isTls: true }];
  return { sockets: [...plain, ...tls], proto };
}

/** Whether clients speak TLS at a socket, by its number in the place. */
export function isTls({ listen }: ProxyStart, socket: number): boolean {
  return socket > 0 || listen === undefined;
}

/** The names by which HTTP clients may call a proxy. */
export function httpNamesOf({ httpNames, announceHttpAddr }: Config): readonly string[] {
  return [...httpNames, announceHttpAddr?.hostname ?? ""];
}

/** Where the HTTP endpoint listens: in protected mode, only this machine can connect. */
export function httpHostnames(config: Config, { hostname }: Address): readonly string[] {
  const isOpen = hostname !== "" || config.dashboardToken.isSet || config.protectedMode === "no";
  return isOpen ? [hostname] : LOOPBACK[config.proto];
}

/** The HTTP address as others of an embedded store reach it, who are on this machine; else undefined. */
function onlyHere({ coordinator }: Config, address: Deno.NetAddr): Address | undefined {
  return coordinator === "embedded" && isLoopback(address.hostname) ? address : undefined;
}

/** With the embedded coordinator the proxy sets itself online; there need be no dashboard. */
export function dashboardOf(config: Config): DashboardAccess | undefined {
  const { coordinator, dashboardAddr: address, dashboardToken: token } = config;
  return coordinator === "embedded" || address === undefined ? undefined : { address, token };
}

/**
 * How long a pause of this process may be before its table is doubted. A session is kept alive every
 * third of its timeout, so a pause of two thirds may end it: half is on the safe side. The same with the embedded
 * coordinator: the product may move to another one.
 */
export function gapMs({ zkSessionTimeoutMs }: Config): number {
  return zkSessionTimeoutMs / 2;
}

/**
 * How long an earlier process of the same id may take to leave, in milliseconds. The entry of a killed
 * one ends with its session: at once in the embedded store, after the session timeout elsewhere.
 */
export function takeoverMs(config: Config): number {
  return TAKEOVER_MS + (config.coordinator === "embedded" ? 0 : config.zkSessionTimeoutMs);
}

/**
 * The record of a proxy that has just bound its sockets.
 *
 * @param addresses Of its sockets, in the order of the place.
 */
export function ownRecord(
  { config, http, listen }: ProxyStart,
  addresses: readonly Deno.NetAddr[],
  httpAddress: Deno.NetAddr,
  life: string,
): ProxyRecord {
  const [own, tls = own] = addresses.map(({ port }, i) => ({
    hostname: (i === 0 ? listen ?? config.tlsAddr! : config.tlsAddr!).hostname,
    port,
  }));
  const record = newProxyRecord({
    proxyId: config.proxyId,
    listen: own!,
    // Nobody else asks for it, and Codis 2.0 has no field for it.
    tls: config.clusterMode && config.tlsAddr !== undefined ? tls : undefined,
    http: { hostname: http.hostname, port: httpAddress.port },
    announce: {
      addr: config.announceAddr,
      http: config.announceHttpAddr ?? onlyHere(config, httpAddress),
    },
    hostname: machineName(),
    pid: Deno.pid,
    life,
    startedMs: performance.timeOrigin + performance.now(),
  });
  return config.clusterMode ? { ...record, cluster_mode: true } : record;
}
