/**
 * Ends what may still be on its way to a server after a move whose end nobody heard.
 *
 *      clear ── suspect() ─► listing ─► ending what may bring keys ─► listing … ─► nothing left: clear
 *                              ▲ │ the server does not answer, or is busy
 *                              └─┘ after a pause, for as long as it takes
 *
 * A source that gives up MIGRATE keeps the key, but the copy it sent may lie in a socket and arrive
 * much later: after another MIGRATE has moved the key, and clients have deleted it. So from the first
 * such failure on no key is moved to the target until the target has answered, and its connections that
 * may hold such a copy are closed. That the target must answer first has another good side: one that
 * hangs is not tried again and again with MIGRATE, each of which would stop the source.
 *
 * codis-server keeps its connection to a target for later moves, and says IOERR when the next one finds
 * it closed, by us for example. So only a move that took as long as its timeout makes copies suspect.
 *
 * @module
 */

import { isRestoring, mayRestore, newestId, parseClientList } from "../../resp/client_list.ts";
import { encodeRequest } from "../../resp/encoder.ts";
import { isPassing, targetInDoubt } from "../errors.ts";
import type { RouteBackend } from "../request.ts";
import { askServer } from "./question.ts";

/** Pause between two rounds, in milliseconds. */
const ROUND_MS = 100;
/** Rounds that must find nothing: whatever connected before the first is listed in the second. */
const CLEAN_ROUNDS = 2;
/** Seconds that a connection has to say what it is for. */
const GREETING_SECONDS = 1;
/** Longest wait of a command until late copies are ended, in milliseconds. */
const PATIENCE_MS = 1_500;
/** Wait for late copies at a server that does not allow CLIENT, in milliseconds. */
const BLIND_MS = 15_000;

interface Waiter {
  readonly ready: (error: string) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** A server that keys are moved to. */
export interface GuardedServer {
  readonly address: string;
  moverBackend(database: number): RouteBackend;
}

/** Guards one server against late copies; see the header. */
export class LateCopyGuard {
  readonly #server: GuardedServer;
  #isActive = false;
  #isStopped = false;
  /** Whether it only waits, because CLIENT is not allowed. */
  #isBlind = false;
  #rounds = 0;
  #cleanRounds = 0;
  /** A connection with a higher id brings nothing that is late, and is left alone. */
  #lastId = Infinity;
  /** Why it is still active. */
  #cause = "it has not answered yet";
  readonly #waiters = new Set<Waiter>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(server: GuardedServer) {
    this.#server = server;
  }

  /** Whether no key may be moved to the server now. */
  get isActive(): boolean {
    return this.#isActive;
  }

  /** A move has failed, and nobody knows how far it came. */
  suspect(): void {
    this.#rounds = this.#cleanRounds = 0;
    this.#lastId = Infinity;
    if (this.#isStopped || (this.#isActive && !this.#isBlind)) return;
    this.#isActive = true;
    this.#isBlind = false;
    clearTimeout(this.#timer);
    this.#list();
  }

  /**
   * Waits until keys may be moved again, for {@linkcode PATIENCE_MS} at most.
   *
   * @param ready Called later, once, with an empty string or with an error text.
   */
  whenClear(ready: (error: string) => void): void {
    const timer = setTimeout(() => this.#answer(waiter, this.#error()), PATIENCE_MS);
    const waiter = { ready, timer };
    this.#waiters.add(waiter);
  }

  /** The server is not used any more. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    for (const waiter of [...this.#waiters]) this.#answer(waiter, this.#error());
  }

  #error(): string {
    return targetInDoubt(this.#server.address, this.#cause);
  }

  #answer(waiter: Waiter, error: string): void {
    clearTimeout(waiter.timer);
    if (this.#waiters.delete(waiter)) waiter.ready(error);
  }

  #list(): void {
    this.#send(["CLIENT", "LIST"], (text) => {
      if (!text.startsWith("-")) this.#listed(text);
      else if (isPassing(text)) this.#retry(text.slice(1));
      else this.#waitBlindly(text.slice(1));
    });
  }

  #listed(text: string): void {
    const lines = parseClientList(text);
    if (++this.#rounds === CLEAN_ROUNDS) this.#lastId = newestId(lines);
    const doubtful = lines.filter((line) =>
      line.id <= this.#lastId && (isRestoring(line) || mayRestore(line))
    );
    if (doubtful.length === 0) {
      if (++this.#cleanRounds >= CLEAN_ROUNDS) this.#clear();
      else this.#list();
      return;
    }
    this.#cleanRounds = 0;
    this.#cause = `${doubtful.length} of its connections may still bring keys`;
    for (const line of doubtful) {
      if (!isRestoring(line) && line.ageSeconds < GREETING_SECONDS) continue;
      this.#send(["CLIENT", "KILL", "ID", String(line.id)], (answer) => {
        // One that is gone by itself is as good.
        if (!answer.startsWith("-") || /no such client/i.test(answer)) return;
        if (isPassing(answer)) this.#retry(answer.slice(1));
        else this.#waitBlindly(answer.slice(1));
      });
    }
    this.#listLater();
  }

  /** CLIENT is not allowed there: what is late has a time to arrive, and that is all we can do. */
  #waitBlindly(cause: string): void {
    this.#cause = cause;
    this.#isBlind = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#clear(), BLIND_MS);
  }

  /** It runs an endless script, say, and listens to this later. */
  #retry(cause: string): void {
    this.#cause = cause;
    this.#cleanRounds = 0;
    this.#listLater();
  }

  #listLater(): void {
    clearTimeout(this.#timer);
    if (!this.#isStopped) this.#timer = setTimeout(() => this.#list(), ROUND_MS);
  }

  #clear(): void {
    this.#isActive = this.#isBlind = false;
    for (const waiter of [...this.#waiters]) this.#answer(waiter, "");
  }

  #send(words: string[], answered: (text: string) => void): void {
    askServer(this.#server.moverBackend(0), encodeRequest(words), (text, isReply) => {
      if (this.#isStopped) return;
      if (isReply) answered(text.trim());
      else this.#retry(text);
    });
  }
}
