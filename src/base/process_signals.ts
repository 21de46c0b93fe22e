/**
 * Signals of a process that serves: SIGINT and SIGTERM stop it, SIGHUP reopens its logs.
 *
 * @module
 */

/** What stops the process cleanly. */
const STOP_SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Listens to signals from its construction until it is disposed of. */
export class ProcessSignals implements Disposable {
  readonly #stopping = new AbortController();
  readonly #listeners: readonly (readonly [signal: Deno.Signal, listener: () => void])[];

  /** Calls `reopenLogs` for every SIGHUP. */
  constructor(reopenLogs: () => void) {
    this.#listeners = [
      ...STOP_SIGNALS.map((signal) =>
        [signal, () => this.#stopping.abort(`got ${signal}`)] as const
      ),
      ["SIGHUP", reopenLogs],
    ];
    for (const [signal, listener] of this.#listeners) Deno.addSignalListener(signal, listener);
  }

  /** Aborted by the first signal to stop; its reason is a text for the log. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
  }
}
