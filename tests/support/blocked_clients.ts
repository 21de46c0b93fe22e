/**
 * Waiting until clients are blocked at a server.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { within } from "./deadline.ts";
import type { RedisServer } from "./redis_server.ts";

/** Resolves once so many clients are blocked at a server. */
export async function whenBlocked(at: RedisServer, count: number): Promise<void> {
  using server = await at.client();
  const blocked = async () =>
    Number(/blocked_clients:(\d+)/.exec(String(await server.call("INFO", "clients")))![1]);
  await within(
    (async () => {
      while (await blocked() !== count) await delay(2);
    })(),
    5000,
    `${count} blocked clients`,
  );
}
