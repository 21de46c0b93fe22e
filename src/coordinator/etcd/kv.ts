/**
 * etcd's key-value calls: ranges, transactions, and reads of single keys. Reads that are asked for in
 * one turn of the event loop go out as one transaction, so that 1024 slots are a dozen calls.
 *
 * @module
 */

import type { EtcdClient } from "./client.ts";
import type { EtcdRange, EtcdRangeAnswer, EtcdTxnAnswer } from "./keys.ts";
import type { Txn } from "./txn.ts";

/** Most reads of one transaction; etcd takes 128 operations. */
const READS_MAX = 100;

interface Waiter {
  readonly range: EtcdRange;
  readonly deadlineMs: number;
  resolve(answer: EtcdRangeAnswer): void;
  reject(error: unknown): void;
}

/** See the header. */
export class EtcdKv {
  readonly #client: EtcdClient;
  #waiters: Waiter[] = [];

  /** Calls through `client`; nothing is called yet. */
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

  /**
   * Reads a range of keys now.
   *
   * @throws {EtcdError} As {@linkcode EtcdKv.read}.
   */
  async range(range: EtcdRange, deadlineMs: number): Promise<EtcdRangeAnswer> {
    return await this.#client.call<EtcdRangeAnswer>("/v3/kv/range", range, deadlineMs, true);
  }

  /**
   * Makes a transaction.
   *
   * @param isRepeatable Whether doing it twice is as good as once.
   * @throws {EtcdError} As {@linkcode EtcdKv.read}.
   */
  async txn(txn: Txn, deadlineMs: number, isRepeatable = false): Promise<EtcdTxnAnswer> {
    return await this.#client.call<EtcdTxnAnswer>("/v3/kv/txn", txn, deadlineMs, isRepeatable);
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
      const answer = await this.txn({ compare: [], success }, deadlineMs, true);
      const { header } = answer;
      waiters.forEach(({ resolve }, i) => {
        resolve({ ...answer.responses?.[i]?.response_range, header });
      });
    } catch (error) {
      for (const { reject } of waiters) reject(error);
    }
  }
}
