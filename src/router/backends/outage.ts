/**
 * An outage of a server, for commands that outlast it: the server is asked a few times a second whether it is over,
 * however many commands wait.
 *
 *      over ── a command notices it ─► asked again and again ─► the server is back: those who wait go on
 *                                            └─ OUTAGE_MS after the first notice: nobody may wait any more
 *
 * There are three kinds: the server is lost, it is no master any more, or a promotion holds off its writes.
 *
 * @module
 */

import { SYSTEM_TIMERS, type Timers } from "../../base/timers.ts";
import { encodeRequest, PING } from "../../resp/encoder.ts";
import { probeKey } from "../../resp/probe_key.ts";
import { isPassing } from "../errors.ts";
import { askServer } from "./question.ts";
import type { AskedServer } from "./server_fact.ts";

/** How long an outage may last until the commands that wait for its end fail, in milliseconds. */
export const OUTAGE_MS = 15_000;
/** How long after an answer, or none, the server is asked again, in milliseconds. */
const ASK_MS = 100;

/** A server that can have an outage. */
export interface OutageServer extends AskedServer {
  /** When a byte came from it last; clock milliseconds. */
  readonly heardMs: number;
}

/** What kind of outage it is. */
interface OutageKind {
  readonly question: Uint8Array;
  /** Whether the server's reply to the question says that the outage is over. */
  isOver(reply: string): boolean;
  /** Whether one that began at `sinceMs`, and was noticed last `ms` ago, has been over since; milliseconds. */
  wasOver(server: OutageServer, sinceMs: number, ms: number): boolean;
}

/** The server cannot be reached, or still loads its data. */
export const LOST: OutageKind = {
  question: PING,
  isOver: (reply) => !isPassing(reply),
  wasOver: ({ heardMs }, sinceMs) => heardMs > sinceMs,
};

/** The server follows another one, and refuses writes. */
export const DEMOTED: OutageKind = {
  question: encodeRequest(["INFO", "replication"]),
  isOver: (reply) => /\nrole:master\r?\n/.test(reply),
  wasOver: (_server, _sinceMs, ms) => ms > OUTAGE_MS,
};

/** The server refuses writes, as one before Redis 6.2 does in a promotion. */
export const HELD: OutageKind = {
  question: encodeRequest(["DEL", probeKey()]), // a write that writes nothing
  isOver: (reply) => !isPassing(reply),
  wasOver: DEMOTED.wasOver,
};

/** One kind of outage of one server; see the drawing above. */
export class Outage {
  readonly #server: OutageServer;
  readonly #kind: OutageKind;
  readonly #timers: Timers;
  #sinceMs = -Infinity;
  #noticedMs = -Infinity;
  /** Those who wait for its end, in the order in which they came. */
  readonly #waiting = new Set<() => void>();
  #isAsking = false;
  /** Ends the pause before it is asked again; null while there is none. */
  #stopPause: (() => void) | null = null;

  constructor(server: OutageServer, kind: OutageKind, timers: Timers = SYSTEM_TIMERS) {
    this.#server = server;
    this.#kind = kind;
    this.#timers = timers;
  }

  /**
   * A command has noticed it.
   *
   * @param keptMs When a server was known last to keep the command, in milliseconds; `NaN` when none did. Later than
   * this outage began, it shows that it was over, and that this is another one.
   * @returns For how many milliseconds its end may be waited for; not more than 0 once it has lasted too long.
   */
  notice(keptMs: number): number {
    const nowMs = this.#timers.nowMs();
    const wasOver = keptMs > this.#sinceMs ||
      this.#kind.wasOver(this.#server, this.#sinceMs, nowMs - this.#noticedMs);
    if (wasOver) this.#sinceMs = nowMs;
    this.#noticedMs = nowMs;
    return this.#sinceMs + OUTAGE_MS - nowMs;
  }

  /** Calls `goOn` once, later, when it is over. */
  whenOver(goOn: () => void): void {
    this.#waiting.add(goOn);
    if (this.#stopPause === null) this.#ask();
  }

  /** Does not call `goOn` any more. */
  leave(goOn: () => void): void {
    this.#waiting.delete(goOn);
    if (this.#waiting.size === 0) this.#stopAsking();
  }

  #stopAsking(): void {
    this.#stopPause?.();
    this.#stopPause = null;
  }

  #ask(): void {
    this.#stopPause = null;
    if (this.#isAsking) return;
    this.#isAsking = true;
    const { resp3 } = this.#server;
    const backend = this.#server.backend(0, resp3 === "yes" ? 3 : 2);
    askServer(backend, this.#kind.question, (text, isReply) => {
      this.#isAsking = false;
      if (isReply && this.#kind.isOver(text)) this.#end();
      else if (this.#waiting.size > 0) {
        this.#stopPause = this.#timers.after(ASK_MS, () => this.#ask());
      }
    });
  }

  #end(): void {
    this.#noticedMs = -Infinity;
    this.#stopAsking();
    for (const goOn of [...this.#waiting]) {
      if (this.#waiting.delete(goOn)) goOn();
    }
  }
}
