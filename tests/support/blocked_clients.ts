/**
 * Waiting until clients are blocked at a server.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { within } from "./deadline.ts";
import type { RedisServer } from "./redis_server.ts";

/** Resolves once so many clients are blocked at a server, or at several of them together. */
export async function whenBlocked(
  at: RedisServer | readonly RedisServer[],
  count: number,
): Promise<void> {
  using stack = new DisposableStack();
  const servers = await Promise.all([at].flat().map((server) => server.client()));
  for (const server of servers) stack.use(server);
  const blocked = async () => {
    const texts = await Promise.all(servers.map((server) => server.call("INFO", "clients")));
    const counts = texts.map((text) => Number(/blocked_clients:(\d+)/.exec(`${text}`)![1]));
    return counts.reduce((sum, each) => sum + each, 0);
  };
  await within(
    (async () => {
      while (await blocked() !== count) await delay(2);
    })(),
    5000,
    `${count} blocked clients`,
  );
}
