/**
 * The masters of a Redis Cluster, and whether slots move between them.
 *
 * @module
 */

import { countOf } from "../../base/count_of.ts";
import { formatAddress, parseAddress } from "../../base/address.ts";
import { CLUSTER_SLOT_COUNT } from "../../hash/crc16.ts";
import type { TlsToServers } from "../../io/tls.ts";
import { replyText } from "../../redis/reply.ts";
import { SourceRefusedError } from "./replica_link.ts";
import type { SourceServer } from "./source_address.ts";
import { SourceControl } from "./source_control.ts";

/** See the header. */
export interface ClusterNodes {
  /** Masters that have slots, by `redis://host:port`, with the login of the node that was asked. */
  readonly masters: ReadonlyMap<string, SourceServer>;
  /** Who has which slots, as text: changes when a slot has moved. */
  readonly layout: string;
  /** A slot that is being moved, as CLUSTER NODES says it; undefined: none is. */
  readonly moving: string | undefined;
}

/**
 * Asks a node.
 *
 * @throws {SourceRefusedError} When it is in no cluster, or a slot has no owner.
 */
export async function readCluster(
  server: SourceServer,
  tls: TlsToServers | undefined,
): Promise<ClusterNodes> {
  const control = new SourceControl(server, tls);
  try {
    return parseNodes(replyText(await control.call("CLUSTER", "NODES")), server);
  } finally {
    control.close();
  }
}

/** Reads the reply of CLUSTER NODES, of a node that was asked at `server`. */
export function parseNodes(text: string, server: SourceServer): ClusterNodes {
  const masters = new Map<string, SourceServer>();
  const layout: string[] = [];
  let [moving, covered]: [string | undefined, number] = [undefined, 0];
  for (const line of text.split("\n")) {
    const [, place = "", flags = "", , , , , , ...slots] = line.trim().split(" ");
    if (!flags.split(",").includes("master") || slots.length === 0) continue;
    const ranges = slots.filter((slot) => !slot.startsWith("["));
    moving ??= slots.find((slot) => slot.startsWith("["));
    if (ranges.length === 0) continue;
    for (const range of ranges) {
      const [first, last = first] = range.split("-").map(Number);
      covered += last! - first! + 1;
    }
    const host = place.replace(/@.*$/, "");
    // A node that knows no address of its own is the one that was asked.
    const address = host.startsWith(":")
      ? { ...server.address, port: Number(host.slice(1)) }
      : parseAddress(host);
    masters.set(`redis://${formatAddress(address)}`, { ...server, address });
    layout.push(`${ranges.join(" ")} at ${formatAddress(address)}`);
  }
  if (covered !== CLUSTER_SLOT_COUNT) {
    throw new SourceRefusedError(
      `${formatAddress(server.address)}: no master for ${
        countOf(CLUSTER_SLOT_COUNT - covered, "slot")
      } of the cluster`,
    );
  }
  return { masters: new Map([...masters].sort()), layout: layout.sort().join("; "), moving };
}
