/**
 * The lists in which clients of a product look for its proxies, and this one in them: the map of a Redis Cluster
 * (`cluster_mode`), and the entry that Jodis clients read (`jodis_addr`).
 *
 *     serves: both ─┬─► set offline: no entry for Jodis, until it is online again
 *                   ├─► lets its clients go: neither
 *                   └─► a new process takes over: an entry of each, until the old one ends
 *
 * A proxy that has lost its coordinator, and serves on, stays in both.
 *
 * @module
 */

import { inTime } from "../../base/sleep.ts";
import type { Config } from "../../config/config.ts";
import { openJodis } from "../../coordinator/open.ts";
import type { ProxyRecord } from "../../model/proxy.ts";
import type { ClusterMap } from "../../router/cluster_map.ts";
import type { Store } from "../../store/store.ts";
import { ClusterFollower } from "./cluster_nodes.ts";
import { JodisEntry, jodisEntryOf } from "./jodis_entry.ts";

/** How long a process that ends waits until clients can know of it, in milliseconds. */
const TOLD_MS = 500;

/** What the lists need of its proxy. */
export interface ProxyListingsOptions {
  readonly config: Config;
  readonly store: Store;
  /** The proxy itself, as it is registered. */
  own(): ProxyRecord;
  /** The map of the cluster has changed. */
  setCluster(nodes: ClusterMap): void;
}

/** See the header. */
export class ProxyListings {
  readonly #cluster: ClusterFollower | undefined;
  readonly #jodis: JodisEntry | undefined;
  #isLeaving = false;
  #shown: Promise<void> = Promise.resolve();

  /** Follows the other proxies from now on, if the map is asked for. */
  constructor({ config, store, own, setCluster }: ProxyListingsOptions) {
    const { product, clusterMode, jodisServers, jodisCompatible } = config;
    if (clusterMode) {
      this.#cluster = new ClusterFollower({ store, product, own, changed: setCluster });
    }
    if (jodisServers.length > 0) {
      const token = crypto.randomUUID().replaceAll("-", "");
      this.#jodis = new JodisEntry({
        open: (signal, gone) => openJodis(config, signal, gone),
        text: () => jodisEntryOf(product, own(), token, jodisCompatible),
      });
    }
  }

  /** Clients are served, for the first time or again. */
  serving(): void {
    if (!this.#isLeaving) this.#shown = this.#jodis?.show() ?? this.#shown;
  }

  /** Resolves when the proxy is in all lists, or cannot be soon. */
  get listed(): Promise<void> {
    return inTime(this.#shown, TOLD_MS);
  }

  /** Somebody has set the proxy offline. */
  offline(): void {
    this.#jodis?.hide();
  }

  /** No new clients are wanted; resolves when those who ask are told so, or cannot be soon. */
  async leave(): Promise<void> {
    this.#isLeaving = true;
    const told = [this.#cluster?.leave(), this.#jodis?.hide()].filter((each) => each !== undefined);
    await Promise.all(told.map((each) => inTime(each, TOLD_MS)));
  }

  /** Follows nothing any more, and is in no list. */
  async stop(): Promise<void> {
    this.#isLeaving = true;
    this.#cluster?.stop();
    await this.#jodis?.stop();
  }
}
