/**
 * The replies that come before EXEC's: to MULTI, and to each command that was queued.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import { execAborted, MULTI_REFUSED } from "../errors.ts";
import type { LeadingReplies } from "../request.ts";

const MINUS = 45;
const decoder = new TextDecoder();

/** Those of one transaction, or of one server's part; keeps the first error. */
export class ExecLeads implements LeadingReplies {
  left: number;
  readonly #count: number;
  /** How many of them are errors; the first one, and whether it was MULTI's. */
  #refused = 0;
  #error = "";
  #isMultiRefused = false;
  #pieces: Uint8Array[] = [];

  /** @param commands How many there are between MULTI and EXEC. */
  constructor(commands: number) {
    this.#count = this.left = 1 + commands;
  }

  led(type: number, bytes: Uint8Array, start: number, end: number, isLast: boolean): void {
    if (type !== MINUS) return;
    if (isLast) this.#refused++;
    if (this.#error !== "") return;
    this.#pieces.push(bytes.slice(start, end));
    if (!isLast) return;
    this.#error = errorText(concat(this.#pieces));
    this.#isMultiRefused = this.left + 1 === this.#count;
    this.#pieces = [];
  }

  /**
   * What the client is told of an error that EXEC was answered with: the server has not executed it, or not as
   * a transaction.
   */
  shown(text: string): string {
    const isSplitUp = this.#isMultiRefused && this.#refused < this.#count;
    if (isSplitUp) return `${MULTI_REFUSED}: ${this.#error}`;
    return this.#error === "" ? text : execAborted(this.#error);
  }

  /**
   * Whether the server goes on to queue after that error: nobody else may use the connection.
   *
   * @param text Empty when it is not known.
   */
  isOpen(text: string): boolean {
    if (text === "") return this.#error === "";
    const isEnded = text.startsWith("EXECABORT") || text.startsWith("ERR EXEC without MULTI");
    return !isEnded && !this.#isMultiRefused;
  }
}

/** The text of an error reply. */
export function errorText(reply: Uint8Array): string {
  return decoder.decode(reply.subarray(1)).replace(/\r\n$/, "");
}
