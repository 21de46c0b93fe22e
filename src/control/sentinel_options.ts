/**
 * How sentinels are reached, and what they are told.
 *
 * @module
 */

import { parseAddress } from "../base/address.ts";
import { Secret } from "../base/secret.ts";
import { RedisConnection } from "../redis/connection.ts";
import type { SentinelSettings } from "../redis/sentinel.ts";
import type { ServerAuth } from "./servers.ts";

/** See the header. */
export interface SentinelOptions extends SentinelSettings {
  /** Sentinels of a store that has none yet, `host:port`. */
  readonly initial: readonly string[];
  /** Password of the sentinels themselves. */
  readonly password: Secret;
  /** Whether they are spoken to over TLS, as the servers are. */
  readonly isTls: boolean;
}

/** Where nothing else is said; times as in Codis 3.2. */
export const SENTINEL_DEFAULTS: SentinelOptions = {
  quorum: 0,
  downAfterMs: 30_000,
  failoverTimeoutMs: 300_000,
  parallelSyncs: 1,
  initial: [],
  password: new Secret(""),
  isTls: false,
};

/** Longest time that a sentinel may take to reply, in milliseconds. */
const REPLY_MS = 1_000;

/** Makes what connects to a sentinel, and takes the messages of channels that are subscribed to. */
export function openSentinel(
  { password, isTls }: SentinelOptions,
  { auth, dialMs }: { readonly auth: ServerAuth; readonly dialMs: number },
): (addr: string, onMessage?: (text: string) => void) => Promise<RedisConnection> {
  return (addr, onMessage) =>
    RedisConnection.open(parseAddress(addr), {
      ...{ user: "", password, dialMs, replyMs: REPLY_MS, onMessage },
      tls: isTls ? auth.tls : undefined,
    });
}
