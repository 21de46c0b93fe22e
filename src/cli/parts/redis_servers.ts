/**
 * Connections to the Redis servers, with the login and timeouts of the config.
 *
 * @module
 */

import type { Address } from "../../base/address.ts";
import { backendLogin, clientLogin, type Config } from "../../config/config.ts";
import { backendTlsFiles } from "../../config/tls.ts";
import { readTlsToServers } from "../../io/tls_files.ts";
import type { TlsToServers } from "../../io/tls.ts";
import type { ClientLogin } from "../../control/client_login.ts";
import { IDENTITY_MS } from "../../control/fit_server.ts";
import { factsOf } from "../../control/servers.ts";
import { RedisConnection } from "../../redis/connection.ts";
import type { Identify } from "../../store/bootstrap.ts";

/**
 * Connects to a server for a few short commands; the caller closes the connection.
 *
 * @throws {RedisUnreachableError | RedisError} When that fails.
 */
export async function openServer(config: Config, server: Address): Promise<RedisConnection> {
  const [dialMs, tls] = [config.backendDialTimeoutMs, await tlsToServers(config)];
  return await RedisConnection.open(server, {
    ...backendLogin(config),
    ...{ dialMs, replyMs: IDENTITY_MS, tls },
  });
}

/**
 * How the servers are spoken to with TLS; `undefined`: without.
 *
 * @throws {Error} When a file that the config names cannot be used.
 */
export function tlsToServers(config: Config): Promise<TlsToServers | undefined> {
  return readTlsToServers(backendTlsFiles(config), config.backendTlsServerName);
}

/**
 * How proxies log in for clients.
 *
 * @throws As {@linkcode tlsToServers}.
 */
export async function loginOfClients(config: Config): Promise<ClientLogin> {
  return { clients: clientLogin(config), tls: await tlsToServers(config) };
}

/** Makes the function that asks a server for its identity. */
export function identifier(config: Config): Identify {
  return async (server) => {
    try {
      using redis = await openServer(config, server);
      return await factsOf(redis);
    } catch {
      return undefined;
    }
  };
}
