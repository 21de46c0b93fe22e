/**
 * Who follows whom among the servers of a group, as they say and as they are told.
 *
 * @module
 */

import type { GroupRecord } from "../model/group.ts";
import type { ServerType } from "../model/server.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { readInfo } from "../redis/info.ts";
import type { Control } from "./control.ts";
import {
  areOneServer,
  follow,
  freezingAddress,
  isSameServer,
  type Replication,
  replicationOf,
  type ServerAuth,
} from "./servers.ts";

/**
 * Points all other servers of a group at its new master.
 *
 * @param left Addresses of those that cannot follow it (`leftBehind`). The old master among them keeps its
 * data, and takes no writes.
 * @returns What the old one is now.
 */
export async function pointServersAt(
  control: Control,
  auth: ServerAuth,
  group: GroupRecord,
  addr: string,
  old: string,
  left: ReadonlySet<string>,
): Promise<ServerType> {
  const others = (group.servers ?? []).filter((server) =>
    server.addr !== addr && (server.type === "slave" || server.addr === old)
  );
  let oldType: ServerType = "offline";
  await Promise.all(others.map(async (server) => {
    if (left.has(server.addr)) {
      if (server.addr !== old) return;
      const nowhere = freezingAddress(old);
      await commandServer(control, old, (redis) => follow(redis, nowhere, auth));
      return;
    }
    const isSent = await commandServer(control, server.addr, (redis) => follow(redis, addr, auth));
    if (server.addr === old && isSent) oldType = "slave";
  }));
  return oldType;
}

/**
 * How a server replicates; nothing when it does not answer.
 *
 * @param onFailure Called with the reason then.
 */
export async function roleOf(
  control: Control,
  addr: string,
  onFailure: (error: Error) => void = () => {},
): Promise<Replication | undefined> {
  try {
    using redis = await control.redis(addr);
    return replicationOf(await readInfo(redis));
  } catch (error) {
    onFailure(error as Error);
    return undefined;
  }
}

/** Whether a replica follows a master, by whatever address. */
export async function doesFollow(
  control: Control,
  replica: Replication,
  old: string,
  master: Replication | undefined,
): Promise<boolean> {
  if (isSameServer(replica.master, old)) return true;
  if (old === "") return false;
  const isOneHistory = replica.history !== "" && replica.history === master?.history;
  return isOneHistory || await areOneServer(control, replica.master, old);
}

/** Sends commands to a server; false when it fails, which is reported. */
export async function commandServer(
  control: Control,
  addr: string,
  send: (redis: RedisConnection) => Promise<unknown>,
): Promise<boolean> {
  try {
    using redis = await control.redis(addr);
    await send(redis);
    return true;
  } catch (error) {
    control.report("warning", `${(error as Error).message}`);
    return false;
  }
}
