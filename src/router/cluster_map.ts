/**
 * The proxies of a product as the nodes of a Redis Cluster, for clients that speak to one (`cluster_mode`).
 * Every node serves every slot: who is said to have one only says where clients send their requests.
 *
 * @module
 */

import { CLUSTER_SLOT_COUNT } from "../hash/crc16.ts";

/** A proxy. */
export interface ClusterNode {
  /** 40 hexadecimal digits. */
  readonly id: string;
  readonly host: string;
  readonly port: number;
  /** Where it speaks TLS; 0: nowhere. */
  readonly tlsPort: number;
}

/** The proxies as the coordinator says. */
export interface ClusterMap {
  /** Those that serve, in an order that is the same for all of them. */
  readonly nodes: readonly ClusterNode[];
  /** The proxy that answers; it may not be among them. */
  readonly own: ClusterNode;
  /** When the proxy that answers began to let its clients go, in Unix milliseconds; left out: it does not. */
  readonly leftAt?: number;
}

/** A node and its part of the slots, both ends included; `first` > `last`: it has none. */
export interface DealtNode {
  readonly node: ClusterNode;
  readonly first: number;
  readonly last: number;
}

const NOBODY: ClusterNode = { id: "0".repeat(40), host: "", port: 0, tlsPort: 0 };

/** What is known before the coordinator was read. */
export const NO_NODES: ClusterMap = { nodes: [], own: NOBODY };

/** Deals all slots out, as evenly as can be, by the order of the nodes alone. */
export function dealSlots(nodes: readonly ClusterNode[]): DealtNode[] {
  const begin = (i: number) => Math.floor(i * CLUSTER_SLOT_COUNT / nodes.length);
  return nodes.map((node, i) => ({ node, first: begin(i), last: begin(i + 1) - 1 }));
}
