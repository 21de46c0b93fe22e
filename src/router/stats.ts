/**
 * Counters of the data plane: per command in flat arrays, and process totals.
 *
 * @module
 */

/** Histogram buckets; bucket k holds requests of at most 2^k microseconds, the last one the rest. */
export const LATENCY_BUCKETS = 25;

/** Per-command counters, indexed by the command's id. */
export class CommandStats {
  /** Requests answered, error replies included; not those the proxy failed itself. */
  readonly calls: Float64Array;
  /** Answers that were errors. */
  readonly errors: Float64Array;
  /** Requests the proxy failed itself: no backend, lost connection, deadline. */
  readonly failures: Float64Array;
  /** Time between request and answer, summed, in microseconds. */
  readonly usecs: Float64Array;
  readonly #buckets: Float64Array;

  constructor(commands: number) {
    this.calls = new Float64Array(commands);
    this.errors = new Float64Array(commands);
    this.failures = new Float64Array(commands);
    this.usecs = new Float64Array(commands);
    this.#buckets = new Float64Array(commands * LATENCY_BUCKETS);
  }

  /** Counts one answered request. */
  answered(id: number, elapsedMs: number, isError: boolean): void {
    const usecs = elapsedMs * 1000;
    this.calls[id]!++;
    this.usecs[id]! += usecs;
    if (isError) this.errors[id]!++;
    const bucket = usecs < 1 ? 0 : 32 - Math.clz32(Math.min(usecs, 2 ** 30));
    this.#buckets[
      id * LATENCY_BUCKETS + (bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1)
    ]!++;
  }

  /** How many requests of command `id` fell into each bucket; a view, not cumulative. */
  buckets(id: number): Float64Array {
    return this.#buckets.subarray(id * LATENCY_BUCKETS, (id + 1) * LATENCY_BUCKETS);
  }
}

/** Process totals. */
export interface Totals {
  /** Connections accepted since the start. */
  connections: number;
  /** Connections refused because of max_clients. */
  rejectedConnections: number;
  /** TLS handshakes that failed. */
  failedHandshakes: number;
  /** Bytes received from closed sessions; open ones are added when asked for. */
  inputBytes: number;
  /** Bytes sent to clients. */
  outputBytes: number;
  /** Sessions closed because their replies outgrew session_max_buffer. */
  overflowedSessions: number;
  /** Sessions closed because all together held more than proxy_max_buffer. */
  evictedSessions: number;
  /** Connections lost over which clients subscribed, and attempts to open one that failed. */
  lostSubscriptions: number;
  /** Reads that a replica has not answered, and the master was asked for. */
  retriedReads: number;
  /** Sessions closed for a protocol error. */
  protocolErrors: number;
  /** Wrong users or passwords given by AUTH or HELLO. */
  wrongAuths: number;
  /** Requests that users' rules did not allow: their command, a key, a channel. */
  deniedCommands: number;
  deniedKeys: number;
  deniedChannels: number;
  /** Those of them that were answered late, because many came from one address. */
  throttledAuths: number;
  /** Sessions closed by one of the session deadlines. */
  timedOutSessions: number;
}

/** Fresh totals, all zero. */
export function newTotals(): Totals {
  return {
    connections: 0,
    rejectedConnections: 0,
    failedHandshakes: 0,
    inputBytes: 0,
    outputBytes: 0,
    overflowedSessions: 0,
    evictedSessions: 0,
    lostSubscriptions: 0,
    retriedReads: 0,
    protocolErrors: 0,
    wrongAuths: 0,
    deniedCommands: 0,
    deniedKeys: 0,
    deniedChannels: 0,
    throttledAuths: 0,
    timedOutSessions: 0,
  };
}
