/**
 * One HTTP client's connection: its bytes go to `Deno.serve` and back, and it is known whether it
 * waits for a request, is in the middle of one, or is being answered.
 *
 *     waiting ── bytes ──► in the middle ── handler called ──► answered ── all answers given ──► waiting
 *        │ idle                │ head late                        │ client reads nothing
 *        └─────────────────────┴──────────────► closed ◄──────────┘
 *
 * @module
 */

import { logger } from "../base/log.ts";
import { hangUp, writeAll } from "./dial.ts";
import type { RawConnection } from "./tls_connection.ts";
import type { HandOver } from "./http_hand_over.ts";

/** Deadlines of a connection, in milliseconds. */
export interface HttpDeadlines {
  /** In which the head of a request must be here. */
  readonly headMs: number;
  /** In which the body of a request must be here. */
  readonly bodyMs: number;
  /** For which a connection may be idle after an answer. */
  readonly idleMs: number;
  /** For which a client may take no byte of an answer. */
  readonly writeMs: number;
  /** In which a client must notice that its connection ends. */
  readonly lingerMs: number;
  /** Between two checks of these deadlines. */
  readonly tickMs: number;
}

/** The deadlines in force unless others are given. */
export const HTTP_DEADLINES: HttpDeadlines = {
  headMs: 10_000,
  bodyMs: 10_000,
  idleMs: 60_000,
  writeMs: 10_000,
  lingerMs: 1_000,
  tickMs: 500,
};

const log = logger("http");

/** After which a client that takes nothing of an answer is one that is waited for, in milliseconds. */
const STALLED_MS = 1_000;
/** Most bytes that are being passed on in each direction. */
const BUFFER_BYTES = 16 * 1024;

/** What a connection needs of its server. */
export interface HttpConnectionEvents {
  /** Makes a `Deno.serve` for it, and connects to that. */
  handOver(): Promise<HandOver>;
  /** It is closed. */
  onClose(): void;
}

/** See the header. */
export class HttpConnection {
  /** The client's address, without port. */
  readonly remote: string;
  /** When a byte was last passed on, or the client connected; milliseconds of `performance.now()`. */
  quietSinceMs = performance.now();
  readonly #outer: RawConnection;
  readonly #deadlines: HttpDeadlines;
  readonly #events: HttpConnectionEvents;
  #inner: HandOver | undefined;
  /** Requests whose answers `Deno.serve` has not written yet. */
  #answering = 0;
  /** Those of them whose bodies are not here. */
  #incoming = 0;
  #hasAnswered = false;
  #hasOuterEnded = false;
  /** Since when a request is here in part; 0: none is. */
  #partialSinceMs = 0;
  /** Since when the client takes nothing of an answer; 0: nothing waits for it. */
  #unsentSinceMs = 0;
  /** Since when `Deno.serve` has nothing more to say; 0: it may have. */
  #endingSinceMs = 0;
  #isFinishing = false;
  #isClosed = false;

  /** Takes an accepted connection. */
  constructor(outer: RawConnection, deadlines: HttpDeadlines, events: HttpConnectionEvents) {
    this.#outer = outer;
    this.#deadlines = deadlines;
    this.#events = events;
    // A socket for both IP versions shows IPv4 clients in IPv6 dress.
    this.remote = (outer.remoteAddr as Deno.NetAddr).hostname.replace(/^::ffff:(?=\d+\.)/, "");
  }

  /**
   * Whether it does nothing but wait for its client: for a request, for the body of one, or for the client
   * to take its answer.
   */
  get isWaiting(): boolean {
    return this.#unsentSinceMs === 0
      ? this.#answering === this.#incoming
      : performance.now() - this.#unsentSinceMs > STALLED_MS;
  }

  /** How many requests of it are being answered; more than one only with HTTP/2. */
  get requests(): number {
    return this.#answering;
  }

  /** The handler has been called for a request of it, whose body may still come. */
  requestBegins(): void {
    this.#answering++;
    this.#incoming++;
    this.#partialSinceMs = 0;
  }

