/**
 * A load whose every answer can be checked: clients that count.
 *
 * @module
 */

import { assert } from "@std/assert";
import { delay } from "@std/async/delay";
import type { ProxyProcess } from "./proxy_process.ts";
import type { RespClient } from "./resp_client.ts";
import { ReplyError } from "./resp_value.ts";
import { slotOf } from "./router_server.ts";

/** Keys that live in given slots, `perSlot` of them in each. */
export function keysInSlots(slots: readonly number[], perSlot: number): string[] {
  const left = new Map(slots.map((slotId) => [slotId, perSlot]));
  const keys: string[] = [];
  for (let i = 0; keys.length < slots.length * perSlot; i++) {
    const key = `count${i}`;
    const missing = left.get(slotOf(key)) ?? 0;
    if (missing === 0) continue;
    left.set(slotOf(key), missing - 1);
    keys.push(key);
  }
  return keys;
}

/**
 * How often all clients together count, each second. Without a pause they take the whole machine from what is
 * tested, and hardly ask oftener of a slot while it moves: it takes longer to move.
 */
const PACE = 2_000;

/** Clients that count up keys and read them back. */
export class CountingLoad {
  /** Every answer that was not what it had to be. */
  readonly errors: string[] = [];
  /** The longest wait for one answer, in milliseconds. */
  longestMs = 0;
  readonly #keys: readonly string[];
  readonly #pauseMs: number;
  /** Acknowledged increments by key. */
  readonly #counted = new Map<string, number>();
  readonly #running: Promise<void>[] = [];
  #isStopped = false;

  private constructor(keys: readonly string[], pauseMs: number) {
    this.#keys = keys;
    this.#pauseMs = pauseMs;
  }

  /**
   * Starts the clients, spread over the proxies.
   *
   * @param pauseMs Mean pause of a client between two requests, in milliseconds. @default {@linkcode PACE}
   */
  static async start(
    proxies: readonly ProxyProcess[],
    keys: readonly string[],
    clients: number,
    pauseMs = clients * 1000 / PACE,
  ): Promise<CountingLoad> {
    const load = new CountingLoad(keys, pauseMs);
    for (let i = 0; i < clients; i++) {
      const client = await proxies[i % proxies.length]!.client();
      load.#running.push(load.#run(client));
    }
    return load;
  }

  async #run(client: RespClient): Promise<void> {
    try {
      while (!this.#isStopped) {
        if (this.#pauseMs > 0) await delay(2 * Math.random() * this.#pauseMs);
        const key = this.#keys[Math.floor(Math.random() * this.#keys.length)]!;
        const before = this.#counted.get(key) ?? 0;
        const startedMs = performance.now();
        const [count, read] = await client.pipeline([["INCR", key], ["GET", key]]);
        this.longestMs = Math.max(this.longestMs, performance.now() - startedMs);
        if (typeof count!.value !== "number" || !(Number(read!.value) >= count!.value)) {
          this.errors.push(`${key}: INCR ${shown(count!.value)}, GET ${shown(read!.value)}`);
          continue;
        }
        // What others had been told before we asked is in our answer.
        if (count!.value <= before) this.errors.push(`${key}: ${count!.value} after ${before}`);
        this.#counted.set(key, Math.max(this.#counted.get(key) ?? 0, count!.value));
        this.#acknowledged.set(key, (this.#acknowledged.get(key) ?? 0) + 1);
      }
    } catch (error) {
      this.errors.push(String(error));
    } finally {
      client.close();
    }
  }

  readonly #acknowledged = new Map<string, number>();

  /** Lets every client finish. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
    assert(this.#acknowledged.size > 0, "no client has counted anything");
  }

  /** Keys whose value is not the number of acknowledged increments. */
  async lostUpdates(proxy: ProxyProcess): Promise<string[]> {
    const client = await proxy.client();
    try {
      const values = await client.call("MGET", ...this.#keys) as (string | null)[];
      return this.#keys.flatMap((key, i) => {
        const expected = this.#acknowledged.get(key) ?? 0;
        const found = Number(values[i] ?? 0);
        return found === expected ? [] : [`${key}: ${found} instead of ${expected}`];
      });
    } finally {
      client.close();
    }
  }
}

function shown(value: unknown): string {
  return value instanceof ReplyError ? value.message : String(value);
}
