/**
 * One path of ZooKeeper that is watched: its one-shot watch, armed anew as often as it fires.
 *
 *     refresh ──► read, and arm with the same call ──► value to all watches
 *        ▲                                                │
 *        ├── fired ◄──── changed ◄────────────────────────┘
 *        └── the session is connected again, or is another one
 *
 * What changes after the read fires, what changed before it was read: there is no gap between them.
 *
 * @module
 */

import { Backoff } from "../../base/backoff.ts";
import { LatestWatch, type Watch } from "../watch.ts";

/** What a watched path needs of its coordinator. */
export interface WatchedSource<T> {
  /** Reads the value and has `onChange` called once, when it has changed. */
  read(onChange: () => void): Promise<T>;
  /** Whether two values are the same for a watcher. */
  isSame(a: T, b: T): boolean;
  /** Whether reading can work now; when it can again, {@linkcode WatchedPath.refresh} is called. */
  isConnected(): boolean;
  /** The last watch has ended, and nothing is armed. */
  onIdle(): void;
}

/** Waits before reading is tried again when it failed on a connection that stands. */
const RETRY = { firstMs: 100, maxMs: 2_000 };

/** See the header. */
export class WatchedPath<T> {
  readonly #source: WatchedSource<T>;
  readonly #watches = new Set<LatestWatch<T>>();
  readonly #backoff = new Backoff(RETRY);
  /** The value as of now, as long as a change of it would be reported. */
  #armed: { readonly value: T } | undefined;
  /** The value that the watches got last. */
  #pushed: { readonly value: T } | undefined;
  #isReading = false;
  #mustReadAgain = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  // The library knows its watchers by identity: one function, one event.
  readonly #onChange = () => {
    this.#armed = undefined;
    this.refresh();
  };

  /** Watches nothing yet. */
  constructor(source: WatchedSource<T>) {
    this.#source = source;
  }

  /** Adds a watch; its first value is the present one. */
  watch(): Watch<T> {
    const watch = new LatestWatch<T>(() => {
      this.#watches.delete(watch);
      this.#endIfIdle();
    });
    this.#watches.add(watch);
    if (this.#armed !== undefined) watch.push(this.#armed.value);
    else {
      this.#pushed = undefined;
      this.refresh();
    }
    return watch;
  }

  /** The session is lost: nothing that happens now is reported. */
  disarm(): void {
    this.#armed = undefined;
    this.#endIfIdle();
  }

  /** Ends every watch. */
  close(): void {
    clearTimeout(this.#timer);
    for (const watch of [...this.#watches]) watch.close();
  }

  /** Reads the value again, if there is a watch. */
  refresh(): void {
    if (this.#watches.size === 0) return this.#endIfIdle();
    if (this.#isReading) this.#mustReadAgain = true;
    else this.#readAll();
  }

  async #readAll(): Promise<void> {
    clearTimeout(this.#timer);
    this.#isReading = true;
    try {
      do {
        this.#mustReadAgain = false;
        const value = await this.#source.read(this.#onChange);
        // It may have fired between the answer and this line.
        if (!this.#mustReadAgain) this.#armed = { value };
        this.#push(value);
      } while (this.#mustReadAgain && this.#watches.size > 0);
      this.#backoff.reset();
    } catch {
      // Else the return of the connection brings us back here.
      if (this.#watches.size > 0 && this.#source.isConnected()) {
        this.#timer = setTimeout(() => this.refresh(), this.#backoff.nextMs());
      }
    } finally {
      this.#isReading = false;
    }
    this.#endIfIdle();
  }

  #push(value: T): void {
    if (this.#pushed !== undefined && this.#source.isSame(this.#pushed.value, value)) return;
    this.#pushed = { value };
    for (const watch of this.#watches) watch.push(value);
  }

  #endIfIdle(): void {
    if (this.#watches.size > 0 || this.#isReading || this.#armed !== undefined) return;
    clearTimeout(this.#timer);
    this.#source.onIdle();
  }
}
