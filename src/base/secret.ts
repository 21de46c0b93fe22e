/**
 * A value that no log line, error text or JSON document may show, and how one is compared.
 *
 * @module
 */

import { timingSafeEqual } from "@std/crypto/timing-safe-equal";

/** What a secret prints as wherever it is printed. */
const MASK = "***";

/** Holds a password; only {@linkcode Secret.reveal} gives it out. */
export class Secret {
  readonly #value: string;

  /** Wraps `value`; `""` means that no password is set. */
  constructor(value: string) {
    this.#value = value;
  }

  /** Whether a password is set at all. */
  get isSet(): boolean {
    return this.#value !== "";
  }

  /** The password itself, for the wire only. */
  reveal(): string {
    return this.#value;
  }

  /** The mask, or `""` when no password is set. */
  toString(): string {
    return this.isSet ? MASK : "";
  }

  /** As {@linkcode Secret.toString}. */
  toJSON(): string {
    return this.toString();
  }

  /** As {@linkcode Secret.toString}; what `console.log` and `Deno.inspect` show. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}

/**
 * Compares a given password or token with the right one. How long it takes depends on the
 * lengths, not on how much of it was right.
 */
export function isSameSecret(given: string, right: string): boolean {
  const encoder = new TextEncoder();
  const [a, b] = [encoder.encode(given), encoder.encode(right)];
  const padded = new Uint8Array(b.length);
  padded.set(a.subarray(0, b.length));
  return timingSafeEqual(padded, b) && a.length === b.length;
}
