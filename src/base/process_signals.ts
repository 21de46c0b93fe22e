/**
 * Signals of a process that serves: SIGINT and SIGTERM stop it; at SIGHUP it opens its logs again, and
 * reads again what may have changed in files.
 *
 * @module
 */

import { logger } from "./log.ts";

/** What stops the process cleanly. */
const STOP_SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Something to do at SIGHUP. */
interface HangUpWork {
  /** What it is, for the log: `read the secrets again`. */
  readonly what: string;
  readonly act: () => void | Promise<void>;
}

/** Listens to signals from its construction until it is disposed of. */
export class ProcessSignals implements Disposable {
  readonly #stopping = new AbortController();
  readonly #listeners: readonly (readonly [signal: Deno.Signal, listener: () => void])[];
  readonly #work: HangUpWork[] = [];
  /** The work of the SIGHUPs so far: that of one is done before that of the next. */
  #done: Promise<void> = Promise.resolve();

  constructor() {
    this.#listeners = [
      ...STOP_SIGNALS.map((signal) =>
        [signal, () => this.#stopping.abort(`got ${signal}`)] as const
      ),
      ["SIGHUP", () => this.#done = this.#done.then(() => this.#hangUp())],
    ];
    for (const [signal, listener] of this.#listeners) Deno.addSignalListener(signal, listener);
  }

  /** Aborted by the first signal to stop; its reason is a text for the log. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /**
   * Adds something to do at every SIGHUP, after what was added before. If it fails, the log says so, and
   * the rest is done.
   */
  onHangUp(what: string, act: () => void | Promise<void>): void {
    this.#work.push({ what, act });
  }

  async #hangUp(): Promise<void> {
    for (const { what, act } of this.#work) {
      try {
        await act();
      } catch (error) {
        logger("signals").error("SIGHUP: cannot {what}: {cause}", {
          what,
          cause: (error as Error).message,
        });
      }
    }
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
  }
}
