/**
 * Signals of a process that serves: SIGINT and SIGTERM stop it, SIGINT or a second one at once; at SIGUSR1 it opens its logs again, at SIGHUP
 * that and more: it reads again what may have changed in files.
 *
 * @module
 */

import { logger } from "./log.ts";

/** What stops the process cleanly. */
const STOP_SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** What is done without an end of the process: see the header. */
const WORK_SIGNALS = ["SIGHUP", "SIGUSR1"] as const;

/** Something to do at a signal. */
type Act = (signal: Deno.Signal) => void | Promise<void>;

interface SignalWork {
  /** What it is, for the log: `read the secrets again`. */
  readonly what: string;
  readonly act: Act;
  readonly signals: readonly Deno.Signal[];
}

/** Listens to signals from its construction until it is disposed of. */
export class ProcessSignals implements Disposable {
  readonly #stopping = new AbortController();
  readonly #hurry = new AbortController();
  readonly #listeners: readonly (readonly [signal: Deno.Signal, listener: () => void])[];
  readonly #work: SignalWork[] = [];
  /** The work of the signals so far: that of one is done before that of the next. */
  #done: Promise<void> = Promise.resolve();

  constructor() {
    this.#listeners = [
      ...STOP_SIGNALS.map((signal) => [signal, () => this.#stop(signal)] as const),
      ...WORK_SIGNALS.map((signal) =>
        [signal, () => void (this.#done = this.#done.then(() => this.#workAt(signal)))] as const
      ),
    ];
    for (const [signal, listener] of this.#listeners) Deno.addSignalListener(signal, listener);
  }

  /** Aborted by the first signal to stop; its reason is a text for the log. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Aborted by SIGINT, and by the second signal to stop. */
  get hurry(): AbortSignal {
    return this.#hurry.signal;
  }

  #stop(signal: Deno.Signal): void {
    const { aborted } = this.#stopping.signal;
    if (aborted || signal === "SIGINT") this.#hurry.abort(`got ${signal}`);
    this.#stopping.abort(`got ${signal}`);
  }

  /**
   * Adds something to do at every SIGHUP, after what was added before. If it fails, the log says so, and
   * the rest is done.
   */
  onHangUp(what: string, act: Act): void {
    this.#work.push({ what, act, signals: ["SIGHUP"] });
  }

  /** Adds a log to be opened again, at SIGHUP and at SIGUSR1. */
  onLogsMoved(what: string, act: Act): void {
    this.#work.push({ what, act, signals: WORK_SIGNALS });
  }

  async #workAt(signal: Deno.Signal): Promise<void> {
    for (const { what, act, signals } of this.#work) {
      if (!signals.includes(signal)) continue;
      try {
        await act(signal);
      } catch (error) {
        logger("signals").error("{signal}: cannot {what}: {cause}", {
          signal,
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
