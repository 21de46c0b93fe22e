/**
 * An entry in etcd's keys of version 2 that goes when its process does: Codis 3.2's way, a key with a time to live
 * that is prolonged.
 *
 *     put ──► PUT with ttl ──► refresh, every half of it ──► not there any more ──► gone
 *     delete ──► DELETE        close ──► DELETE, if there is one
 *
 * @module
 */

import { logger } from "../../base/log.ts";
import { inTime, sleep } from "../../base/sleep.ts";
import type { EphemeralPlace } from "../ephemeral_place.ts";
import { CoordinatorError } from "../errors.ts";
import { callEtcd2, type Etcd2Options, openEtcd2 } from "./etcd2_call.ts";

/** How long the end of an entry may take when its process ends, in milliseconds. */
const CLOSE_MS = 1_000;
/** Between two tries to prolong it, at most; milliseconds. */
const AGAIN_MS = 1_000;

const log = logger("coordinator");

/** See the header. */
export class Etcd2Entry implements EphemeralPlace {
  readonly #options: Etcd2Options;
  readonly #ttlMs: number;
  readonly #http: Deno.HttpClient;
  readonly #gone: () => void;
  #path = "";
  #stopping = new AbortController();

  /** Asks nothing yet; `gone` is called when the entry has gone by itself. */
  constructor(options: Etcd2Options, ttlMs: number, gone: () => void) {
    this.#options = options;
    this.#ttlMs = ttlMs;
    this.#http = openEtcd2(options);
    this.#gone = gone;
  }

  async put(path: string, data: string): Promise<void> {
    this.#stopping.abort();
    const made = await this.#set(path, { value: data });
    if (!made) {
      throw new CoordinatorError(path, `etcd does not serve keys of version 2, for "${path}"`);
    }
    this.#path = path;
    this.#stopping = new AbortController();
    this.#keep(path, this.#stopping.signal);
  }

  async delete(path: string): Promise<void> {
    this.#stopping.abort();
    await callEtcd2(this.#options, this.#http, { method: "DELETE", path, fields: {} });
    this.#path = "";
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    if (this.#path !== "") await inTime(this.delete(this.#path), CLOSE_MS);
    this.#http.close();
  }

  async #set(path: string, fields: Readonly<Record<string, string>>): Promise<boolean> {
    const ttl = `${Math.ceil(this.#ttlMs / 1000)}`;
    const request = { method: "PUT", path, fields: { ttl, ...fields } } as const;
    return await callEtcd2(this.#options, this.#http, request) !== undefined;
  }

  async #keep(path: string, signal: AbortSignal): Promise<void> {
    await sleep(this.#ttlMs / 2, signal);
    while (!signal.aborted) {
      let waitMs = this.#ttlMs / 2;
      try {
        const isThere = await this.#set(path, { refresh: "true", prevExist: "true", value: "" });
        if (signal.aborted) return;
        if (!isThere) return this.#gone();
      } catch (error) {
        log.warn("the entry {path} is not prolonged, trying again: {error}", { path, error });
        waitMs = Math.min(AGAIN_MS, waitMs);
      }
      await sleep(waitMs, signal);
    }
  }
}
