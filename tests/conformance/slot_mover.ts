/**
 * Moves all slots to and fro between two groups, by the dashboard's API, until it is disposed.
 *
 * @module
 */

import { delay } from "@std/async/delay";

const HALF = 512;
/** Time between two looks at what is left to move, in milliseconds. */
const LOOK_MS = 100;
const ASK_LIMIT_MS = 60_000;

/** See the header. */
export class SlotMover implements AsyncDisposable {
  readonly #url: string;
  readonly #ended: Promise<void>;
  #failure: Error | undefined;
  #isStopped = false;
  #slotsMoved = 0;
  #left = 0;

  /** @param url The dashboard's address, as `http://127.0.0.1:9001`. */
  constructor(url: string) {
    this.#url = url;
    this.#ended = this.#run().catch((error: Error) => void (this.#failure = error));
  }

  /** Why it moves no more slots, where the dashboard has refused a move or is gone. */
  get failure(): string | undefined {
    return this.#failure?.message;
  }

  /** Slots that changed hands so far. */
  get slotsMoved(): number {
    return this.#slotsMoved - this.#left;
  }

  async #run(): Promise<void> {
    // The halves begin in group 1 and 2, and change places again and again.
    for (let round = 1; !this.#isStopped; round++) {
      const isAway = round % 2 === 1;
      await this.#migrate(0, HALF - 1, isAway ? 2 : 1);
      await this.#migrate(HALF, 2 * HALF - 1, isAway ? 1 : 2);
      this.#slotsMoved += 2 * HALF;
      this.#left = 2 * HALF;
      while (!this.#isStopped && this.#left > 0) {
        const tasks = await this.#ask("/api/migrate/tasks") as unknown[] | null;
        this.#left = tasks?.length ?? 0;
        await delay(LOOK_MS);
      }
    }
  }

  async #migrate(from: number, to: number, new_group: number): Promise<void> {
    if (this.#isStopped) return;
    await this.#ask("/api/migrate", { from, to, new_group, delay: 0 });
  }

  async #ask(path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.#url}${path}`, {
      ...body === undefined ? {} : { method: "POST", body: JSON.stringify(body) },
      headers: { "content-type": "application/json" },
      signal: AbortSignal.timeout(ASK_LIMIT_MS),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  }

  /** Lets the moves that have begun be; the servers are about to end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await this.#ended;
  }
}
