/**
 * How long a server may say nothing on one connection while it owes a reply.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import type { RouterOptions } from "../options.ts";
import type { SentQueue } from "./sent_queue.ts";

/** A server that owes replies. */
export interface OwingServer {
  readonly options: Pick<RouterOptions, "backendTimeoutMs">;
}

/** What is wrong with a connection: it is given up, or too slow; mostly nothing. */
export type Lateness = "silent" | "slow" | "";

/** The deadline of one connection. */
export class ReplyDeadline {
  /** Until when what is sent had to wait for something else than the server; clock milliseconds. */
  #easedMs = 0;

  /** What is sent waits, but not for the server. */
  ease(): void {
    this.#easedMs = clock.nowMs;
  }

  /**
   * Checks it while a reply is owed; called a few times a second.
   *
   * @param silentMs For how long nothing has come, in milliseconds.
   * @param isSent Whether the server has all of the requests: while more is to come, it need not answer.
   */
  check(server: OwingServer, sent: SentQueue, silentMs: number, isSent: boolean): Lateness {
    const { backendTimeoutMs } = server.options;
    if (isSent && silentMs > backendTimeoutMs) return "silent";
    const head = sent.head!;
    // A large reply is on its way, or the next one is that of a script, or of a key that moves.
    const takesTime = head.replyBytes > 0 || sent.isScriptNext || head.command === null;
    if (!isSent || takesTime) this.ease();
    return clock.nowMs - Math.max(head.sentMs, this.#easedMs) > backendTimeoutMs ? "slow" : "";
  }
}
