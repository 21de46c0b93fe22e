/**
 * The signals that end an import, and the exit codes.
 *
 * @module
 */

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Listens to them until it is disposed of. */
export class StopSignals implements Disposable {
  /** The exit code of the signal that came; 0: none. */
  code = 0;
  readonly #abort = new AbortController();
  readonly #listeners: readonly (readonly [Deno.Signal, () => void])[] = Object.entries(SIGNALS)
    .map(([signal, code]) =>
      [signal as Deno.Signal, () => {
        this.code ||= code;
        this.#abort.abort(signal);
      }] as const
    );

  constructor() {
    for (const [signal, listener] of this.#listeners) Deno.addSignalListener(signal, listener);
  }

  /** Aborted by the first of them. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
  }
}
