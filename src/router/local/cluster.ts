/**
 * CLUSTER with `cluster_mode = on`: the proxies that are online are the nodes, and every one of them serves every
 * slot. The texts are those of redis-server 7.0.15.
 *
 * @module
 */

import { clusterSlotOf } from "../../hash/crc16.ts";
import { asSent, Encoder, errorReply, utf8 } from "../../resp/encoder.ts";
import type { Client } from "../client/client.ts";
import { type ClusterNode, dealSlots, type DealtNode } from "../cluster_map.ts";
import { argumentText, help, type LocalAnswer, type LocalCall } from "./local_call.ts";

/** Redis's distance between a node's port and that of its bus; we have none, clients want to read one. */
const BUS_PORT = 10_000;

const OK = utf8("+OK\r\n");
const MOVED_HEAD = utf8(">3\r\n$9\r\nSMIGRATED\r\n");

/** Answers by name. */
export const CLUSTER_COMMANDS: Readonly<Record<string, LocalAnswer>> = {
  asking: () => OK,
  "cluster|count-failure-reports": (call) => ofNode(call, (out) => out.integer(0)),
  "cluster|help": () => help(HELP),
  "cluster|info": ({ client }) => new Encoder(client.protocol).verbatim(infoText(client)).done(),
  "cluster|keyslot": ({ client, args }) =>
    new Encoder(client.protocol)
      .integer(clusterSlotOf(args.bytes, args.start(2), args.end(2))).done(),
  // Proxies have no links to each other.
  "cluster|links": ({ client }) => new Encoder(client.protocol).array(0).done(),
  "cluster|myid": ownId,
  // Of Redis 7.2. A proxy is the only node of its shard.
  "cluster|myshardid": ownId,
  "cluster|nodes": ({ client }) => new Encoder(client.protocol).verbatim(nodesText(client)).done(),
  // A proxy is nobody's replica.
  "cluster|replicas": (call) => ofNode(call, (out) => out.array(0)),
  "cluster|slaves": (call) => ofNode(call, (out) => out.array(0)),
  "cluster|shards": shards,
  "cluster|slots": slots,
};

function nodesOf({ shared }: Client): DealtNode[] {
  const { nodes, own } = shared.cluster;
  const dealt = dealSlots(nodes);
  // It serves its clients although it is not, or no longer, one of those that new clients are sent to.
  const isThere = nodes.some(({ id }) => id === own.id);
  return isThere ? dealt : [...dealt, { node: own, first: 0, last: -1 }];
}

/** The port that a client can use: with TLS as it does itself, if there is such a port. */
function portFor({ isTls }: Client, { port, tlsPort }: ClusterNode): number {
  return isTls && tlsPort > 0 ? tlsPort : port;
}

/** Answers for a node that the client names. */
function ofNode({ client, args }: LocalCall, write: (out: Encoder) => Encoder): Uint8Array {
  const id = argumentText(args, 2);
  const isKnown = nodesOf(client).some(({ node }) => node.id === id);
  if (!isKnown) {
    return errorReply(`ERR Unknown node ${asSent(args.bytes, args.start(2), args.end(2))}`);
  }
  return write(new Encoder(client.protocol)).done();
}

function ownId({ client }: LocalCall): Uint8Array {
  return new Encoder(client.protocol).bulk(client.shared.cluster.own.id).done();
}

function slots({ client }: LocalCall): Uint8Array {
  const dealt = nodesOf(client).filter(({ first, last }) => first <= last);
  const out = new Encoder(client.protocol).array(dealt.length);
  for (const { node, first, last } of dealt) {
    out.array(3).integer(first).integer(last);
    out.array(4).bulk(node.host).integer(portFor(client, node)).bulk(node.id).map(0);
  }
  return out.done();
}

/**
 * The push of Redis Enterprise that says who has slots from now on, to a client that has asked for it: what it has
 * sent is still answered, what comes next goes there.
 */
export function slotsMoved(client: Client, seq: number): Uint8Array {
  const addressOf = (node: ClusterNode) => `${node.host}:${portFor(client, node)}`;
  const { nodes, own } = client.shared.cluster;
  const dealt = dealSlots(nodes).filter(({ first, last }) => first <= last);
  const out = new Encoder(3).raw(MOVED_HEAD).integer(seq).array(dealt.length);
  // Of all slots, whoever had them: the client's map may be an old one.
  for (const { node, first, last } of dealt) {
    out.array(3).bulk(addressOf(own)).bulk(addressOf(node)).bulk(`${first}-${last}`);
  }
  return out.done();
}

