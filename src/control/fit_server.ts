/**
 * What else than one Redis server answers by Redis's protocol, and can be no server of a group: proxies, sentinels,
 * nodes of a Redis Cluster.
 *
 * @module
 */

import { RedisUnreachableError } from "../redis/connection.ts";
import { readInfo, type RedisInfo } from "../redis/info.ts";
import { RedisError } from "../redis/reply.ts";
import { StoreError } from "../store/store.ts";
import type { Control } from "./control.ts";

/** Fields of INFO by which our proxies are known, and those of Codis that have one. */
const PROXY_FIELDS = ["codis_proxy_version", "codis_version"];
const IS_PROXY = "is a proxy: name the Redis servers behind it";

/** Longest time that a server may take to report its identity, in milliseconds. */
export const IDENTITY_MS = 1_000;

/** Why INFO is not that of a single Redis server; `""`: it is. */
export function unfitness(info: RedisInfo): string {
  if (PROXY_FIELDS.some((name) => info[name] !== undefined)) return IS_PROXY;
  if (info["redis_mode"] === "sentinel") {
    return "is a sentinel: add it by `codis-proxy config sentinel add`";
  }
  const isInCluster = info["cluster_enabled"] === "1";
  return isInCluster ? "runs in cluster mode: start it with cluster-enabled no" : "";
}

/** @throws {StoreError} When INFO is not that of a single Redis server. */
export function checkIsServer(addr: string, info: RedisInfo): void {
  const unfit = unfitness(info);
  if (unfit !== "") throw new StoreError(`${addr} ${unfit}`);
}

/**
 * Checks that nothing else than one Redis server answers at an address. Whoever does not answer, or does not let us
 * in, passes.
 *
 * @throws {StoreError} When it is something else; force does not help.
 */
export async function checkNothingElse(
  control: Pick<Control, "redis">,
  addr: string,
): Promise<void> {
  const info = await infoIfAny(control, addr);
  if (info === undefined) return;
  checkIsServer(addr, info);
  if (await refusesLikeCodis(control, addr)) throw new StoreError(`${addr} ${IS_PROXY}`);
}

/**
 * Whether a proxy of Codis answers, which has one of its servers answer INFO: later ones refuse DBSIZE in words of
 * their own, Codis 2.0 hangs up.
 */
async function refusesLikeCodis(control: Pick<Control, "redis">, addr: string): Promise<boolean> {
  try {
    using redis = await control.redis(addr, IDENTITY_MS);
    const [reply] = await redis.pipeline([["DBSIZE"]]);
    return reply instanceof RedisError && reply.message.includes("'DBSIZE' is not allowed");
  } catch (error) {
    if (!(error instanceof RedisUnreachableError)) throw error;
    // A server that has just ended would not answer again.
    return await infoIfAny(control, addr) !== undefined;
  }
}

async function infoIfAny(
  control: Pick<Control, "redis">,
  addr: string,
): Promise<RedisInfo | undefined> {
  try {
    using redis = await control.redis(addr, IDENTITY_MS);
    return await readInfo(redis);
  } catch (error) {
    if (error instanceof RedisUnreachableError || error instanceof RedisError) return undefined;
    throw error;
  }
}
