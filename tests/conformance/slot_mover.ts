/**
 * Moves all slots to and fro between two groups, by the dashboard's API, until it is disposed.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { until } from "../support/deadline.ts";

const HALF = 512;
/** Slots that one request sends away. */
const RANGE = 32;
const BEGIN_LIMIT_MS = 60_000;
/** Time between two looks at what is left to move, in milliseconds. */
const LOOK_MS = 100;
const ASK_LIMIT_MS = 60_000;

/** See the header. */
export class SlotMover implements AsyncDisposable {
  readonly #url: string;
  readonly #ended: Promise<void>;
  #failure: Error | undefined;
  #isStopped = false;
  #slotsAsked = 0;
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
    return this.#slotsAsked - this.#left;
  }

  async #run(): Promise<void> {
    // The halves begin in group 1 and 2, and change places again and again.
    for (let round = 1; !this.#isStopped; round++) {
      const isAway = round % 2 === 1;
      for (let from = 0; from < HALF && !this.#isStopped; from += RANGE) {
        await this.#migrate(from, isAway ? 2 : 1);
        await this.#migrate(HALF + from, isAway ? 1 : 2);
      }
      while (!this.#isStopped && this.#left > 0) {
        await delay(LOOK_MS);
        await this.#look();
      }
    }
  }

  async #migrate(from: number, new_group: number): Promise<void> {
    await this.#ask("/api/migrate", { from, to: from + RANGE - 1, new_group, delay: 0 });
    this.#slotsAsked += RANGE;
    this.#left += RANGE;
    await this.#look();
  }

  /** Sees what is left to move. */
  async #look(): Promise<void> {
    this.#left = (await this.#ask("/api/migrate/tasks") as unknown[] | null)?.length ?? 0;
  }

  /** Waits until the first slots have moved: a short unit would be over before. */
  async hasBegun(): Promise<void> {
    await until(() => this.slotsMoved > 0 || this.#failure !== undefined, BEGIN_LIMIT_MS);
  }

  async #ask(path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.#url}${path}`, {
      ...body === undefined ? {} : { method: "POST", body: JSON.stringify(body) },
      headers: { "content-type": "application/json" },
      signal: AbortSignal.timeout(ASK_LIMIT_MS),
    });
    const text = await response.text();
    // It may take a moment longer to lead than the proxy takes to serve.
    if (response.status === 503 && this.#slotsAsked === 0 && !this.#isStopped) {
      await delay(LOOK_MS);
      return await this.#ask(path, body);
    }
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  }

  /** Lets the moves that have begun be; the servers are about to end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await this.#ended;
  }
}
