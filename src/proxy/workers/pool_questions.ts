/**
 * What the process asks all workers of a pool; one that does not answer in time is left out.
 *
 * @module
 */

import type { HotKeysReading } from "../../router/hot_keys/hot_keys.ts";
import {
  type ClientSearch,
  type FoundClients,
  mergeFoundClients,
} from "../../router/local/client_search.ts";
import type { SlowLogOrder, SlowLogReading } from "../../router/slow_log/slow_log.ts";
import { askEachWorker, type PoolWorker } from "./worker_peers.ts";

/** The questions of a data plane that every worker answers for itself; see `data_plane.ts`. */
export class PoolQuestions {
  readonly #asked: readonly PoolWorker[];

  /** @param asked All workers, running or not. */
  constructor(asked: readonly PoolWorker[]) {
    this.#asked = asked;
  }

  /** As the worker sees a server that has heard from it last; one that does not answer counts for nothing. */
  async silentMs(addr: string, breakMs: number): Promise<number> {
    const all = await askEachWorker(this.#asked, (calls) => calls.call("silentMs", addr, breakMs));
    const used = all.filter((ms) => ms >= 0);
    return used.length === 0 ? -1 : Math.min(...used);
  }

  /** How many replicas a master has heard from; -1 when no worker gets an answer of it. */
  async heardReplicas(addr: string): Promise<number> {
    const heard = await askEachWorker(this.#asked, (calls) => calls.call("heardReplicas", addr));
    return Math.max(-1, ...heard);
  }

  /** Tells the slow logs something; resolves with what each of them had before. */
  slowLog(order: SlowLogOrder): Promise<readonly SlowLogReading[]> {
    return askEachWorker(this.#asked, (calls) => calls.call("slowLog", order));
  }

  /** Searches the clients. */
  async searchClients(search: ClientSearch): Promise<FoundClients> {
    const all = await askEachWorker(this.#asked, (calls) => calls.call("searchClients", search));
    return mergeFoundClients(all, search);
  }

  /** What each worker knows of hot and big keys. */
  hotKeys(): Promise<readonly HotKeysReading[]> {
    return askEachWorker(this.#asked, (calls) => calls.call("hotKeys", ""));
  }
}
