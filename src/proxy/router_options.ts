/**
 * What the configuration says, in the data plane's terms.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { backendLogin, clientLogin, type Config, configEntries } from "../config/config.ts";
import { DATABASES, type RouterOptions } from "../router/options.ts";

/**
 * Turns a checked configuration into the router's options.
 *
 * @param listen Where clients connect; a host that the operator named is open on purpose.
 */
export function routerOptions(config: Config, version: string, listen: Address): RouterOptions {
  const [own, clients] = [backendLogin(config), clientLogin(config)];
  const { user, password } = clients ?? own;
  return {
    readMode: config.readMode,
    password: config.password.reveal(),
    isProtected: config.protectedMode === "yes" && listen.hostname === "",
    backendUser: user,
    backendPassword: password.reveal(),
    moverLogin: clients && { user: own.user, password: own.password.reveal() },
    maxClients: config.maxClients,
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
    privateConnectionsMax: config.privateConnectionsMax,
    multiSlotTransactions: config.allowsMultiSlotTransactions,
    slotWaitMs: config.slotWaitTimeoutMs,
    destructiveCommands: config.allowsDestructiveCommands,
    undeclaredKeys: config.undeclaredKeys === "allow",
    serverCommands: config.allowsServerCommands,
    shownConfig: shownConfig(config),
    version,
  };
}

/**
 * What CONFIG GET shows: the proxy's own keys, secrets masked, and the few of Redis's that say
 * something of the proxy. All others are those of the servers.
 */
function shownConfig(config: Config): [name: string, value: string][] {
  return [
    ...configEntries(config),
    ["protected-mode", config.protectedMode],
    ["maxclients", String(config.maxClients)],
    ["databases", String(DATABASES)],
    ["timeout", String(Math.floor(config.sessionMaxTimeoutMs / 1000))],
  ];
}
