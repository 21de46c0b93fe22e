/**
 * A backend as requests and clients know it: what carries a request, and can stop reading replies.
 *
 * @module
 */

import type { FastestReply } from "./fastest_reply.ts";
import type { ReplySemaphore } from "./reply_semaphore.ts";

/** A client that may read its replies too slowly. */
export interface SlowReader {
  /** Whether little is left of the bytes that all clients together may hold. */
  readonly isBudgetTight: boolean;
  /** Lets paused backends go on as far as the client has read its replies. */
  easePressure(): void;
  /** Others have waited long enough for the client: from now on its replies pile up. */
  losePatience(): void;
}

/** A server that requests are carried to. */
export interface CarrierServer {
  /** `host:port`. */
  readonly address: string;
  /** Connections of no client's own that were lost, since the server was first used. */
  readonly sharedLosses: number;
  readonly fastestReply: FastestReply;
}

/** A backend that carries a request. */
export interface Carrier {
  /** The server that it leads to. */
  readonly server: CarrierServer;
  /** What counts the large replies that its server is asked for. */
  readonly largeReplies: ReplySemaphore;
  /**
   * Stops reading because a client does not read its replies; `reader` is also what its requests have
   * as `client`.
   *
   * @returns False when reading had stopped already, for another client, or when others wait and there
   * is enough memory for the replies.
   */
  pauseReading(reader: SlowReader): boolean;
  /** Reads again. */
  resumeReading(): void;
  /** Breaks the connection, whose state at the server is in doubt, and fails what is in flight. */
  breakOff(cause: string): void;
}

/** Who uses a private backend for a while. */
export interface LinkedUser {
  /** Whether replies may take as long as they like: a command that blocks is under way. */
  readonly mayBlock: boolean;
  /** The server has pushed something. Takes `push`, a whole RESP3 push. */
  pushed(push: Uint8Array): void;
  /** It is time to ask the server, over a connection that subscribes, whether it is still there. */
  keepAlive(): void;
  /** The connection is lost, or could not be opened; what went over it has been failed. */
  lost(cause: string): void;
}
