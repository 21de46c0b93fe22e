/**
 * A watch: what an entry is now, and again whenever that changes.
 *
 * @module
 */

/**
 * Yields the present value at once, then the newest value after each change. Values in between may
 * be left out; the last one never is, however the change and the wait for it interleave.
 *
 * Ends when it is closed, or the coordinator is. A lost connection does not end it: after the return
 * it goes on with whatever is then the value.
 */
export interface Watch<T> extends AsyncIterableIterator<T> {
  /** Ends the watch; a pending `next` is answered with the end. */
  close(): void;
}

/** A watch that values are pushed to: holds the newest one until it is read. */
export class LatestWatch<T> implements Watch<T> {
  readonly #onClose: () => void;
  /** Boxed, because `undefined` is a value too: no such entry. */
  #latest: { readonly value: T } | undefined;
  #waiter: ((result: IteratorResult<T>) => void) | undefined;
  #isClosed = false;

  /** Starts without a value; `onClose` is called once. */
  constructor(onClose: () => void) {
    this.#onClose = onClose;
  }

  /** Replaces the value that was not read yet. */
  push(value: T): void {
    if (this.#isClosed) return;
    const waiter = this.#waiter;
    if (waiter === undefined) {
      this.#latest = { value };
    } else {
      this.#waiter = undefined;
      waiter({ value, done: false });
    }
  }

  /** Forgets the value that was not read yet. */
  forget(): void {
    this.#latest = undefined;
  }

  next(): Promise<IteratorResult<T>> {
    const latest = this.#latest;
    this.#latest = undefined;
    if (latest !== undefined) return Promise.resolve({ value: latest.value, done: false });
    if (this.#isClosed) return Promise.resolve({ value: undefined, done: true });
    if (this.#waiter !== undefined) throw new Error("a watch has one reader at a time");
    return new Promise((resolve) => this.#waiter = resolve);
  }

  return(): Promise<IteratorResult<T>> {
    this.close();
    return Promise.resolve({ value: undefined, done: true });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#latest = undefined;
    this.#waiter?.({ value: undefined, done: true });
    this.#waiter = undefined;
    this.#onClose();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
