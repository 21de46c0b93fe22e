/**
 * Follows which proxies of the product are online, for the map that clients of a Redis Cluster get
 * (`cluster_mode`).
 *
 *     ids in the store ─► one watch for each ─► online, and not letting its clients go ─► the map, in all workers
 *
 * While the coordinator is away the map stays as it was. It may be old at any time: every proxy serves
 * every slot, so a client that goes by an old one is served, too, by any proxy that is there.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { parseAddress } from "../../base/address.ts";
import { logger } from "../../base/log.ts";
import { inTime } from "../../base/sleep.ts";
import type { Entry } from "../../coordinator/coordinator.ts";
import type { Watch } from "../../coordinator/watch.ts";
import { decodeProxy, type ProxyRecord } from "../../model/proxy.ts";
import type { ClusterMap, ClusterNode } from "../../router/cluster_map.ts";
import { drainProxy, watchProxy, watchProxyIds } from "../../store/proxies.ts";
import type { Store } from "../../store/store.ts";

/** How long the other proxies may take to hear that this one leaves, in milliseconds. */
const TOLD_MS = 400;

const log = logger("proxy");

/** What a follower needs of its proxy. */
export interface ClusterFollowerOptions {
  readonly store: Store;
  readonly product: string;
  /** The proxy itself, as it is registered. */
  own(): ProxyRecord;
  /** The map has changed. */
  changed(nodes: ClusterMap): void;
}

/** A proxy, by its id. */
interface FollowedProxy {
  readonly watch: Watch<Entry | undefined>;
  /** What was last read of it, as a node; undefined: it is not one to send clients to. */
  node: ClusterNode | undefined;
}

/** See the header. */
export class ClusterFollower {
  readonly #options: ClusterFollowerOptions;
  readonly #proxies = new Map<string, FollowedProxy>();
  readonly #ids: Watch<readonly string[]>;
  #isLeaving = false;
  #told = "";
  #map: ClusterMap | undefined;

  /** Follows until the coordinator is closed, or {@linkcode ClusterFollower.stop}. */
  constructor(options: ClusterFollowerOptions) {
    this.#options = options;
    this.#ids = watchProxyIds(options.store);
    this.#tell();
    this.#followIds().catch((error) => log.error("proxies are not followed: {error}", { error }));
  }

  /** Says to all proxies that this one lets its clients go: no new ones are sent here. */
  async leave(): Promise<void> {
    const { store, own, changed } = this.#options;
    this.#isLeaving = true;
    this.#tell();
    // The others do not name this proxy any more when clients are sent to them.
    await inTime(drainProxy(store, own()), TOLD_MS);
    if (this.#map !== undefined) changed(this.#map = { ...this.#map, leftAt: Date.now() });
  }

  /** Follows no more. */
  stop(): void {
    this.#ids.close();
    for (const { watch } of this.#proxies.values()) watch.close();
  }

  async #followIds(): Promise<void> {
    for await (const ids of this.#ids) {
      for (const [id, { watch }] of this.#proxies) {
        if (ids.includes(id)) continue;
        watch.close();
        this.#proxies.delete(id);
      }
      for (const id of ids) {
        if (this.#proxies.has(id)) continue;
        this.#follow(id).catch((error) =>
          log.error("proxy {id} is not followed: {error}", { id, error })
        );
      }
      this.#tell();
    }
  }

  async #follow(id: string): Promise<void> {
    const { store, product } = this.#options;
    const proxy: FollowedProxy = { watch: watchProxy(store, id), node: undefined };
    this.#proxies.set(id, proxy);
    for await (const entry of proxy.watch) {
      try {
        proxy.node = entry && servingNode(product, decodeProxy(entry.data));
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        log.error("proxy {id} stays as it was in the map of the cluster: {error}", { id, error });
      }
      this.#tell();
    }
  }

  /** Tells the map, if it is another one. */
  #tell(): void {
    const { product, own, changed } = this.#options;
    const ownRecord = own();
    const ownNode = nodeOf(product, ownRecord);
    const nodes = [...this.#proxies].sort(([a], [b]) => a < b ? -1 : 1).flatMap(([id, { node }]) =>
      node === undefined || (this.#isLeaving && id === ownRecord.id) ? [] : [node]
    );
    // Nobody is there for a moment when the coordinator has forgotten all sessions: who serves goes on.
    if (nodes.length === 0) {
      if (this.#told !== "") return;
      nodes.push(ownNode);
    }
    const map = { nodes, own: ownNode };
    const told = JSON.stringify(map);
    if (told === this.#told) return;
    this.#told = told;
    changed(this.#map = map);
  }
}

/** A proxy to which clients may be sent; else undefined. */
function servingNode(product: string, record: ProxyRecord): ClusterNode | undefined {
  const isServing = record.state === "online" && record.draining !== true;
  return isServing ? nodeOf(product, record) : undefined;
}

/** A proxy as a node: of the same product and id, it is always the same one. */
export function nodeOf(product: string, { id, addr, tls_addr }: ProxyRecord): ClusterNode {
  const { hostname: host, port } = parseAddress(addr);
  const tlsPort = tls_addr === undefined ? 0 : parseAddress(tls_addr).port;
  const digits = createHash("sha1").update(JSON.stringify([product, id])).digest("hex");
  return { id: digits, host, port, tlsPort };
}
