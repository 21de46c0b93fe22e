/**
 * Whether a request is the only one that its client would send again, if it were told to.
 *
 *      idle ─► request ─► reply ─► idle          alone: it can be sent again
 *      idle ─► r1 r2 r3 ─► replies ─► idle       a streak: whoever sends r2 again sends r1 and r3 again, too
 *
 * Libraries send again as a whole what they have sent in one piece, a pipeline.
 *
 * @module
 */

import { askAgain } from "../errors.ts";
import type { Reconnects } from "./reconnects.ts";

/** A client as its streak knows it. */
export interface StreakHost {
  /** Bytes received and not dispatched yet. */
  readonly unreadBytes: number;
  readonly shared: { readonly reconnects: Reconnects };
}

/** The requests that one client has begun since it last waited for nothing; see the drawing above. */
export class Streak {
  readonly #host: StreakHost;
  #begun = 0;
  /** Whether the last one has failed, and the client was told to ask again, for which it is counted. */
  #isCounted = false;

  constructor(host: StreakHost) {
    this.#host = host;
  }

  /** A request goes to servers. */
  begins(): void {
    this.#begun++;
    if (this.#isCounted) this.#host.shared.reconnects.giveBack();
    this.#isCounted = false;
  }

  /** Nothing is in flight any more. */
  ends(): void {
    if (this.#host.unreadBytes === 0) this.#begun = 0;
  }

  /** The text with which one of them fails: whoever is alone is told when it can safely ask again. */
  textOf(text: string): string {
    const { unreadBytes, shared } = this.#host;
    if (this.#begun !== 1 || unreadBytes > 0) return text;
    const told = askAgain(text);
    if (told === text || !shared.reconnects.take()) return text;
    this.#isCounted = true;
    return told;
  }
}