function shards({ client }: LocalCall): Uint8Array {
  const dealt = nodesOf(client);
  const out = new Encoder(client.protocol).array(dealt.length);
  for (const { node: { id, host, port, tlsPort }, first, last } of dealt) {
    out.map(2).bulk("slots");
    if (first <= last) out.array(2).integer(first).integer(last);
    else out.array(0);
    const hasPlain = port !== tlsPort;
    out.bulk("nodes").array(1).map(6 + Number(hasPlain) + Number(tlsPort > 0)).bulk("id").bulk(id);
    if (hasPlain) out.bulk("port").integer(port);
    if (tlsPort > 0) out.bulk("tls-port").integer(tlsPort);
    out.bulk("ip").bulk(host).bulk("endpoint").bulk(host).bulk("role").bulk("master");
    out.bulk("replication-offset").integer(0).bulk("health").bulk("online");
  }
  return out.done();
}

function nodesText(client: Client): string {
  const own = client.shared.cluster.own.id;
  return nodesOf(client).map(({ node, first, last }, i) => {
    const port = portFor(client, node);
    const flags = node.id === own ? "myself,master" : "master";
    const range = first < last ? ` ${first}-${last}` : first === last ? ` ${first}` : "";
    return `${node.id} ${node.host}:${port}@${port + BUS_PORT} ${flags} - 0 0 ${
      i + 1
    } connected${range}\n`;
  }).join("");
}

function infoText(client: Client): string {
  const dealt = nodesOf(client);
  const { own, nodes } = client.shared.cluster;
  const assigned = dealt.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const values = {
    cluster_state: assigned > 0 ? "ok" : "fail",
    cluster_slots_assigned: assigned,
    cluster_slots_ok: assigned,
    cluster_slots_pfail: 0,
    cluster_slots_fail: 0,
    cluster_known_nodes: dealt.length,
    cluster_size: nodes.length,
    cluster_current_epoch: dealt.length,
    cluster_my_epoch: dealt.findIndex(({ node }) => node.id === own.id) + 1,
    cluster_stats_messages_sent: 0,
    cluster_stats_messages_received: 0,
    total_cluster_links_buffer_limit_exceeded: 0,
  };
  return Object.entries(values).map(([name, value]) => `${name}:${value}\r\n`).join("");
}

/** CLUSTER HELP of redis-server 7.0.15. */
const HELP: readonly string[] = `\
CLUSTER <subcommand> [<arg> [value] [opt] ...]. Subcommands are:
ADDSLOTS <slot> [<slot> ...]
    Assign slots to current node.
ADDSLOTSRANGE <start slot> <end slot> [<start slot> <end slot> ...]
    Assign slots which are between <start-slot> and <end-slot> to current node.
BUMPEPOCH
    Advance the cluster config epoch.
COUNT-FAILURE-REPORTS <node-id>
    Return number of failure reports for <node-id>.
COUNTKEYSINSLOT <slot>
    Return the number of keys in <slot>.
DELSLOTS <slot> [<slot> ...]
    Delete slots information from current node.
DELSLOTSRANGE <start slot> <end slot> [<start slot> <end slot> ...]
    Delete slots information which are between <start-slot> and <end-slot> from current node.
FAILOVER [FORCE|TAKEOVER]
    Promote current replica node to being a master.
FORGET <node-id>
    Remove a node from the cluster.
GETKEYSINSLOT <slot> <count>
    Return key names stored by current node in a slot.
FLUSHSLOTS
    Delete current node own slots information.
INFO
    Return information about the cluster.
KEYSLOT <key>
    Return the hash slot for <key>.
MEET <ip> <port> [<bus-port>]
    Connect nodes into a working cluster.
MYID
    Return the node id.
NODES
    Return cluster configuration seen by node. Output format:
    <id> <ip:port> <flags> <master> <pings> <pongs> <epoch> <link> <slot> ...
REPLICATE <node-id>
    Configure current node as replica to <node-id>.
RESET [HARD|SOFT]
    Reset current node (default: soft).
SET-CONFIG-EPOCH <epoch>
    Set config epoch of current node.
SETSLOT <slot> (IMPORTING <node-id>|MIGRATING <node-id>|STABLE|NODE <node-id>)
    Set slot state.
REPLICAS <node-id>
    Return <node-id> replicas.
SAVECONFIG
    Force saving cluster configuration on disk.
SLOTS
    Return information about slots range mappings. Each range is made of:
    start, end, master and replicas IP addresses, ports and ids
SHARDS
    Return information about slot range mappings and the nodes associated with them.
LINKS
    Return information about all network links between this node and its peers.
    Output format is an array where each array element is a map containing attributes of a link
HELP
    Prints this help.`.split("\n");
