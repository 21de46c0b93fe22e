/**
 * Calls between two threads over a message port: each side calls what the other one offers.
 *
 *     call(name, args) ─┐                                   ┌─► own[name](...args)
 *     call(name, args) ─┴─ one message a turn, as JSON ─────┘        │ returned, or threw
 *     promise settles ◄────────── one message a turn, as JSON ◄──────┘
 *
 * Calls are begun on the other side in the order in which they were made here. JSON and one message a
 * turn, because a thousand small objects posted one by one take a hundred times as long.
 *
 * @module
 */

/** The calls that a side offers: functions whose arguments and results JSON can carry. */
// deno-lint-ignore no-explicit-any
export type CallTable<T> = { readonly [N in keyof T]: (...args: any[]) => unknown };

type Args<F> = F extends (...args: infer A) => unknown ? A : never;
type Result<F> = F extends (...args: never[]) => infer R ? Awaited<R> : never;

type Item =
  /** Number 0 wants no answer. */
  | { readonly call: number; readonly name: string; readonly args: readonly unknown[] }
  | { readonly answer: number; readonly value?: unknown; readonly error?: string };

interface Waiter {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** One side; `Theirs` is what the other one offers. */
export class RemoteCalls<Theirs extends CallTable<Theirs>> {
  readonly #post: (message: string) => void;
  readonly #own: Readonly<Record<string, unknown>>;
  readonly #waiting = new Map<number, Waiter>();
  #outgoing: Item[] = [];
  #nextCall = 1;
  #ended: Error | undefined;

  /**
   * @param post Hands a message to the other side.
   * @param own What this side offers.
   */
  constructor(post: (message: string) => void, own: object) {
    this.#post = post;
    this.#own = own as Readonly<Record<string, unknown>>;
  }

  /**
   * Calls the other side.
   *
   * @throws {Error} What the call threw there, by its message; after {@linkcode RemoteCalls.end}, and
   * for calls that are under way then, its cause.
   */
  call<N extends keyof Theirs & string>(
    name: N,
    ...args: Args<Theirs[N]>
  ): Promise<Result<Theirs[N]>> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const call = this.#nextCall++;
    this.#send({ call, name, args });
    return new Promise((resolve, reject) => {
      this.#waiting.set(call, { resolve: resolve as (value: unknown) => void, reject });
    });
  }

  /** As {@linkcode RemoteCalls.call}, when the outcome does not matter. */
  notify<N extends keyof Theirs & string>(name: N, ...args: Args<Theirs[N]>): void {
    this.#send({ call: 0, name, args });
  }

  /** Takes a message of the other side. */
  receive(message: string): void {
    for (const item of JSON.parse(message) as Item[]) {
      if ("call" in item) this.#begin(item.call, item.name, item.args);
      else this.#settle(item.answer, item.value, item.error);
    }
  }

  /** The other side is gone: nothing is sent any more, and what waits is rejected. */
  end(cause: Error): void {
    this.#ended ??= cause;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(cause);
  }

  #begin(answer: number, name: string, args: readonly unknown[]): void {
    const done = (outcome: { value?: unknown; error?: string }) => {
      if (answer !== 0) this.#send({ answer, ...outcome });
    };
    const failed = (error: unknown) =>
      done({ error: error instanceof Error ? error.message : String(error) });
    try {
      const own = this.#own[name] as (...args: readonly unknown[]) => unknown;
      const value = own(...args);
      if (value instanceof Promise) value.then((settled) => done({ value: settled }), failed);
      else done({ value });
    } catch (error) {
      failed(error);
    }
  }

  #settle(call: number, value: unknown, error: string | undefined): void {
    const waiter = this.#waiting.get(call);
    if (!this.#waiting.delete(call)) return;
    if (error === undefined) waiter!.resolve(value);
    else waiter!.reject(new Error(error));
  }

  #send(item: Item): void {
    if (this.#ended !== undefined) return;
    this.#outgoing.push(item);
    if (this.#outgoing.length > 1) return;
    queueMicrotask(() => {
      const items = this.#outgoing;
      this.#outgoing = [];
      if (this.#ended === undefined) this.#post(JSON.stringify(items));
    });
  }
}
