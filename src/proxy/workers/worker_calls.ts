/**
 * What the pool and its workers say to each other: one message that starts a worker, then calls in
 * both directions.
 *
 *     pool ── WorkerStart ──► worker
 *     pool ── WorkerCalls ──► worker
 *     pool ◄── PoolCalls ──── worker
 *
 * @module
 */

import type { LogLevel } from "../../base/log.ts";
import type { ClientFilter } from "../../router/local/client_filter.ts";
import type { RouterFigures } from "../../router/stats_snapshot.ts";
import type { SlotFill } from "../../router/slot_table.ts";
import type { ListenPlace, PlaneOptions } from "./data_plane.ts";
import type { SharedCounts } from "./shared_context.ts";

/** The first message to a worker. */
export interface WorkerStart {
  readonly plane: PlaneOptions;
  readonly logLevel: LogLevel;
  /** Its number among the workers, from 0. */
  readonly seat: number;
  readonly counts: SharedCounts;
}

/** What the pool asks of a worker. */
export interface WorkerCalls {
  fillSlot(fill: SlotFill): Promise<void>;
  resetSlot(slotId: number): Promise<void>;
  inForce(version: number): void;
  loaded(version: number, doubtful: readonly number[]): void;
  /** Binds the port that the workers share. */
  bind(place: ListenPlace): void;
  acceptLoading(): void;
  accept(): void;
  stopAccepting(): void;
  holdRequests(): void;
  refuseRequests(): void;
  /**
   * Lets requests go on, unless the worker has noticed a pause that the pool had not heard of.
   *
   * @param heardPauses The newest number that `PoolCalls.paused` told.
   */
  resumeRequests(heardPauses: number): void;
  drainSessions(graceMs: number): Promise<void>;
  figures(): RouterFigures;
  listClients(filter: ClientFilter): string;
  killClients(filter: ClientFilter): number;
  /** All workers hold more than proxy_max_buffer: whoever is above its share closes clients. */
  press(): void;
  setLogLevel(level: LogLevel): void;
  close(): void;
}

/** What a worker tells the pool, and asks of it. */
export interface PoolCalls {
  /** The worker has noticed a pause, its `pauses`th, and holds requests. */
  paused(pauses: number): void;
  /** A line for the process's log. */
  writeLogLine(line: string): void;
  /** The figures of the whole proxy. */
  proxyFigures(): Promise<RouterFigures>;
  /** CLIENT LIST's lines of the other workers' clients. */
  listClients(filter: ClientFilter): Promise<string>;
  /** Closes clients of the other workers; tells how many. */
  killClients(filter: ClientFilter): Promise<number>;
  /** All hold more than proxy_max_buffer, and this worker not more than its share. */
  pressOthers(): void;
}
