/**
 * A value that no log line, error text or JSON document may show, and how one is compared.
 *
 * @module
 */

import { timingSafeEqual } from "@std/crypto/timing-safe-equal";

/** What a secret prints as wherever it is printed. */
const MASK = "***";

/**
 * Holds a password, and older ones that are still good; only {@linkcode Secret.reveal} and
 * {@linkcode Secret.revealAll} give them out. It may change while the program runs: ask each time.
 */
export class Secret {
  #values: readonly string[];

  /** Wraps `value`; `""` means that no password is set. `older` ones are still good. */
  constructor(value: string, older: readonly string[] = []) {
    this.#values = [value, ...older];
  }

  /** Whether a password is set at all. */
  get isSet(): boolean {
    return this.reveal() !== "";
  }

  /** The password itself, for the wire only. */
  reveal(): string {
    return this.#values[0]!;
  }

  /** All that are good, the newest first, for the wire only; one `""` when no password is set. */
  revealAll(): readonly string[] {
    return this.#values;
  }

  /** Takes other values, the newest first; returns whether anything is new. */
  replace(values: readonly string[]): boolean {
    const isSame = values.length === this.#values.length &&
      values.every((value, i) => value === this.#values[i]);
    this.#values = values;
    return !isSame;
  }

  /** Another one with the same values, which does not change with this one. */
  copy(): Secret {
    return new Secret(this.reveal(), this.#values.slice(1));
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

/** Whether a Redis server's error says that user or password were wrong: another password may be right. */
export function isWrongPassword(error: string): boolean {
  return /WRONGPASS|invalid password/.test(error);
}

/** Whether a given password or token is one of the right ones; compared with all of them, each time. */
export function isOneOfSecrets(given: string, right: readonly string[]): boolean {
  return right.map((each) => isSameSecret(given, each)).includes(true);
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

/** The HMAC-SHA256 of a text, in hexadecimal: who knows it knows the secret. */
export async function signatureOf(secret: string, text: string): Promise<string> {
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, [
    "sign",
  ]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(text))).toHex();
}
