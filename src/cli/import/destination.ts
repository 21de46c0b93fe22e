/**
 * What keys are written to: a product, through its proxies, or one server.
 *
 * @module
 */

import type { Placement } from "../../hash/placement.ts";
import type { TargetAccess } from "../../import/target/lane.ts";
import { Target, type TargetServers } from "../../import/target/target.ts";
import { RedisConnection } from "../../redis/connection.ts";

const DIAL_MS = 5_000;
const REPLY_MS = 60_000;

/** See the header. */
export interface Destination {
  readonly name: string;
  /** What messages call it: `product "test"`. */
  readonly title: string;
  readonly access: TargetAccess;
  readonly servers: TargetServers;
  /** Where keys are placed in the product. */
  readonly placement: Placement;
  /** Keys that it had at first. */
  readonly keys: number;
  /** The databases that have keys now. */
  databases(): Promise<number[]>;
}

/** Opens a connection for questions; the caller closes it. */
export async function openDestination(
  { access }: Pick<Destination, "access">,
): Promise<RedisConnection> {
  const [address] = await access.addresses();
  if (address === undefined) throw new Error("no proxy is online");
  const { user, password, tls } = access;
  return await RedisConnection.open(address, {
    ...{ user, password, tls, dialMs: DIAL_MS, replyMs: REPLY_MS },
  });
}

/** Makes connections that keys are written with; the caller closes them. */
export async function openTarget(
  { access, servers, placement }: Destination,
  lanes: number,
): Promise<Target> {
  const target = new Target(access, servers, placement, lanes);
  await target.open();
  return target;
}
