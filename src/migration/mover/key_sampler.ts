/**
 * Samples of a server's keys, by whose sizes those of all are guessed. Before a round of moves two things are asked of
 * one: whether big keys may hide, and how large keys are.
 *
 * @module
 */

import type { RedisConnection } from "../../redis/connection.ts";
import { databasesIn, readInfo } from "../../redis/info.ts";
import type { KeySample } from "./big_key_hint.ts";
import type { FoundKeys, SlotKey } from "./server_keys.ts";

/** Keys of a sample. */
const SAMPLE_KEYS = 1_000;
/** How long a sample says how the keys are, in milliseconds. */
const FRESH_MS = 10_000;

/** How the keys of a server are found and measured. */
export interface SampledServer {
  /** All its keys; read as far as it is needed. */
  scan(): AsyncGenerator<FoundKeys>;
  /** The sizes of keys, in bytes, of those that still exist. */
  sizesOf(database: number, keys: readonly SlotKey[]): Promise<readonly number[]>;
}

/** See the header. */
export class KeySampler {
  readonly #redis: RedisConnection;
  readonly #server: SampledServer;
  /** The newest one, until it is used again; undefined as a sample: there are several databases. */
  #last: { readonly sample: KeySample | undefined; readonly atMs: number } | undefined;

  /** Asks nothing yet. Borrows the connection. */
  constructor(redis: RedisConnection, server: SampledServer) {
    this.#redis = redis;
    this.#server = server;
  }

  /**
   * Takes a sample.
   *
   * @returns Undefined when there are several databases: their keys need not be alike.
   * @throws {RedisUnreachableError | RedisError}
   */
  async take(): Promise<KeySample | undefined> {
    const sample = await this.#take();
    this.#last = { sample, atMs: performance.now() };
    return sample;
  }

  /** The sample that was taken just now, if nobody has had it from here; else takes one, as {@linkcode take}. */
  async takeOrUseLast(): Promise<KeySample | undefined> {
    const last = this.#last;
    this.#last = undefined;
    const isFresh = last !== undefined && performance.now() - last.atMs < FRESH_MS;
    return isFresh ? last.sample : await this.#take();
  }

  async #take(): Promise<KeySample | undefined> {
    const databases = databasesIn(await readInfo(this.#redis, "keyspace"));
    if (databases.length > 1) return undefined;
    const { used_memory_dataset } = await readInfo(this.#redis, "memory");
    const sample = { keys: databases[0]?.keys ?? 0, datasetBytes: Number(used_memory_dataset) };
    for await (const { database, keys } of this.#server.scan()) {
      const sizes = await this.#server.sizesOf(database, keys.slice(0, SAMPLE_KEYS));
      return { ...sample, sizes };
    }
    return { ...sample, sizes: [] };
  }
}
