/**
 * Counters of the data plane: per command in flat arrays, and process totals.
 *
 * @module
 */

import { Histogram } from "../base/histogram.ts";

/** Users whose times are counted each for themselves; those of more are counted together. */
export const TIMED_USERS_MAX = 64;
/** The name that they are counted under; no user's, for it has a space. */
export const OTHER_USERS = "(all other users)";

/** Per-command counters, indexed by the command's id. */
export class CommandStats {
  /** Requests answered, error replies included; not those the proxy failed itself. */
  readonly calls: Float64Array;
  /** Answers that were errors. */
  readonly errors: Float64Array;
  /** Requests the proxy failed itself: no backend, lost connection, deadline. */
  readonly failures: Float64Array;
  readonly #times: (Histogram | undefined)[];

  constructor(commands: number) {
    this.calls = new Float64Array(commands);
    this.errors = new Float64Array(commands);
    this.failures = new Float64Array(commands);
    this.#times = new Array(commands).fill(undefined);
  }

  /** Counts one answered request. */
  answered(id: number, elapsedMs: number, isError: boolean): void {
    this.calls[id]!++;
    if (isError) this.errors[id]!++;
    this.times(id).add(elapsedMs * 1000);
  }

  /** The times between request and answer of command `id`. */
  times(id: number): Histogram {
    return this.#times[id] ??= new Histogram();
  }

  /** Counts from zero again. */
  reset(): void {
    for (const counts of [this.calls, this.errors, this.failures]) counts.fill(0);
    for (const times of this.#times) times?.reset();
  }
}

/** The times of requests by user: a histogram for each, and one for all others past a limit. */
export class UserTimes {
  readonly #times = new Map<string, Histogram>();

  /** The times of a user's requests. */
  of(name: string): Histogram {
    const times = this.#times;
    const own = times.get(name);
    if (own !== undefined) return own;
    if (times.size >= TIMED_USERS_MAX && name !== OTHER_USERS) return this.of(OTHER_USERS);
    const made = new Histogram();
    times.set(name, made);
    return made;
  }

  /** Users and their times. */
  entries(): Iterable<[name: string, times: Histogram]> {
    return this.#times;
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
  /** Lines of the access log that could not be written. */
  lostAccessLines: number;
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
    lostAccessLines: 0,
  };
}
