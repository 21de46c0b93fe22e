/**
 * The arguments of a request as the slow log shows them: cut as Redis cuts them, without passwords, and made
 * of the first bytes of the request, since no more are kept.
 *
 * @module
 */

import { secretsOf } from "../../command/secrets.ts";
import { latin1 } from "../../resp/latin1.ts";
import type { BeginningOfArguments } from "../monitor/monitor_filter.ts";

/** Arguments that are shown at most, with the line that says how many more there are. */
const SHOWN_MAX = 32;
/** Bytes of an argument that are shown at most. */
const SHOWN_BYTES_MAX = 128;
const REDACTED = "(redacted)";

/** The arguments at the beginning of a request, whole or not. */
export class BeginningArguments implements BeginningOfArguments {
  readonly bytes: Uint8Array;
  /** Arguments that are here, at least in part. */
  count = 0;
  /** How many the request has. */
  announced = 0;
  readonly #spans: { readonly start: number; readonly length: number }[] = [];

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    let at = this.#line(0, (count) => this.announced = count);
    while (at > 0 && at < bytes.length && this.count < this.announced) {
      let length = 0;
      const start = this.#line(at, (bytes) => length = bytes);
      if (start === 0 || (start >= bytes.length && length > 0)) break;
      this.#spans.push({ start, length });
      this.count++;
      at = start + length + 2;
    }
  }

  /** Reads the number of the line at `at`; returns where the line ends, or 0 when it is cut. */
  #line(at: number, take: (value: number) => void): number {
    const end = this.bytes.indexOf(10, at);
    if (end < 0) return 0;
    take(Number(latin1(this.bytes, at + 1, end - 1)));
    return end + 1;
  }

  start(i: number): number {
    return this.#spans[i]!.start;
  }

  end(i: number): number {
    return Math.min(this.bytes.length, this.#spans[i]!.start + this.#spans[i]!.length);
  }

  isWhole(i: number): boolean {
    return this.#spans[i]!.start + this.#spans[i]!.length <= this.bytes.length;
  }

  /** Leaves out the last argument, if only a part of it is here. */
  dropCut(): this {
    const last = this.count - 1;
    if (last >= 0 && !this.isWhole(last)) this.count = last;
    return this;
  }

  /** The length of argument `i`, whether all of it is here or not. */
  lengthOf(i: number): number {
    return this.#spans[i]!.length;
  }
}

/**
 * The arguments of a request of this command, one character for each byte.
 *
 * @param bytes The request's first bytes.
 */
export function shownArguments(command: string, bytes: Uint8Array): string[] {
  const args = new BeginningArguments(bytes);
  const isSecret = secretsOf(command, args);
  const count = Math.min(args.count, args.announced > SHOWN_MAX ? SHOWN_MAX - 1 : SHOWN_MAX);
  const shown: string[] = [];
  for (let i = 0; i < count; i++) {
    if (isSecret(i)) shown.push(REDACTED);
    else {
      const end = Math.min(args.end(i), args.start(i) + SHOWN_BYTES_MAX);
      const left = args.lengthOf(i) - (end - args.start(i));
      const text = latin1(bytes, args.start(i), end);
      shown.push(left > 0 ? `${text}... (${left} more bytes)` : text);
    }
  }
  const left = args.announced - count;
  if (left > 0) shown.push(`... (${left} more arguments)`);
  if (shown.length === 0) shown.push(...command.split("|"));
  return shown;
}
