/**
 * Why a target refuses the probe key, for the operator: which servers these are, and what to do.
 *
 * @module
 */

import { readsOf } from "../../control/servers.ts";
import type { RedisConnection } from "../../redis/connection.ts";
import { readInfo } from "../../redis/info.ts";
import { whyNotRead } from "../../store/decoded_tree.ts";
import type { MovePair } from "./mover.ts";

/**
 * The same text each time: it is told once.
 *
 * @param cause What the target has answered.
 * @throws {RedisUnreachableError | RedisError} When one of them does not answer.
 */
export async function whyProbeRefused(
  { source, target }: MovePair,
  from: RedisConnection,
  to: RedisConnection,
  cause: string,
): Promise<string> {
  const [own, other] = [readsOf(await readInfo(from)), readsOf(await readInfo(to))];
  const why = whyNotRead(other, own);
  if (why !== "" && own !== undefined) {
    return `${target} ${why}: replace it by ${own.name} or newer, or move these slots to such a server (the server: ${cause})`;
  }
  const named = (addr: string, name?: string) => name === undefined ? addr : `${addr} (${name})`;
  return `${named(target, other?.name)} refuses keys of ${named(source, own?.name)}: ${cause}`;
}
