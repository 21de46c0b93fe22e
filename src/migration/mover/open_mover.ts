/**
 * Chooses the mover for two servers, by asking both what they are.
 *
 * @module
 */

import { CodisServerMover } from "./codis_server.ts";
import { type MoveContext, MoveError, type SlotMover } from "./mover.ts";
import { copyLibraries } from "../../control/function_libraries.ts";
import { areOneServer, isCodisServer, tlsFault } from "../../control/servers.ts";
import { blindReplicas } from "../../control/mixed_groups.ts";
import { loadSlotRules } from "../../store/slot_rules.ts";
import type { RedisConnection } from "../../redis/connection.ts";
import { RedisError } from "../../redis/reply.ts";
import { StockMover } from "./stock.ts";

/**
 * Connects to both servers of a move.
 *
 * @throws {MoveError} When they do not fit together.
 * @throws {RedisUnreachableError | RedisError} When one of them cannot be used.
 */
export async function openMover(context: MoveContext): Promise<SlotMover> {
  const { control, pair: { source, target } } = context;
  if (await areOneServer(control, source, target)) {
    const also = source === target ? "" : `, which is also ${target}`;
    throw new MoveError(`both groups have the same master, ${source}${also}`);
  }
  const [isSourceCodis, isTargetCodis] = [
    await isCodisServer(control, source),
    await isCodisServer(control, target),
  ];
  if (isTargetCodis && !isSourceCodis) {
    throw new MoveError(
      `${target} is a codis-server and ${source} is not: keys move away from codis-servers only, which cannot ` +
        "read those of a newer Redis",
    );
  }
  if (isSourceCodis && !isTargetCodis) await checkProxiesFollow(context);
  if (isTargetCodis) {
    const blind = await blindReplicas(control, target);
    if (blind.length > 0) {
      throw new MoveError(
        `${target} is a codis-server, and its replica ${
          blind[0]
        } is none, so it would miss the keys: promote ` +
          `that one first, or remove it`,
      );
    }
  }
  using redis = await control.redis(source);
  const fault = await tlsFault(redis, "tls-cluster");
  if (fault !== undefined) {
    throw new MoveError(`${source} cannot send keys to ${target} over TLS: ${fault}`);
  }
  const { rules } = await loadSlotRules(control.store);
  if (isSourceCodis && rules.length > 0) {
    throw new MoveError(
      `${source} is a codis-server, which knows nothing of slot rules: remove the rules, or use stock Redis ` +
        "servers",
    );
  }
  if (!isSourceCodis) await giveLibraries(context, redis);
  return isTargetCodis
    ? await CodisServerMover.open(context)
    : await StockMover.open(context, isSourceCodis);
}

/**
 * Lets the target have what functions clients call at the source: the slots' next calls come there.
 *
 * @throws {MoveError} When the target refuses a library.
 */
async function giveLibraries(
  { control, pair: { source, target } }: MoveContext,
  from: RedisConnection,
): Promise<void> {
  using to = await control.redis(target);
  let names: readonly string[];
  try {
    names = await copyLibraries(from, to);
  } catch (error) {
    if (!(error instanceof RedisError)) throw error;
    throw new MoveError(
      `${target} lacks function libraries of ${source}, and they cannot be copied: ${error.message}`,
    );
  }
  if (names.length === 0) return;
  control.report(
    "info",
    `${target} lacked function libraries of ${source}, which were loaded there: ${
      names.join(", ")
    }`,
  );
}

/** @throws {MoveError} When a proxy cannot fetch keys of a codis-server for a stock Redis. */
async function checkProxiesFollow(
  { control, pair: { source, target } }: MoveContext,
): Promise<void> {
  const follows = await control.proxiesFollow("follows_leaving");
  if (follows === "yes") return;
  const why = follows === "no"
    ? "a proxy is online that cannot fetch keys this way: replace the proxies of Codis and older ones first"
    : "it is not known of all proxies whether they can fetch keys this way";
  throw new MoveError(`${source} is a codis-server and ${target} is not, and ${why}`);
}
