/**
 * What `INFO replication` says of a server.
 *
 * @module
 */

import { encodeRequest } from "../../resp/encoder.ts";
import { askServer } from "../backends/question.ts";
import type { Server } from "../backends/server.ts";

/** Longest time that a master may take to say which replicas it has, in milliseconds. */
const ANSWER_MS = 500;
const INFO = encodeRequest(["INFO", "replication"]);

/** See the header. */
export interface ReplicationState {
  readonly role: "master" | "slave";
  /** Name of the stream of changes, which a master and its replicas share; empty before Redis 4. */
  readonly history: string;
  /** How much of it the server has made, or executed, in bytes. */
  readonly offset: number;
  /** Of a replica: whether it is in touch with its master, and has all of its data. */
  readonly isLinked: boolean;
  /** Of a replica: the master that it follows, `host:port`. */
  readonly master: string;
  /** Of a master: the replicas that follow it at this moment, `host:port` as it sees them. */
  readonly replicas: readonly string[];
  /** Of a master: how many of those it has heard from within two seconds. */
  readonly heardReplicas: number;
}

/** Reads the reply; null when it is none that says this. */
export function readReplication(text: string): ReplicationState | null {
  const field = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, "m").exec(text)?.[1];
  const role = field("role");
  if (role !== "master" && role !== "slave") return null;
  const isReplica = role === "slave";
  const offset = Number(field(isReplica ? "slave_repl_offset" : "master_repl_offset") ?? NaN);
  if (!Number.isFinite(offset)) return null;
  const online = text.matchAll(/^slave\d+:ip=([^,]*),port=(\d+),state=online/gm);
  return {
    role,
    history: field("master_replid") ?? "",
    offset,
    isLinked: isReplica && field("master_link_status") === "up" &&
      field("master_sync_in_progress") !== "1",
    master: isReplica ? address(field("master_host") ?? "", field("master_port") ?? "") : "",
    replicas: [...online].map(([, host, port]) => address(host!, port!)),
    heardReplicas: [...text.matchAll(/^slave\d+:.*,state=online,.*\blag=[01]\r?$/gm)].length,
  };
}

/**
 * How many replicas a server has heard from within two seconds.
 *
 * @returns -1 when it is no master, or does not answer within half a second.
 */
export function heardReplicasOf(server: Server): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const timer = setTimeout(() => resolve(-1), ANSWER_MS);
  askServer(server.backend(0, 2), INFO, (text) => {
    clearTimeout(timer);
    const now = readReplication(text);
    resolve(now?.role === "master" ? now.heardReplicas : -1);
  });
  return promise;
}

function address(host: string, port: string): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
