/**
 * What the configuration says, in the data plane's terms.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import type { Secret } from "../base/secret.ts";
import { isAccessLog } from "./access_log.ts";
import type { ClientRoom } from "./client_room.ts";
import { VERSION } from "./version.ts";
import { backendLogin, clientLogin, type Config, configEntries } from "../config/config.ts";
import {
  type BackendLogin,
  DATABASES,
  type RouterLogins,
  type RouterOptions,
} from "../router/options.ts";

/** The passwords as they are now. */
function routerLogins(config: Config): RouterLogins {
  const [own, clients] = [backendLogin(config), clientLogin(config)];
  const [password, ...oldPasswords] = config.password.revealAll();
  const requests = plainLogin(clients ?? own);
  return {
    password: password!,
    oldPasswords,
    backendUser: requests.user,
    backendPassword: requests.password,
    backendOldPasswords: requests.oldPasswords ?? [],
    moverLogin: clients && plainLogin(own),
  };
}

function plainLogin(login: { readonly user: string; readonly password: Secret }): BackendLogin {
  const [password, ...oldPasswords] = login.password.revealAll();
  return { user: login.user, password: password!, oldPasswords };
}

/**
 * Turns a checked configuration into the router's options.
 *
 * @param sockets Where clients connect; a host that the operator named is open on purpose.
 */
export function routerOptions(
  config: Config,
  version: string,
  sockets: readonly Pick<Address, "hostname">[],
): RouterOptions {
  return {
    ...routerLogins(config),
    readMode: config.readMode,
    tlsAuthUser: config.tlsAuthUser,
    isProtected: config.protectedMode === "yes" &&
      sockets.some(({ hostname }) => hostname === ""),
    maxClients: config.maxClients,
    clientHandlesMax: 0,
    dialMode: config.readMode,
    sessionIdleMs: config.sessionMaxTimeoutMs,
    sessionAuthMs: config.sessionAuthTimeoutMs,
    sessionPartialMs: config.sessionPartialTimeoutMs,
    sessionWriteMs: config.sessionWriteTimeoutMs,
    sessionReadBytesMax: config.sessionMaxBufsizeBytes,
    // 0 is Codis 2.0's "unbuffered": one request at a time.
    sessionPipelineMax: Math.max(1, config.sessionMaxPipeline),
    sessionBufferBytesMax: config.sessionMaxBufferBytes,
    proxyBufferBytesMax: config.proxyMaxBufferBytes,
    backendDialMs: config.backendDialTimeoutMs,
    backendTimeoutMs: config.backendTimeoutMs,
    backendConnections: config.backendConnections,
    privateConnectionsMax: config.privateConnectionsMax,
    multiSlotTransactions: config.allowsMultiSlotTransactions,
    slotWaitMs: config.slotWaitTimeoutMs,
    readFrom: config.readFrom,
    readYourWrites: config.readsOwnWrites,
    replicaLagMs: config.replicaMaxLagMs,
    replicaLagBytesMax: config.replicaMaxLagBytes,
    slowerThanUs: config.slowerThanUs,
    requestSample: config.requestSample,
    hasAccessLog: isAccessLog(config.accessLog),
    hotKeySamples: config.hotKeySamples,
    destructiveCommands: config.allowsDestructiveCommands,
    undeclaredKeys: config.undeclaredKeys === "allow",
    clusterMode: config.clusterMode,
    serverCommands: config.allowsServerCommands,
    shownConfig: shownConfig(config),
    version,
  };
}

/**
 * The options with as many clients as there is room for. Where more may be found, what CONFIG GET shows is what was
 * asked for.
 *
 * @param sockets As for {@linkcode routerOptions}.
 */
export function optionsThatFit(
  config: Config,
  { clients, handles, serverHandles, isAll }: ClientRoom,
  sockets: readonly Pick<Address, "hostname">[],
): RouterOptions {
  const shown = isAll ? { ...config, maxClients: clients } : config;
  const options = routerOptions(shown, VERSION, sockets);
  const { readMode } = config;
  const dialMode = readMode === "direct" || serverHandles ? readMode : undefined;
  return { ...options, maxClients: clients, clientHandlesMax: handles, dialMode };
}

/**
 * What CONFIG GET shows: the proxy's own keys, secrets masked, and the few of Redis's that say
 * something of the proxy. All others are those of the servers. Users are no parameters: ACL LIST shows them.
 */
export function shownConfig(config: Config): [name: string, value: string][] {
  return [
    ...configEntries(config).filter(([key]) => key !== "user.NAME"),
    ["protected-mode", config.protectedMode],
    ["maxclients", String(config.maxClients)],
    ["databases", String(DATABASES)],
    ...config.clusterMode ? [["cluster-enabled", "yes"] as [string, string]] : [],
    ["timeout", String(Math.floor(config.sessionMaxTimeoutMs / 1000))],
  ];
}
