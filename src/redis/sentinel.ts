/**
 * What is said to one sentinel, and what it answers.
 *
 * @module
 */

import { type Address, formatAddress } from "../base/address.ts";
import type { Secret } from "../base/secret.ts";
import type { RedisConnection, Word } from "./connection.ts";
import { RedisError, type RedisValue, replyText } from "./reply.ts";

/** How a sentinel watches a master. */
export interface SentinelSettings {
  /** How many sentinels must find a master down; 0: most of them. */
  readonly quorum: number;
  /** How long a master must not have answered, in milliseconds. */
  readonly downAfterMs: number;
  /** How long a failover may take, in milliseconds. */
  readonly failoverTimeoutMs: number;
  /** How many replicas follow a new master at once. */
  readonly parallelSyncs: number;
}

/** A master as one sentinel sees it. */
export interface SentinelMaster {
  readonly name: string;
  /** `host:port`, where clients would be sent to. */
  readonly addr: string;
  /** Which failover made it the master; a higher one is newer. */
  readonly configEpoch: number;
  /** The identity of the server that answers at `addr`; `""` when the sentinel does not know it. */
  readonly runId: string;
  /** `master`, `s_down`, `o_down`, `failover_in_progress`, … */
  readonly flags: readonly string[];
  /** How many replicas it knows. */
  readonly replicas: number;
  /** How many other sentinels it knows. */
  readonly others: number;
}

/** A channel on which a sentinel says that a master was replaced. */
export const SWITCH_CHANNEL = "+switch-master";

/**
 * The masters that a sentinel watches.
 *
 * @param isWanted Whether a master of this name is asked for.
 * @throws {RedisError} When it is no sentinel, or refuses.
 * @throws {RedisUnreachableError} When it does not answer.
 */
export async function readMasters(
  redis: RedisConnection,
  isWanted: (name: string) => boolean,
): Promise<readonly SentinelMaster[]> {
  const all = (await redis.call("SENTINEL", "MASTERS") as RedisValue[]).map(fieldsOf)
    .filter(({ name }) => isWanted(name ?? ""));
  // During a failover only this answers with the new master; asked second, it is not the older one.
  const addrs = await redis.pipeline(
    all.map(({ name }) => ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", name ?? ""]),
  );
  return all.flatMap((fields, i) => {
    const now = addrs[i];
    // Removed in between.
    if (!Array.isArray(now)) return [];
    const addr = addressOf(replyText(now[0]!), replyText(now[1]!));
    const isSame = addr === addressOf(fields["ip"] ?? "", fields["port"] ?? "");
    return [{
      name: fields["name"] ?? "",
      addr,
      configEpoch: Number(fields["config-epoch"] ?? 0),
      runId: isSame ? fields["runid"] ?? "" : "",
      flags: (fields["flags"] ?? "").split(","),
      replicas: Number(fields["num-slaves"] ?? 0),
      others: Number(fields["num-other-sentinels"] ?? 0),
    }];
  });
}

/**
 * Has a sentinel watch a master, and tells it how.
 *
 * @param addition The master's address, a literal as only newer sentinels look up names; left out: it is
 * watched already.
 * @param auth How it logs in to the servers.
 * @throws As {@linkcode readMasters}.
 */
export async function watchMaster(
  redis: RedisConnection,
  name: string,
  addition: Address | undefined,
  settings: SentinelSettings,
  auth: { readonly user: string; readonly password: Secret },
): Promise<void> {
  const { quorum, downAfterMs, failoverTimeoutMs, parallelSyncs } = settings;
  const words: Word[] = [
    ...["quorum", quorum, "down-after-milliseconds", downAfterMs],
    ...["failover-timeout", failoverTimeoutMs, "parallel-syncs", parallelSyncs],
  ];
  if (auth.password.isSet) words.push("auth-pass", auth.password.reveal());
  if (auth.user !== "") words.push("auth-user", auth.user);
  const requests: Word[][] = [["SENTINEL", "SET", name, ...words]];
  if (addition !== undefined) {
    requests.unshift(["SENTINEL", "MONITOR", name, addition.hostname, addition.port, quorum]);
  }
  // In one piece: before Redis 6.2, a sentinel that has connected without the password stays so.
  const refused = (await redis.pipeline(requests)).find((reply) => reply instanceof RedisError);
  if (refused !== undefined) throw refused;
}

/** Has a sentinel watch a master no longer; nothing happens when it does not. */
export async function forgetMaster(redis: RedisConnection, name: string): Promise<void> {
  try {
    await redis.call("SENTINEL", "REMOVE", name);
  } catch (error) {
    if (!(error instanceof RedisError) || !/no such master/i.test(error.message)) throw error;
  }
}

/** The reply of name, value, name, value, … */
function fieldsOf(reply: RedisValue): Record<string, string> {
  const words = Array.isArray(reply) ? reply.map(replyText) : [];
  const fields: Record<string, string> = {};
  for (let i = 0; i + 1 < words.length; i += 2) fields[words[i]!] = words[i + 1]!;
  return fields;
}

function addressOf(hostname: string, port: string): string {
  return formatAddress({ hostname, port: Number(port) });
}
