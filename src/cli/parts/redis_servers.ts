/**
 * How a process of the control plane reaches the Redis servers, by its configuration.
 *
 * @module
 */

import type { Address } from "../../base/address.ts";
import { backendLogin, type Config } from "../../config/config.ts";
import { factsOf, IDENTITY_MS } from "../../control/servers.ts";
import { RedisConnection } from "../../redis/connection.ts";
import type { Identify } from "../../store/bootstrap.ts";

/**
 * Connects to a server of which little is asked; the caller closes it.
 *
 * @throws {RedisUnreachableError | RedisError} When that fails.
 */
export function openServer(config: Config, server: Address): Promise<RedisConnection> {
  const dialMs = config.backendDialTimeoutMs;
  return RedisConnection.open(server, { ...backendLogin(config), dialMs, replyMs: IDENTITY_MS });
}

/** Asks servers who they are. */
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
