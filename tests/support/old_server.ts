/**
 * A server that cannot be told to unblock a client, as those before Redis 5 cannot: the program that CODIS_SERVER
 * names, else a redis-server without CLIENT.
 *
 * @module
 */

import { CODIS_SERVER } from "./codis_server.ts";
import type { RedisOptions } from "./redis_server.ts";

/** How it is started. */
export const OLD_SERVER: RedisOptions = CODIS_SERVER === undefined
  ? { args: ["--rename-command", "CLIENT", ""] }
  : { program: CODIS_SERVER };
