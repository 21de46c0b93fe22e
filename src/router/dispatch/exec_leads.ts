/**
 * The replies that come before EXEC's: to MULTI, and to each command that was queued.
 *
 *      +OK +QUEUED -READONLY … ─► EXECABORT        Redis 6 and later: one error aborts the transaction
 *                              └► [ element … ]    before: READONLY and LOADING do not; the others are executed
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import { equals } from "@std/bytes/equals";
import { execAborted, MULTI_REFUSED, OTHER_EXECUTED } from "../errors.ts";
import type { LeadingReplies } from "../request.ts";

const MINUS = 45;
const NOTHING = new Uint8Array(0);
const NO_ERRORS: ReadonlyMap<number, Uint8Array> = new Map();
const decoder = new TextDecoder();

/** Those of one transaction, or of one server's part; keeps the errors, with what they refuse. */
export class ExecLeads implements LeadingReplies {
  left: number;
  readonly #count: number;
  readonly #selects: readonly number[];
  /** The error that MULTI was refused with; null: it was not. */
  #multiError: Uint8Array | null = null;
  /** The errors of commands that were not queued, by their places, in order; null mostly. */
  #refused: Map<number, Uint8Array> | null = null;
  /** The newest of them. */
  #newest: Uint8Array = NOTHING;
  #pieces: Uint8Array[] = [];

  /**
   * @param commands How many there are between MULTI and EXEC.
   * @param selects At which places among them SELECT stands.
   */
  constructor(commands: number, selects: readonly number[] = []) {
    this.#count = this.left = 1 + commands;
    this.#selects = selects;
  }

  led(type: number, bytes: Uint8Array, start: number, end: number, isLast: boolean): void {
    if (type !== MINUS) return;
    this.#pieces.push(bytes.slice(start, end));
    if (!isLast) return;
    const error = concat(this.#pieces);
    this.#pieces = [];
    const place = this.#count - this.left - 2;
    if (place < 0) {
      this.#multiError = error;
      return;
    }
    // Mostly all of them are refused for one reason, and there may be very many.
    if (!equals(this.#newest, error)) this.#newest = error;
    (this.#refused ??= new Map()).set(place, this.#newest);
  }

  get #error(): string {
    const first = this.#multiError ?? this.#refused?.values().next().value;
    return first === undefined ? "" : errorText(first);
  }

  /** Whether a command was not queued: EXEC's array has no element for it, if the server executes the others. */
  get hasRefused(): boolean {
    return this.#refused !== null;
  }

  /** Whether no command was queued, so that an array as EXEC's reply means that nothing was done. */
  get hasQueuedNothing(): boolean {
    return this.#refused?.size === this.#count - 1;
  }

  /** Whether a command at this place, from 0, was not queued. */
  isRefused(place: number): boolean {
    return this.#refused !== null && this.#refused.has(place);
  }

  /** Whether others were executed without a SELECT: in another database than they were meant for. */
  get hasRefusedSelect(): boolean {
    return this.#selects.some((place) => this.isRefused(place));
  }

  /**
   * The replies to all commands: those that were executed, and in the places of the others their errors.
   *
   * @returns null when they do not fit together.
   */
  inPlace(executed: readonly Uint8Array[]): Uint8Array[] | null {
    const refused = this.#refused ?? NO_ERRORS;
    const isFitting = executed.length + refused.size === this.#count - 1;
    if (!isFitting || this.#multiError !== null || this.hasRefusedSelect) return null;
    const replies: Uint8Array[] = [];
    let next = 0;
    while (replies.length < this.#count - 1) {
      replies.push(refused.get(replies.length) ?? executed[next++]!);
    }
    return replies;
  }

  /**
   * What the client is told of an error that EXEC was answered with: the server has not executed it, or not as
   * a transaction.
   */
  shown(text: string): string {
    const error = this.#error;
    const isSplitUp = this.#multiError !== null &&
      (this.#refused?.size ?? 0) < this.#count - 1;
    if (isSplitUp) return `${MULTI_REFUSED}: ${error}`;
    return error === "" ? text : execAborted(error);
  }

  /** What the client is told of an array that does not fit to its commands. */
  get unfitting(): string {
    return this.#error === "" ? OTHER_EXECUTED : `${OTHER_EXECUTED}: ${this.#error}`;
  }

  /**
   * Whether the server goes on to queue after that error: nobody else may use the connection.
   *
   * @param text Empty when it is not known.
   */
  isOpen(text: string): boolean {
    if (text === "") return this.#error === "";
    const isEnded = text.startsWith("EXECABORT") || text.startsWith("ERR EXEC without MULTI");
    return !isEnded && this.#multiError === null;
  }
}

/** The text of an error reply. */
export function errorText(reply: Uint8Array): string {
  return decoder.decode(reply.subarray(1)).replace(/\r\n$/, "");
}
