/**
 * A value that no log line, error text or JSON document may show.
 *
 * @module
 */

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
