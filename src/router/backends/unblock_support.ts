/**
 * Whether a server ends a command that blocks when it is told to: CLIENT UNBLOCK, since Redis 5, if our user
 * may use it. Asked of it when it is first used to block, and again after a connection was lost: another
 * program may have come back.
 *
 * @module
 */

import { encodeRequest } from "../../resp/encoder.ts";
import { isPassing } from "../errors.ts";
import { askServer } from "./question.ts";
import type { RouteBackend } from "../request.ts";
import type { AskedServer } from "./server_fact.ts";

/** No connection has this id. */
const UNBLOCK_NOBODY = encodeRequest(["CLIENT", "UNBLOCK", "0"]);

/** Called once, later: with an empty string, or with the reason why the server does not answer. */
type Learned = (error: string) => void;

/** What is known of one server; see the header. */
export class UnblockSupport {
  /** Whether it knows the command, as it said last. */
  isThere = false;
  readonly #server: AskedServer;
  /** Connections that had been lost when the question was asked that it answered last. */
  #answeredAt = -1;
  /** Those who wait for its answer; null while it is not asked. */
  #waiting: Learned[] | null = null;

  constructor(server: AskedServer) {
    this.#server = server;
  }

  /** Whether it has answered since a connection was lost. */
  get isKnown(): boolean {
    return this.#answeredAt === this.#server.losses;
  }

  /** Asks it. */
  ask(learned: Learned): void {
    if (this.#waiting !== null) {
      this.#waiting.push(learned);
      return;
    }
    this.#waiting = [learned];
    const askedAt = this.#server.losses;
    askServer(this.#backend(), UNBLOCK_NOBODY, (text, isReply) => {
      if (isReply) {
        this.isThere = text.startsWith(":");
        if (!isPassing(text)) this.#answeredAt = askedAt;
      }
      const waiting = this.#waiting ?? [];
      this.#waiting = null;
      for (const answer of waiting) answer(isReply ? "" : text);
    });
  }

  /**
   * Ends what blocks a connection.
   *
   * @param id The server's id of the connection.
   * @param answered Called once, later: whether something was ended, or null when that is not known.
   * @param reply What the command is answered.
   */
  unblock(
    id: number,
    answered: (isEnded: boolean | null) => void,
    reply: "ERROR" | "TIMEOUT" = "ERROR",
  ): void {
    const bytes = encodeRequest(["CLIENT", "UNBLOCK", String(id), reply]);
    askServer(this.#backend(), bytes, (text, isReply) => {
      answered(isReply && text.startsWith(":") ? text.startsWith(":1") : null);
    });
  }

  /** A shared connection: its silence is how the loss of a server is seen that blocks. */
  #backend(): RouteBackend {
    return this.#server.backend(0, this.#server.resp3 === "yes" ? 3 : 2);
  }
}
