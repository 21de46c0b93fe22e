/**
 * A connected client as dispatch, slots and local commands know it; session.ts is what it is.
 *
 * @module
 */

import type { User } from "../../acl/user.ts";
import type { Command } from "../../command/command.ts";
import type { Protocol } from "../../resp/encoder.ts";
import type { Blocked } from "../blocking/blocked.ts";
import type { LinkHolder } from "../backends/link.ts";
import type { ClientSubscriptions } from "../pubsub/client_subscriptions.ts";
import type { Allowance } from "../limits/user_limit.ts";
import type { ReadFrom } from "../options.ts";
import type { RouterShared } from "../shared.ts";
import type { ClientInfo, ListedClient } from "./client_info.ts";
import type { ExtrasHost } from "./extras.ts";
import type { ReplicaReads } from "./replica_reads.ts";
import type { Replies } from "./replies.ts";
import type { ReplyCredit } from "./reply_credit.ts";
import type { Streak } from "./streak.ts";
import type { Transaction } from "./transaction.ts";
import type { WatchedSlot } from "./watched_slot.ts";

/** One connected client. */
export interface Client extends Omit<ListedClient, "extras">, LinkHolder, ExtrasHost {
  readonly shared: RouterShared;
  /** Its requests in flight and their replies. */
  readonly replies: Replies;
  /** The requests that it has begun since it last waited for nothing. */
  readonly streak: Streak;
  /** How much it may ask for now. */
  readonly credit: ReplyCredit;
  /** What the client says of itself; replaced, never changed, since most share the default. */
  info: ClientInfo;
  /** Whose rights it has: of the default user until it logs in. */
  readonly user: User;
  readonly isAuthenticated: boolean;
  /** Whether it speaks TLS. */
  readonly isTls: boolean;
  /** Whether its requests need no other look than any client's: no transaction, subscription or extra. */
  readonly isPlain: boolean;
  protocol: Protocol;
  database: number;
  subscriptions: ClientSubscriptions | null;
  /** Its reads from replicas; null while it reads from masters only. */
  readonly reads: ReplicaReads | null;
  lastCommand: Command | null;
  /** What it has queued since MULTI; null while it is in no transaction. */
  transaction: Transaction | null;
  /** What it watches, one for each slot; replaced when it changes. */
  watches: readonly WatchedSlot[];
  /** While set, no request is dispatched until all earlier ones are settled. */
  isAtBarrier: boolean;
  /** The command that it is blocked by; null for most. */
  blocked: Blocked | null;
  /** Its line of CLIENT LIST. */
  describe(): string;
  /** What it may take, as a client of a user with limits; null for most. */
  readonly allowance: Allowance | null;
  /** It logs in as this user; false when that user has too many connections, and nothing changes. */
  logIn(user: User): boolean;
  /** It is again as a client that has just come. */
  logOut(): void;
  /** Answers the command being dispatched, after all earlier ones. Copies `reply`. */
  answer(reply: Uint8Array): void;
  /** Where its reads go when it says nothing itself. */
  readonly usualReadFrom: ReadFrom;
  /**
   * From now on, its reads go where this says; null: as usual. It sends nothing more before what is in
   * flight is answered.
   */
  setReadFrom(policy: ReadFrom | null): void;
  /** Accepts no more requests; closes when all replies are sent. */
  drain(): void;
}
