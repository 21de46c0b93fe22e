/**
 * Accepts connections until it is stopped, also while the process has no descriptors left.
 *
 *     accept ──► take
 *       │ none left: give up the reserve ──► accept ─┬─ reserve there again ──► take
 *       │                                            └─ still none ──► refuse: answered why, closed
 *       │ gone before it was accepted: the next
 *       │ too many clients: take refuses, and the next is accepted when that is done
 *       └ any other failure: a pause, then accept again
 *
 * Without the reserve, new clients would wait in the backlog until another one has left.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { isOutOfDescriptors, openReserve, type Reserve } from "../base/free_descriptors.ts";
import { hangUp } from "./dial.ts";
import { readRounds } from "./read_rounds.ts";

/** Pause after an accept that failed, in milliseconds. */
const RETRY_MS = 10;
/** What accepting fails with when it is only the client that has gone: no reason to let the next one wait. */
const GONE = new Set(["ENOTCONN", "ECONNABORTED", "ECONNRESET"]);
/** Time in which nobody must have come for the backlog to count as empty, in milliseconds. */
const QUIET_MS = 200;
/** Time between two looks whether somebody has come, and when a look is late, in milliseconds. */
const LOOK_MS = 20;
const LATE_LOOK_MS = 60;
/** Longest time that is waited for that, in milliseconds. */
const QUIET_WAIT_MS = 3_000;
/** Time between two reports of failures, in milliseconds. */
const REPORT_MS = 10_000;

/** What is done with connections. */
export interface AcceptorEvents<Conn extends Acceptable> {
  /**
   * Takes a connection; when it throws, the connection is closed.
   *
   * @returns When it refuses: settles when the connection is closed. The next is accepted then, so those that are
   * refused take one descriptor, however many come.
   */
  take(connection: Conn): void | Promise<void>;
  /** Answers a client above the limit, as far as it reads; the acceptor closes the connection. */
  refuse(connection: Conn): Promise<void>;
  /**
   * Called when connections could not be accepted, or were gone just after; every ten seconds at most.
   *
   * @param times How often that happened since the last call.
   */
  onFailure(error: unknown, times: number): void;
}

/** What the acceptor does itself with a connection. */
export interface Acceptable {
  setNoDelay(isOn: boolean): void;
  setKeepAlive(isOn: boolean): void;
  close(): void;
}

/** A listening socket. */
export interface Listener<Conn extends Acceptable> {
  readonly addr: Deno.Addr;
  accept(): Promise<Conn>;
  close(): void;
}

/** See the header. */
export class Acceptor<Conn extends Acceptable = Deno.TcpConn> {
  readonly #listener: Listener<Conn>;
  readonly #events: AcceptorEvents<Conn>;
  /** Given up to accept a connection that can only be refused. */
  #reserve: Reserve | undefined;
  readonly #openReserve: () => Reserve | undefined;
  #isStopped = false;
  /** Whether it takes what was accepted just before it was stopped. */
  #takesLast = false;
  /** Settles with the last call that accepts: it holds the socket open. */
  #settled: Promise<void> = Promise.resolve();
  #accepted = 0;
  #failures = 0;
  #reportedMs = -Infinity;

  /**
   * Takes the bound socket; nothing is accepted before {@linkcode Acceptor.run}.
   *
   * @param open Opens what takes a descriptor; nothing when there is none. For tests.
   */
  constructor(listener: Listener<Conn>, events: AcceptorEvents<Conn>, open = openReserve) {
    this.#listener = listener;
    this.#events = events;
    this.#openReserve = open;
    this.#reserve = open();
  }

  /** The address that it is bound to. */
  get address(): Deno.NetAddr {
    return this.#listener.addr as Deno.NetAddr;
  }

  /** Accepts until {@linkcode Acceptor.stop}. */
  async run(): Promise<void> {
    while (!this.#isStopped) {
      let connection: Conn;
      try {
        const accepting = this.#listener.accept();
        this.#settled = accepting.then(() => {}, () => {});
        connection = await accepting;
        this.#accepted++;
        readRounds.accepted();
      } catch (error) {
        if (this.#isStopped) return;
        if (isGone(error)) continue;
        this.#failed(error);
        if (this.#giveUpReserve(error)) continue;
        await delay(RETRY_MS);
        continue;
      }
      if (this.#isStopped) return this.#takesLast ? this.#take(connection) : hangUp(connection);
      this.#reserve ??= this.#openReserve();
      if (this.#reserve === undefined) {
        await this.#refuse(connection);
        continue;
      }
      const refusing = this.#take(connection);
      if (refusing !== undefined) await refusing;
    }
  }

  #take(connection: Conn): void | Promise<void> {
    try {
      connection.setNoDelay(true);
      connection.setKeepAlive(true);
      return this.#events.take(connection);
    } catch (error) {
      // The client was gone before it was here.
      this.#failed(error);
      hangUp(connection);
    }
  }

  async #refuse(connection: Conn): Promise<void> {
    await this.#events.refuse(connection).catch(() => {});
    hangUp(connection);
    if (!this.#isStopped) this.#reserve ??= this.#openReserve();
  }

  #giveUpReserve(error: unknown): boolean {
    this.#reserve ??= this.#openReserve();
    if (!isOutOfDescriptors(error) || this.#reserve === undefined) return false;
    this.#reserve.close();
    this.#reserve = undefined;
    return true;
  }

  #failed(error: unknown): void {
    this.#failures++;
    const nowMs = performance.now();
    if (nowMs - this.#reportedMs < REPORT_MS) return;
    this.#reportedMs = nowMs;
    this.#events.onFailure(error, this.#failures);
    this.#failures = 0;
  }

  /**
   * Resolves when nobody has come for a moment, bounded: who waits in the backlog when it is stopped is cut.
   */
  async untilQuiet(): Promise<void> {
    const startMs = performance.now();
    let [seen, quietMs, lookedMs] = [this.#accepted, startMs, startMs];
    for (let nowMs = startMs; nowMs - startMs < QUIET_WAIT_MS; nowMs = performance.now()) {
      // A thread that is held up accepts nobody, either.
      if (this.#accepted !== seen || nowMs - lookedMs > LATE_LOOK_MS) quietMs = nowMs;
      if (nowMs - quietMs >= QUIET_MS) return;
      [seen, lookedMs] = [this.#accepted, nowMs];
      await delay(LOOK_MS);
    }
  }

  /**
   * Stops accepting; connections that were accepted stay.
   *
   * @param takesLast Whether one that is being accepted right now is taken, too, and not closed.
   * @returns Settles when the system has closed the socket: only then connections come to it no more.
   */
  stop(takesLast = false): Promise<void> {
    if (this.#isStopped) return this.#settled;
    this.#isStopped = true;
    this.#takesLast = takesLast;
    this.#listener.close();
    this.#reserve?.close();
    this.#reserve = undefined;
    return this.#settled;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && GONE.has(error.code as string);
}
