/**
 * How many descriptors the process has, and what they are kept for: every client takes one, and what
 * clients need so that they can be served must not be short of them.
 *
 *     free = clients + workers × (own + servers) + HTTP + coordinator, log, … + clients' handles
 *
 * The system's limit (`ulimit -n`) can only be read with permissions that should not be given. So it is
 * counted once, at the start, what can be opened.
 *
 * @module
 */

import { COUNTED_MAX } from "../base/free_descriptors.ts";

/** Most connections of the HTTP side. */
const HTTP_CONNECTIONS_MAX = 128;
/** Fewest connections of the HTTP side, however few descriptors there are. */
const HTTP_CONNECTIONS_MIN = 4;
/** The HTTP side has at most one in so many descriptors as connections. */
const HTTP_SHARE = 16;
/** Descriptors of one HTTP connection that is answered: its own, and three of its `Deno.serve`. */
export const HTTP_CONNECTION_DESCRIPTORS = 4;
/** Descriptors of the event loop and the socket of a worker. */
const WORKER_DESCRIPTORS = 10;
/** Descriptors without which the runtime cannot start a worker: it ends the process then. */
const WORKER_LEAST = 8;
/** Connections of a worker to one server: RESP2 and RESP3, a second database, one that is replaced. */
const SERVER_CONNECTIONS = 4;
/** Descriptors of each: its own, and that of its handle (`handled_conn.ts`). */
const SERVER_CONNECTION_DESCRIPTORS = 2;
/** Servers that are counted on where fewer are known. */
const SERVERS_MIN = 16;
/** Servers that must be reached where there are hardly any descriptors. */
const SERVERS_LEAST = 8;
/** Descriptors for the coordinator, the log, the dashboard's questions, and what comes unexpected. */
const OTHER_DESCRIPTORS = 48;
/** The same where there are hardly any: files that are written anew, a connection that is being accepted. */
const OTHER_LEAST = 3;
/** Both ends of a question that a dashboard inside asks its own proxy. */
const OWN_QUESTION = 1 + HTTP_CONNECTION_DESCRIPTORS;

/** What needs descriptors. */
export interface DescriptorNeeds {
  /** Clients that are wanted. */
  readonly clients: number;
  readonly workers: number;
  /** Redis servers that are known. */
  readonly servers: number;
}

/** What descriptors are used for. */
export interface DescriptorPlan {
  /** Clients that may be connected at one time. */
  readonly clients: number;
  /** HTTP connections that may be open at one time. */
  readonly httpConnections: number;
  /** Descriptors that are kept for everything but clients. */
  readonly kept: number;
  /** Clients of each worker that may have a second descriptor, of those that are left. */
  readonly handles: number;
  /** Whether connections to servers may have a second descriptor. */
  readonly serverHandles: boolean;
  /** Whether those are enough for a start, when clients take all others before it is done. */
  readonly coversStart: boolean;
}

/** Descriptors that must be counted, so that {@linkcode planDescriptors} lowers nothing. */
export function descriptorsWanted({ clients, workers, servers }: DescriptorNeeds): number {
  return clients + keptFor(HTTP_CONNECTIONS_MAX, workers, servers);
}

/** Descriptors that are worth counting: for all clients to have a second one, too, as far as it is counted. */
export function descriptorsUsed(needs: DescriptorNeeds): number {
  const wanted = descriptorsWanted(needs);
  return Math.max(wanted, Math.min(wanted + needs.clients, COUNTED_MAX));
}

/**
 * Decides what `free` descriptors are used for. Where there are too few, half are the clients'; less where the other
 * half would not do for a connection to each server, but a quarter at least unless even {@linkcode leastToServe} are
 * lacking.
 *
 * @param free How many can be opened, none of the needs among what is open already.
 */
export function planDescriptors(free: number, needs: DescriptorNeeds): DescriptorPlan {
  const httpConnections = httpConnectionsOf(free);
  const needed = keptFor(httpConnections, needs.workers, needs.servers);
  const least = Math.max(
    leastToServe(needs) - 1,
    Math.min(leastKept(needs), Math.floor(free * 3 / 4)),
  );
  const kept = Math.max(0, Math.min(needed, free - 1, Math.max(Math.floor(free / 2), least)));
  const clients = Math.max(1, Math.min(needs.clients, free - kept));
  const handles = Math.floor(Math.max(0, free - clients - needed) / needs.workers);
  const coversStart = kept >= neededToStart(httpConnections, needs);
  const serverHandles = kept === needed;
  return { clients, httpConnections, kept, handles, serverHandles, coversStart };
}

/**
 * Descriptors without which a proxy that is started serves nobody: for one client, connections to a few servers, a
 * question of its own dashboard, and one about its health.
 */
export function leastToServe(needs: DescriptorNeeds): number {
  return leastKept({ ...needs, servers: Math.min(needs.servers, SERVERS_LEAST) }) + 1;
}

/** Descriptors without which several workers cannot be started. */
export function leastToStartWorkers({ workers }: DescriptorNeeds): number {
  return workers * WORKER_LEAST;
}

/** HTTP connections that a process with so many free descriptors may have at one time. */
export function httpConnectionsOf(free: number): number {
  const share = Math.floor(free / HTTP_SHARE);
  return Math.max(HTTP_CONNECTIONS_MIN, Math.min(HTTP_CONNECTIONS_MAX, share));
}

/** What is opened until clients are served: each server is asked once who it is. */
function neededToStart(httpConnections: number, { workers, servers }: DescriptorNeeds): number {
  return OTHER_DESCRIPTORS + workers * WORKER_DESCRIPTORS + servers +
    HTTP_CONNECTION_DESCRIPTORS * httpConnections;
}

/** What clients cannot be served without: a dashboard inside asks its own proxy and all servers, too. */
function leastKept({ workers, servers }: DescriptorNeeds): number {
  return OTHER_LEAST + OWN_QUESTION + HTTP_CONNECTION_DESCRIPTORS +
    (workers + 1) * Math.max(1, servers);
}

function keptFor(httpConnections: number, workers: number, servers: number): number {
  const server = SERVER_CONNECTIONS * SERVER_CONNECTION_DESCRIPTORS;
  const worker = WORKER_DESCRIPTORS + server * Math.max(SERVERS_MIN, servers);
  return OTHER_DESCRIPTORS + workers * worker + HTTP_CONNECTION_DESCRIPTORS * httpConnections;
}
