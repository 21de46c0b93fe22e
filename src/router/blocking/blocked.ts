/**
 * A client's command that waits at a server, as the client and other clients know it.
 *
 * @module
 */

/** What a client is answered that is unblocked: as if its time were over, or with an error. */
export type UnblockReply = "timeout" | "error";

/** Redis's text, byte for byte. */
export const UNBLOCKED = "UNBLOCKED client unblocked via CLIENT UNBLOCK";

/** The command that a client is blocked by. */
export interface Blocked {
  /** Whether it has come to a server, so that what others do from now on comes after it. */
  readonly isAtServer: boolean;
  /**
   * Ends it on behalf of CLIENT UNBLOCK.
   *
   * @param done Called once, now or later: whether this has ended it. If not, its reply was on its way.
   */
  unblock(reply: UnblockReply, done: (isUnblocked: boolean) => void): void;
  /** Requests are served again, or refused, after they were held. */
  served(): void;
  /**
   * The client sends no more, which may be said more than once. If it really blocks, it is gone, as with Redis, and is
   * closed; if it is answered at once, it goes on. One that would pop is closed: nothing may be popped for it any more.
   */
  clientEnds(): void;
  /** The proxy closes its clients: the command ends without losing what is on its way. */
  clientDraining(): void;
  /** The client is gone: nothing may be given to it any more. */
  clientClosed(): void;
}
