/**
 * Reads of single keys: those asked for in one turn of the event loop go out as one transaction, so
 * that 1024 slots are a dozen calls.
 *
 * @module
 */

import type { EtcdClient } from "./client.ts";
import type { EtcdRange, EtcdRangeAnswer, EtcdTxnAnswer } from "./keys.ts";

/** Most reads of one transaction; etcd takes 128 operations. */
const READS_MAX = 100;

interface Waiter {
  readonly range: EtcdRange;
  readonly deadlineMs: number;
  resolve(answer: EtcdRangeAnswer): void;
  reject(error: unknown): void;
}

/** See the header. */
export class EtcdReads {
  readonly #client: EtcdClient;
  #waiters: Waiter[] = [];

  /** Reads nothing yet. */
  constructor(client: EtcdClient) {
    this.#client = client;
  }

  /**
   * Reads one key.
   *
   * @throws {EtcdError} When that fails, at the latest at `deadlineMs` of the monotonic clock.
   */
  read(range: EtcdRange, deadlineMs: number): Promise<EtcdRangeAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#waiters.length === 0) queueMicrotask(() => this.#send());
      this.#waiters.push({ range, deadlineMs, resolve, reject });
    });
  }

  #send(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (let from = 0; from < waiters.length; from += READS_MAX) {
      this.#sendSome(waiters.slice(from, from + READS_MAX));
    }
  }

  async #sendSome(waiters: readonly Waiter[]): Promise<void> {
    const deadlineMs = Math.min(...waiters.map((waiter) => waiter.deadlineMs));
    const success = waiters.map(({ range }) => ({ request_range: range }));
    try {
      const body = { compare: [], success };
      const answer = await this.#client.call<EtcdTxnAnswer>("/v3/kv/txn", body, deadlineMs, true);
      const { header } = answer;
      waiters.forEach(({ resolve }, i) => {
        resolve({ ...answer.responses?.[i]?.response_range, header });
      });
    } catch (error) {
      for (const { reject } of waiters) reject(error);
    }
  }
}
