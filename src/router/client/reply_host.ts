/**
 * A client as its replies know it.
 *
 * @module
 */

import type { Histogram } from "../../base/histogram.ts";
import type { Protocol } from "../../resp/encoder.ts";
import type { Link } from "../backends/link.ts";
import type { Ways } from "../request.ts";
import type { RouterShared } from "../shared.ts";
import type { WatchedClient } from "../slow_log/watched_client.ts";
import type { ReplyCredit } from "./reply_credit.ts";
import type { Streak } from "./streak.ts";

/** Whose replies they are. */
export interface ReplyHost extends WatchedClient {
  readonly shared: RouterShared;
  readonly credit: ReplyCredit;
  readonly streak: Streak;
  readonly protocol: Protocol;
  readonly links: readonly Link[];
  /** When bytes of it were read last, in clock milliseconds. */
  readonly lastReadMs: number;
  /** What the times of its user's requests are counted in. */
  readonly userTimes: Histogram;
  /** Whether the client wants no replies to what it asks now. */
  readonly isMuted: boolean;
  /** Its ways to servers, where they are not those that all clients share; else null. */
  readonly ways: Ways | null;
  /** Replies have left, so that more may be asked for, or the client closed. */
  repliesLeft(): void;
  /** All replies that there are are about to be sent: whether nothing but the end follows, and comes with them. */
  endsHere(): boolean;
  /** More than session_max_buffer is held. */
  repliesOverflowed(): void;
  /** The client cannot be answered any more. */
  close(): void;
}
