/**
 * Whether all servers know RESP3, asked once for all clients that want to know at the same time.
 *
 *      HELLO 3 ─► known? ─ yes ─► answered at once
 *                   └─ no ─► wait ── the servers' connections say so, or are lost ──► all answered
 *                              └──── backend_dial_timeout since the first asked ──────────▲
 *
 * @module
 */

import type { Master, Server } from "./server.ts";

/** Called once with an empty string, or with the error of a server that does not know RESP3. */
export type Resp3Answer = (error: string) => void;

/** RESP3 at the servers of one router; see the drawing above. */
export class Resp3Support {
  readonly #masters: () => readonly Master[];
  /** How long to wait for servers that say nothing. */
  patienceMs: number;
  #waiting: Resp3Answer[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param masters The servers in use.
   * @param patienceMs How long to wait for servers that say nothing.
   */
  constructor(masters: () => readonly Master[], patienceMs: number) {
    this.#masters = masters;
    this.patienceMs = patienceMs;
  }

  /** Asks; those servers that were not asked yet are asked now. */
  ask(answer: Resp3Answer): void {
    let isOpen = false;
    for (const { server } of this.#masters()) {
      if (server.resp3 !== "unknown") continue;
      server.backend(0, 3).warm();
      isOpen ||= mayAnswer(server);
    }
    const error = this.#error();
    if (!isOpen || error !== "") return answer(error);
    this.#waiting.push(answer);
    this.#timer ??= setTimeout(() => this.#answer(), this.patienceMs);
  }

  /** A server has answered, or a connection to one is lost. */
  check(): void {
    if (this.#waiting.length === 0) return;
    if (this.#error() !== "" || !this.#masters().some(({ server }) => mayAnswer(server))) {
      this.#answer();
    }
  }

  /** No client is answered any more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#waiting = [];
  }

  #error(): string {
    return this.#masters().find(({ server }) => server.resp3 === "no")?.server.helloError ?? "";
  }

  #answer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    const error = this.#error();
    for (const answer of waiting) answer(error);
  }
}

/** Whether a server's answer is on its way. One that is down does not keep the others' clients waiting. */
function mayAnswer(server: Server): boolean {
  if (server.resp3 !== "unknown") return false;
  const { state } = server.backend(0, 3);
  return state === "dialing" || state === "handshake";
}
