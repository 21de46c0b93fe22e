/**
 * What `GET /slowlog` of a proxy answers.
 *
 * @module
 */

/** The stages of a request; `src/router/slow_log/stages.ts` explains them. */
type Stage =
  | "queue"
  | "slot"
  | "key"
  | "proxy"
  | "send"
  | "network"
  | "server"
  | "receive"
  | "order"
  | "write"
  | "loop";

/** A slow request. */
export interface SlowRequestEntry {
  readonly id: number;
  /** When its reply was written, in Unix milliseconds. */
  readonly at: number;
  /** From when it was read until its reply was written, in microseconds. */
  readonly usecs: number;
  /** What each stage took of that; they add up. */
  readonly stages: Readonly<Partial<Record<Stage, number>>>;
  readonly command: string;
  /** Cut, without passwords. */
  readonly args: readonly string[];
  readonly client: string;
  readonly client_name: string;
  readonly user: string;
  /** Empty: none. */
  readonly server: string;
  /** -1: none, or several. */
  readonly slot: number;
  readonly request_bytes: number;
  readonly reply_bytes: number;
  readonly end: "answered" | "failed" | "left";
}

/** See the header. */
export interface SlowLogAnswer {
  /** Newest first. */
  readonly entries: readonly SlowRequestEntry[];
  readonly events: readonly {
    readonly name: string;
    readonly max_ms: number;
    /** For each second the longest wait: Unix time and milliseconds; oldest first. */
    readonly samples: readonly (readonly [seconds: number, ms: number])[];
  }[];
}
