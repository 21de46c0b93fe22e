/**
 * One worker as the pool sees it: its calls, and its end.
 *
 *     running ── uncaught error, end() ──► ended: calls under way are rejected with WorkerEndedError
 *
 * @module
 */

import { RemoteCalls } from "../../base/remote_call.ts";
import type { PoolCalls, WorkerCalls, WorkerStart } from "./worker_calls.ts";

/** What is needed of a `Worker`. */
export interface Thread {
  onmessage: ((event: MessageEvent) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  postMessage(message: unknown): void;
  terminate(): void;
}

/** The worker whose call was under way is gone. */
export class WorkerEndedError extends Error {
  override readonly name = "WorkerEndedError";
}

/** See the header. */
export class WorkerThread {
  /** Pauses of the process that it has noticed and reported. */
  pauses = 0;
  readonly startedMs = performance.now();
  readonly calls: RemoteCalls<WorkerCalls>;
  readonly #thread: Thread;
  #hasEnded = false;

  /**
   * Takes a thread that has just begun, and starts it.
   *
   * @param onDeath Called with an error that was not caught there; the thread has ended by it.
   */
  constructor(
    thread: Thread,
    start: WorkerStart,
    own: PoolCalls,
    onDeath: (cause: string) => void,
  ) {
    this.#thread = thread;
    this.calls = new RemoteCalls((message) => thread.postMessage(message), own);
    thread.onmessage = ({ data }) => this.calls.receive(data as string);
    thread.onerror = (event) => {
      event.preventDefault(); // or it would be this thread's error, too
      if (this.#hasEnded) return;
      this.end(event.message);
      onDeath(event.message);
    };
    thread.postMessage(start);
  }

  /** Whether it can be asked nothing any more. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Ends the thread as it stands: its connections are cut. */
  end(cause: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#thread.terminate();
    this.calls.end(new WorkerEndedError(cause));
  }
}

/** Rounds of a thread's event loop between two looks for I/O. */
const IO_INTERVAL = "DENO_TOKIO_EVENT_INTERVAL";

/**
 * Starts a thread. Beside this module lies the worker's, in the source tree and in a bundle alike.
 *
 * While a thread of Deno's has work it looks for I/O in every 61st round only, so that of hundreds of
 * busy clients some wait for long. A thread reads how often it is to look when it starts; the first
 * thread's is set by who starts the program.
 */
export function newWorker(): Thread {
  if (Deno.env.get(IO_INTERVAL) === undefined) Deno.env.set(IO_INTERVAL, "1");
  const name = import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js";
  return new Worker(new URL(name, import.meta.url), { type: "module" });
}
