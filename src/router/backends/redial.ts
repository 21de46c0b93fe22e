/**
 * When a connection that was lost is opened again: after a pause that grows, and while somebody wants it.
 *
 * @module
 */

import { Backoff } from "../../base/backoff.ts";
import { clock } from "../../base/clock.ts";
import type { Circuit } from "./circuit.ts";

/** A connection that was not asked for anything this long is not opened again, in milliseconds. */
const UNUSED_MS = 30_000;
/** How often is looked whether the circuit lets one dial, in milliseconds. */
const LOOK_MS = 100;

/** The attempts of one connection. */
export class Redial {
  readonly #backoff = new Backoff({ firstMs: 50, maxMs: 500 });
  readonly #circuit: Circuit;
  readonly #again: (isWanted: boolean) => void;
  #usedMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param again Called when it is time: to dial, or to wait until somebody wants the connection. */
  constructor(circuit: Circuit, again: (isWanted: boolean) => void) {
    this.#circuit = circuit;
    this.#again = again;
  }

  /** Whether an attempt has failed, and none was successful since. */
  get isTrying(): boolean {
    return this.#backoff.attempt > 0;
  }

  /** Somebody wants the connection. */
  used(): void {
    this.#usedMs = clock.nowMs;
  }

  /** Calls `again` after the next pause. */
  later(): void {
    this.#timer = setTimeout(() => this.#look(), this.#backoff.nextMs());
  }

  #look(): void {
    clock.tick();
    if (!this.#circuit.mayDial()) {
      this.#timer = setTimeout(() => this.#look(), LOOK_MS);
      return;
    }
    const isWanted = this.#circuit.isOpen || clock.nowMs - this.#usedMs <= UNUSED_MS;
    if (!isWanted) this.reset();
    this.#again(isWanted);
  }

  /** The connection is open. */
  reset(): void {
    this.#backoff.reset();
  }

  /** Does not call `again` any more. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
