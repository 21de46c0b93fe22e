/**
 * A load of transactions whose every answer can be checked: pairs of counters that must stay equal, and
 * counters that are counted up by WATCH.
 *
 * @module
 */

import type { RespClient } from "./resp_client.ts";
import { ReplyError, type RespValue } from "./resp_value.ts";

/** Clients that use transactions without a pause. */
export class TransactionLoad {
  /** Every answer that was not what it had to be. */
  readonly wrong: string[] = [];
  /** Errors that were answered; whether it was executed is not known. */
  readonly errors: string[] = [];
  /** Transactions that were executed, and those that a touched key has stopped. */
  executed = 0;
  touched = 0;
  /** The longest wait for one answer, in milliseconds. */
  longestMs = 0;
  readonly #tags: readonly string[];
  readonly #pairs = new Map<string, number>();
  readonly #watched = new Map<string, number>();
  #unknownWatched = 0;
  readonly #running: Promise<void>[] = [];
  #isStopped = false;

  private constructor(tags: readonly string[]) {
    this.#tags = tags;
  }

  /**
   * Starts the clients.
   *
   * @param tags The tags of the counters; each has three.
   */
  static start(
    clients: number,
    tags: readonly string[],
    connect: () => Promise<RespClient>,
  ): TransactionLoad {
    const load = new TransactionLoad(tags);
    for (let i = 0; i < clients; i++) load.#running.push(load.#run(connect));
    return load;
  }

  async #run(connect: () => Promise<RespClient>): Promise<void> {
    let client = await connect();
    while (!this.#isStopped) {
      const tag = `{${this.#tags[Math.floor(Math.random() * this.#tags.length)]}}`;
      const startedMs = performance.now();
      try {
        if (Math.random() < 0.5) await this.#countPair(client, tag);
        else await this.#countWatched(client, tag);
      } catch (error) {
        this.errors.push(String(error));
        client.close();
        client = await connect();
      }
      this.longestMs = Math.max(this.longestMs, performance.now() - startedMs);
    }
    client.close();
  }

  async #countPair(client: RespClient, tag: string): Promise<void> {
    const replies = await client.pipeline([
      ["MULTI"],
      ["INCR", `${tag}a`],
      ["INCR", `${tag}b`],
      ["MGET", `${tag}a`, `${tag}b`],
      ["EXEC"],
    ]);
    const executed = replies[4]!.value;
    if (executed instanceof ReplyError) return void this.errors.push(executed.message);
    const [a, b, both] = executed as [number, number, string[]];
    if (a !== b || both[0] !== `${a}` || both[1] !== `${a}`) {
      this.wrong.push(`${tag}: ${JSON.stringify(executed)}`);
    }
    this.executed++;
    this.#pairs.set(tag, (this.#pairs.get(tag) ?? 0) + 1);
  }

  async #countWatched(client: RespClient, tag: string): Promise<void> {
    const key = `${tag}n`;
    for (let isDone = false; !isDone && !this.#isStopped;) {
      const [watched, read] = await client.pipeline([["WATCH", key], ["GET", key]]);
      const error = [watched!.value, read!.value].find((value) => value instanceof ReplyError);
      if (error !== undefined) {
        await client.call("UNWATCH");
        return void this.errors.push((error as ReplyError).message);
      }
      const next = Number(read!.value ?? 0) + 1;
      const replies = await client.pipeline([["MULTI"], ["SET", key, next], ["EXEC"]]);
      const executed: RespValue = replies[2]!.value;
      if (executed instanceof ReplyError) {
        this.#unknownWatched++;
        return void this.errors.push(executed.message);
      }
      if (executed === null) this.touched++;
      else {
        isDone = true;
        this.executed++;
        this.#watched.set(key, (this.#watched.get(key) ?? 0) + 1);
      }
    }
  }

  /** Ends the load. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }

  /** What is wrong with the counters; nothing when no transaction was lost, doubled or half executed. */
  async faults(client: RespClient): Promise<string[]> {
    const faults = [...this.wrong];
    let more = 0;
    for (const word of this.#tags) {
      const tag = `{${word}}`;
      const [a, b, n] = (await client.call("MGET", `${tag}a`, `${tag}b`, `${tag}n`)) as (
        | string
        | null
      )[];
      const [pairs, watched] = [this.#pairs.get(tag) ?? 0, this.#watched.get(`${tag}n`) ?? 0];
      if (a !== b) faults.push(`${tag}: a is ${a}, b is ${b}`);
      const isAsCounted = this.errors.length === 0 ? Number(a) === pairs : Number(a) >= pairs;
      if (!isAsCounted) faults.push(`${tag}: a is ${a} after ${pairs} transactions`);
      if (Number(n) < watched) faults.push(`${tag}: n is ${n} after ${watched} transactions`);
      more += Number(n) - watched;
    }
    if (more > this.#unknownWatched) {
      faults.push(`${more} watched transactions too many, of ${this.#unknownWatched} unknown`);
    }
    return faults;
  }
}
