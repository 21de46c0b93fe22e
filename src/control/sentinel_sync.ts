/**
 * What sentinels are told: which masters to watch, and how.
 *
 * @module
 */

import { type Address, formatAddress, isLoopback, parseAddress } from "../base/address.ts";
import { lookUp } from "../io/lookup.ts";
import type { GroupRecord } from "../model/group.ts";
import { groupOfMasterName, masterNameOf } from "../model/sentinels.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { readInfo } from "../redis/info.ts";
import {
  forgetMaster,
  readMasters,
  type SentinelMaster,
  type SentinelSettings,
  watchMaster,
} from "../redis/sentinel.ts";
import type { Control } from "./control.ts";
import { IDENTITY_MS } from "./fit_server.ts";
import { replicationOf, type ServerAuth } from "./servers.ts";

/** What is needed to talk to sentinels. */
export interface SentinelSyncContext {
  readonly product: string;
  /** Connects to a sentinel. */
  open(addr: string): Promise<RedisConnection>;
  /** How masters are watched, the quorum as a number above 0. */
  readonly settings: SentinelSettings;
  /** How a sentinel logs in to the servers. */
  readonly auth: ServerAuth;
  /** Whether a sentinel that sees a group's master at this address means the master in the store. */
  isStored(groupId: number, seen: SentinelMaster): Promise<boolean>;
}

/** Why each sentinel that failed did, by its address. */
export type SentinelFailures = ReadonlyMap<string, string>;

/**
 * Has sentinels watch masters no longer.
 *
 * @param groupIds Whose masters; left out: all of this product.
 */
export function forgetAt(
  context: SentinelSyncContext,
  sentinels: readonly string[],
  groupIds?: readonly number[],
): Promise<SentinelFailures> {
  const { product } = context;
  return atEach(context, sentinels, async (redis) => {
    const isOurs = (name: string) => groupOfMasterName(product, name) !== undefined;
    const names = groupIds === undefined
      ? (await readMasters(redis, isOurs)).map(({ name }) => name)
      : groupIds.map((groupId) => masterNameOf(product, groupId));
    for (const name of names) await forgetMaster(redis, name);
  });
}

/**
 * Has sentinels watch the masters of groups, and tells them how. One that watches another server as the
 * group's master fails, and keeps it.
 */
export async function watchAt(
  context: SentinelSyncContext,
  sentinels: readonly string[],
  groups: readonly GroupRecord[],
): Promise<SentinelFailures> {
  const { product, settings, auth } = context;
  let masters: readonly WantedMaster[];
  try {
    masters = await mastersOf(product, groups);
  } catch (error) {
    return new Map(sentinels.map((addr) => [addr, (error as Error).message]));
  }
  return await atEach(context, sentinels, async (redis) => {
    const isOurs = (name: string) => groupOfMasterName(product, name) !== undefined;
    const watched = await readMasters(redis, isOurs);
    const problems: string[] = [];
    for (const { groupId, name, address } of masters) {
      const seen = watched.find((each) => each.name === name);
      const addr = formatAddress(address);
      if (seen !== undefined && !await context.isStored(groupId, seen)) {
        problems.push(`${STRAYS} ${seen.addr} as ${name}, not ${addr}`);
      } else if (isLoopback(address.hostname) && !isLoopback(redis.address.hostname)) {
        problems.push(
          `${addr} is another server there: store the servers under addresses that the sentinels reach`,
        );
      } else {
        const addition = seen === undefined ? address : undefined;
        await watchMaster(redis, name, addition, settings, auth);
      }
    }
    if (problems.length > 0) throw new Error(problems.join(", "));
  });
}

/** Whether a sentinel failed as it watches another server than the stored master. */
export function doesStray(failure: string): boolean {
  return failure.includes(STRAYS);
}

const STRAYS = "it watches";

/**
 * Those groups whose master sentinels can be told to watch: they must not be told what they have just changed.
 *
 * @param isReplaced Whether a sentinel is replacing a group's master.
 * @returns Those groups, and why the others are not among them.
 */
export async function fitGroups(
  control: Pick<Control, "redis">,
  groups: readonly GroupRecord[],
  isReplaced: (groupId: number) => boolean,
): Promise<{ readonly fit: readonly GroupRecord[]; readonly problems: readonly string[] }> {
  const problems: string[] = [];
  const fit = await Promise.all(groups.map(async (group) => {
    const problem = isReplaced(group.id)
      ? "Sentinel is replacing its master"
      : await problemOfMaster(control, group);
    if (problem === "") return [group];
    problems.push(`group ${group.id}: ${problem}`);
    return [];
  }));
  return { fit: fit.flat(), problems };
}

async function problemOfMaster(
  control: Pick<Control, "redis">,
  { servers }: GroupRecord,
): Promise<string> {
  const master = servers?.find(({ type }) => type === "master")?.addr;
  if (master === undefined) return "";
  // Sentinels are told an address: without one, this group must not keep the others from being told.
  try {
    await lookUp(parseAddress(master).hostname);
  } catch (error) {
    return (error as Error).message;
  }
  try {
    using redis = await control.redis(master, IDENTITY_MS);
    const { role, master: followed } = replicationOf(await readInfo(redis, "replication"));
    if (role === "master") return "";
    return `${master} is stored as master, and follows ${followed}: promote a server of the group`;
  } catch {
    return ""; // Sentinel is there for masters that do not answer.
  }
}

/** A master that must be watched. */
interface WantedMaster {
  readonly groupId: number;
  readonly name: string;
  /** With an address literal: sentinels look up no names unless they are told to. */
  readonly address: Address;
}

/** @throws {Error} When a master's name has no address. */
async function mastersOf(
  product: string,
  groups: readonly GroupRecord[],
): Promise<readonly WantedMaster[]> {
  const masters = await Promise.all(groups.map(async ({ id, servers }) => {
    const addr = servers?.find(({ type }) => type === "master")?.addr;
    if (addr === undefined) return [];
    const { hostname, port } = parseAddress(addr);
    const found = await lookUp(hostname);
    // Redis listens on IPv4 for sure.
    const ip = found.find((each) => !each.includes(":")) ?? found[0]!;
    return [{ groupId: id, name: masterNameOf(product, id), address: { hostname: ip, port } }];
  }));
  return masters.flat();
}

async function atEach(
  context: SentinelSyncContext,
  sentinels: readonly string[],
  body: (redis: RedisConnection) => Promise<void>,
): Promise<SentinelFailures> {
  const failures = new Map<string, string>();
  await Promise.all(sentinels.map(async (addr) => {
    try {
      using redis = await context.open(addr);
      await body(redis);
    } catch (error) {
      const text = error instanceof Error ? error.message : `${error}`;
      failures.set(addr, text.replace(`${addr}: `, ""));
    }
  }));
  return failures;
}