  /** All of the body of a request is here, or none of it is wanted any more. */
  bodyEnds(): void {
    this.#incoming--;
  }

  /** The answer has been written, or cannot be. */
  requestEnds(): void {
    this.#answering--;
    this.#hasAnswered = true;
    this.quietSinceMs = performance.now();
  }

  /**
   * Carries bytes until one of the two ends.
   *
   * @param noServer The answer when there is no `Deno.serve` for the client.
   */
  async run(noServer: Uint8Array): Promise<void> {
    const buffer = new Uint8Array(BUFFER_BYTES);
    try {
      for (;;) {
        const count = await this.#outer.read(buffer);
        if (count === null) break;
        this.quietSinceMs = performance.now();
        if (this.#answering === 0 && this.#partialSinceMs === 0) {
          this.#partialSinceMs = this.quietSinceMs;
        }
        if (this.#endingSinceMs !== 0) continue; // not wanted any more
        if (this.#inner === undefined && !await this.#open(noServer)) return;
        await writeAll(this.#inner!.socket, buffer.subarray(0, count)).catch(() => {});
      }
      this.#hasOuterEnded = true;
      if (this.#inner === undefined || this.#endingSinceMs !== 0) return this.close();
      await this.#inner.socket.closeWrite();
    } catch {
      this.close();
    }
  }

  async #open(noServer: Uint8Array): Promise<boolean> {
    try {
      this.#inner = await this.#events.handOver();
    } catch (error) {
      log.debug("connection of {remote} refused: {error}", { remote: this.remote, error });
      await writeAll(this.#outer, noServer);
      this.close();
      return false;
    }
    if (this.#isClosed) {
      this.#endInner(this.#inner);
      return false;
    }
    if (this.#isFinishing) this.#inner.finish();
    this.#carryAnswers(this.#inner.socket);
    return true;
  }

  async #carryAnswers(inner: Deno.UnixConn): Promise<void> {
    const buffer = new Uint8Array(BUFFER_BYTES);
    try {
      for (;;) {
        const count = await inner.read(buffer);
        if (count === null) break;
        for (let sent = 0; sent < count;) {
          this.#unsentSinceMs = performance.now();
          sent += await this.#outer.write(buffer.subarray(sent, count));
        }
        this.#unsentSinceMs = 0;
        this.quietSinceMs = performance.now();
      }
      // Closed at once, bytes that the client still sends would make the system drop the answer.
      if (this.#hasOuterEnded) return this.close();
      await this.#outer.closeWrite();
      this.#endingSinceMs = performance.now();
    } catch {
      this.close();
    }
  }

  /** Closes it when one of its deadlines has passed. */
  tick(nowMs: number): void {
    if (this.#isLate(nowMs)) this.close();
  }

  #isLate(nowMs: number): boolean {
    const { headMs, idleMs, writeMs, lingerMs } = this.#deadlines;
    if (this.#endingSinceMs !== 0) return nowMs - this.#endingSinceMs > lingerMs;
    if (this.#unsentSinceMs !== 0) return nowMs - this.#unsentSinceMs > writeMs;
    if (this.#answering > 0) return false;
    if (this.#partialSinceMs !== 0) return nowMs - this.#partialSinceMs > headMs;
    return nowMs - this.quietSinceMs > (this.#hasAnswered ? idleMs : headMs);
  }

  /** Closes it behind the answers that are being given; at once when there are none. */
  finish(): void {
    this.#isFinishing = true;
    if (this.#inner !== undefined) this.#inner.finish();
    else if (this.#partialSinceMs === 0) this.close();
  }

  /** Closes it as it stands. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    hangUp(this.#outer);
    if (this.#inner !== undefined) this.#endInner(this.#inner);
    this.#events.onClose();
  }

  #endInner(inner: HandOver): void {
    hangUp(inner.socket);
    inner.finish();
  }
}
