/**
 * The log of TLS handshakes that failed: the first one at once, then a line for all of some seconds.
 *
 * @module
 */

import { logger } from "../base/log.ts";

/** Time between two lines, in milliseconds. */
const PERIOD_MS = 10_000;
/** Addresses that a line names. */
const ADDRESSES_MAX = 10;

const log = logger("proxy");

interface Failures {
  count: number;
  cause: string;
}

/** See the header. */
export class HandshakeLog {
  readonly #failures = new Map<string, Failures>();
  #others = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Takes the address, without port, and why the handshake failed. */
  failed(hostname: string, cause: string): void {
    if (this.#timer === undefined) {
      log.warn("TLS client {hostname} was cut: {cause}", { hostname, cause });
      this.#timer = setTimeout(() => this.#flush(), PERIOD_MS);
      return;
    }
    const known = this.#failures.get(hostname);
    if (known !== undefined) {
      known.count++;
      known.cause = cause;
    } else if (this.#failures.size < ADDRESSES_MAX) {
      this.#failures.set(hostname, { count: 1, cause });
    } else this.#others++;
  }

  #flush(): void {
    this.#timer = undefined;
    if (this.#failures.size === 0) return;
    const lines = [...this.#failures].map(([hostname, { count, cause }]) =>
      `${hostname} ×${count} (${cause})`
    );
    if (this.#others > 0) lines.push(`other addresses ×${this.#others}`);
    this.#failures.clear();
    this.#others = 0;
    this.#timer = setTimeout(() => this.#flush(), PERIOD_MS);
    log.warn("TLS clients were cut: {clients}", { clients: lines.join(", ") });
  }

  /** Writes no more. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
