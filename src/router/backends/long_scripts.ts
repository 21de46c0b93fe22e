/**
 * Scripts that run for long: until one has ended, the server reads nothing more of its connection.
 *
 *      script sent ─► the server does nothing else for 100 ms ─► its backend takes no more requests
 *                                                                  └── all are answered ─► closed
 *
 * What is asked next goes over a new connection, where the server answers as it answers everybody: -BUSY once
 * its busy-reply-threshold has passed, and what was asked for when the script has ended. Of two connections,
 * either may be read first: so a client that has something in flight waits for it before it asks again.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import type { Server } from "./server.ts";

/** A script that runs as long as this keeps others waiting, in milliseconds. */
const LONG_MS = 100;
/** How often it is looked for, in milliseconds. */
const LOOK_MS = 50;
/** How long after the last script: it may have had to wait for its turn, in milliseconds. */
const LOOK_FOR_MS = 10_000;

/** The scripts of one router's clients; see the drawing above. */
export class LongScripts {
  /** Whether a backend takes no more requests because of one. */
  isActive = false;
  readonly #servers: () => Iterable<Server>;
  readonly #changed: () => void;
  #sentMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param changed Called when {@linkcode isActive} has changed. */
  constructor(servers: () => Iterable<Server>, changed: () => void) {
    this.#servers = servers;
    this.#changed = changed;
  }

  /** A client's script is on its way over a shared backend. */
  sent(): void {
    this.#sentMs = clock.nowMs;
    this.#timer ??= setTimeout(() => this.#look(), LOOK_MS);
  }

  #look(): void {
    clock.tick();
    let isActive = false;
    for (const server of this.#servers()) {
      server.replaceHeldUp(LONG_MS);
      isActive ||= server.isHeldUp;
    }
    const mayCome = clock.nowMs - this.#sentMs < LOOK_FOR_MS;
    this.#timer = isActive || mayCome ? setTimeout(() => this.#look(), LOOK_MS) : undefined;
    if (isActive === this.isActive) return;
    this.isActive = isActive;
    this.#changed();
  }

  /** Forgets everything. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
