/**
 * The three kinds of subscriptions, and the words that Redis has for each.
 *
 * @module
 */

/** A kind of subscriptions. */
export interface SubscriptionKind {
  readonly subscribe: string;
  readonly unsubscribe: string;
  /** The first word of its messages. */
  readonly message: string;
  /** Whether it is counted together with others: Redis counts channels and patterns as one. */
  readonly isShard: boolean;
}

/** SUBSCRIBE. */
export const CHANNELS: SubscriptionKind = {
  subscribe: "subscribe",
  unsubscribe: "unsubscribe",
  message: "message",
  isShard: false,
};

/** PSUBSCRIBE. */
export const PATTERNS: SubscriptionKind = {
  subscribe: "psubscribe",
  unsubscribe: "punsubscribe",
  message: "pmessage",
  isShard: false,
};

/** SSUBSCRIBE: in Redis Cluster these stay within a shard. */
export const SHARD_CHANNELS: SubscriptionKind = {
  subscribe: "ssubscribe",
  unsubscribe: "sunsubscribe",
  message: "smessage",
  isShard: true,
};

/** All of them. */
export const SUBSCRIPTION_KINDS = [CHANNELS, PATTERNS, SHARD_CHANNELS] as const;
