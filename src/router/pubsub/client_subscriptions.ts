/**
 * A client's subscriptions as sessions, lists and the gate know them; subscriptions.ts is what they are.
 *
 * @module
 */

/** How many subscriptions a client has, as CLIENT LIST counts them. */
export interface SubscriptionCounts {
  readonly channels: number;
  readonly patterns: number;
  readonly shardChannels: number;
}

/** The subscriptions of one client. */
export interface ClientSubscriptions {
  readonly counts: SubscriptionCounts;
  /** Whether there is one at least: then RESP2 allows few commands, and the client may be idle. */
  readonly isSubscribed: boolean;
  /** How many SUBSCRIBEs and UNSUBSCRIBEs are not answered: only the like of them may be dispatched meanwhile. */
  readonly underWay: number;
  /** Whether something holds for all channels and patterns, those that are just being subscribed to included. */
  every(holds: (name: string, isPattern: boolean) => boolean): boolean;
  /** Calls `done` once, now or later, when what a server has sent so far has come. */
  heardAll(server: object | undefined, done: () => void): void;
  /** Checks deadlines; called about once a second. */
  tick(): void;
  /** Ends all at once, without a word: the client is gone, or resets its connection. */
  close(): void;
}
