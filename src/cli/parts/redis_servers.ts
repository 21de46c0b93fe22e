/**
 * Connections to the Redis servers, with the login and timeouts of the config.
 *
 * @module
 */

import type { Address } from "../../base/address.ts";
import { backendLogin, type Config } from "../../config/config.ts";
import { factsOf, IDENTITY_MS } from "../../control/servers.ts";
import { RedisConnection } from "../../redis/connection.ts";
import type { Identify } from "../../store/bootstrap.ts";

/**
 * Connects to a server for a few short commands; the caller closes the connection.
 *
 * @throws {RedisUnreachableError | RedisError} When that fails.
 */
export function openServer(config: Config, server: Address): Promise<RedisConnection> {
  const dialMs = config.backendDialTimeoutMs;
  return RedisConnection.open(server, { ...backendLogin(config), dialMs, replyMs: IDENTITY_MS });
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
