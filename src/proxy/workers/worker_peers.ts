/**
 * What the workers of a pool ask of each other, through the pool: each for its own clients.
 *
 * @module
 */

import { Backoff } from "../../base/backoff.ts";
import { inTime } from "../../base/sleep.ts";
import { Pause } from "../../router/client/pause.ts";
import type { MonitorFilter } from "../../router/monitor/monitor_filter.ts";
import { audienceOf } from "../../router/monitor/monitors.ts";
import type { RouterOptions } from "../../router/options.ts";
import type { SlowLogSettings } from "../../router/slow_log/slow_log.ts";
import { type StatsSnapshot, sumSnapshots } from "../../router/stats_snapshot.ts";
import type { PlaneStats } from "./data_plane.ts";
import type { PoolCalls } from "./worker_calls.ts";
import type { WorkerThread } from "./worker_thread.ts";

/** How long a worker may take for what it can answer at once, in milliseconds. */
export const ANSWER_MS = 500;

/** One worker of the pool, and those that died before it in its place. */
export interface PoolWorker {
  readonly index: number;
  readonly backoff: Backoff;
  thread: WorkerThread | undefined;
  /** What its clients watch of what clients ask. */
  watching: readonly MonitorFilter[];
  /** Settles when the last one that died here can have nothing in flight. */
  gone: Promise<void>;
  /** The stats of the worker as they were seen last. */
  last: StatsSnapshot | undefined;
  /** What those that died here have counted. */
  counted: StatsSnapshot | undefined;
  retry: ReturnType<typeof setTimeout> | undefined;
}

/** Waits before a worker that died is replaced. */
const RETRY = { firstMs: 20, maxMs: 5_000 };

/** So many workers, none of which runs. */
export function newPoolWorkers(count: number): PoolWorker[] {
  return Array.from({ length: count }, (_, index) => ({
    index,
    backoff: new Backoff(RETRY),
    thread: undefined,
    watching: [],
    gone: Promise.resolve(),
    last: undefined,
    counted: undefined,
    retry: undefined,
  }));
}

/** The options of one of so many workers: what all may have together is split evenly. */
export function shareOf(router: RouterOptions, workers: number): RouterOptions {
  return {
    ...router,
    proxyBufferBytesMax: Math.floor(router.proxyBufferBytesMax / workers),
    privateConnectionsMax: Math.max(1, Math.floor(router.privateConnectionsMax / workers)),
    ...(workers > 1 && { privateConnectionsOfAll: router.privateConnectionsMax }),
  };
}

/** What clients have told all workers, for those that begin later. */
export class ToldAll {
  readonly pause = new Pause(() => {});
  slowLog: Partial<SlowLogSettings> = {};

  /** The configuration says something else of it, later. */
  forgetSlowerThan(): void {
    const { slowerThanUs: _, ...others } = this.slowLog;
    this.slowLog = others;
  }

  /** Tells it a worker that begins. */
  tell({ calls }: WorkerThread): void {
    calls.notify("slowLog", { settings: this.slowLog });
    const { left } = this.pause;
    if (left !== null) calls.notify("pause", left.mode, left.ms);
  }
}

/** The calls of the pool that other workers answer. */
export type PeerCalls = Pick<
  PoolCalls,
  | "aclLog"
  | "slowLog"
  | "hotKeys"
  | "unblockClient"
  | "listClients"
  | "killClients"
  | "pause"
  | "watch"
  | "monitored"
  | "redirectTo"
  | "hearAll"
  | "invalidate"
  | "scriptSeen"
  | "pressOthers"
>;

/**
 * What a worker may ask of the others.
 *
 * @param told What all workers have been told by clients.
 */
export function peerCalls(
  workers: readonly PoolWorker[],
  worker: PoolWorker,
  told: ToldAll,
): PeerCalls {
  const ask = <T>(question: (calls: WorkerThread["calls"], other: PoolWorker) => Promise<T>) =>
    askEachWorker(workers.filter((other) => other !== worker), question);
  const askForOne = async (question: (calls: WorkerThread["calls"]) => Promise<boolean>) =>
    (await ask(question)).includes(true);
  return {
    aclLog: (isReset) => ask((calls) => calls.call("aclLog", isReset)),
    slowLog: (order) => {
      told.slowLog = { ...told.slowLog, ...order.settings };
      return ask((calls) => calls.call("slowLog", order));
    },
    hotKeys: (forgotten) => ask((calls) => calls.call("hotKeys", forgotten)),
    listClients: async (filter) => {
      const lists = await ask((calls) => calls.call("listClients", filter));
      return lists.join("");
    },
    killClients: async (filter) => {
      const counts = await ask((calls) => calls.call("killClients", filter));
      return counts.reduce((total, count) => total + count, 0);
    },
    pause: async (mode, ms) => {
      if (mode === null) told.pause.end();
      else told.pause.extend(mode, ms);
      await askEachWorker(workers, (calls) => calls.call("pause", mode, ms));
    },
    watch: async (filters) => {
      worker.watching = filters;
      await ask((calls, { index }) =>
        calls.call("watchedElsewhere", watchedElsewhere(workers, index))
      );
    },
    monitored: async (lines) => {
      await ask(async (calls, { watching }) => {
        const audiences = watching.map(audienceOf);
        const meant = lines.filter(({ audience }) => audiences.includes(audience));
        if (meant.length > 0) await calls.call("monitored", meant);
      });
    },
    redirectTo: (id) => askForOne((calls) => calls.call("redirectTo", id)),
    hearAll: async (id) => {
      // Servers are given the time that they have: the worker that asks them knows it.
      await Promise.all(
        workers.map((other) =>
          other === worker ? undefined : other.thread?.calls.call("hearAll", id).catch(() => {})
        ),
      );
    },
    invalidate: (id, keys) => askForOne((calls) => calls.call("invalidate", id, keys)),
    unblockClient: (id, reply) => {
      const others = workers.filter((other) => other !== worker);
      // Whether it was unblocked is known when its server has answered, in the time that servers are given.
      return isAnyOf(others.map(({ thread }) => thread?.calls.call("unblockClient", id, reply)));
    },
    scriptSeen: (sha, found) => {
      for (const { thread, index } of workers) {
        if (index !== worker.index) thread?.calls.notify("scriptSeen", sha, found);
      }
    },
    pressOthers: () => {
      for (const { thread, index } of workers) {
        if (index !== worker.index) thread?.calls.notify("press");
      }
    },
  };
}

/** Tells each worker what the clients of others watch. */
export function tellWatched(workers: readonly PoolWorker[]): void {
  for (const { thread, index } of workers) {
    thread?.calls.notify("watchedElsewhere", watchedElsewhere(workers, index));
  }
}

function watchedElsewhere(workers: readonly PoolWorker[], than: number): readonly MonitorFilter[] {
  return workers.flatMap(({ index, watching }) => index === than ? [] : watching);
}

/** The stats of all workers as they were seen last, and of the thread that has started them. */
export function sumOfWorkers(
  workers: readonly PoolWorker[],
  uptimeMs: number,
  tableVersion: number,
): PlaneStats {
  // What lives comes first: of the slots' owners it knows.
  const living = workers.flatMap(({ last }) => last ?? []);
  const sum = sumSnapshots([...living, ...workers.flatMap(({ counted }) => counted ?? [])]);
  const own = Deno.memoryUsage();
  return {
    sum: {
      ...sum,
      uptimeMs,
      tableVersion,
      heap: {
        used: sum.heap.used + own.heapUsed,
        total: sum.heap.total + own.heapTotal,
        external: sum.heap.external + own.external,
      },
    },
    workers: workers.map(({ last, counted }) =>
      sumSnapshots([last, counted].filter((stats) => stats !== undefined))
    ),
  };
}

/** Whether one of the answers is true: known with the first such; who fails has said no. */
async function isAnyOf(answers: readonly (Promise<boolean> | undefined)[]): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const all = answers.map((answer) => answer?.then((isTrue) => isTrue && resolve(true), () => {}));
  Promise.all(all).then(() => resolve(false));
  return await promise;
}

/** The answers of workers; without those that do not answer in time. */
export async function askEachWorker<T>(
  workers: readonly PoolWorker[],
  ask: (calls: WorkerThread["calls"], worker: PoolWorker) => Promise<T>,
  ms = ANSWER_MS,
): Promise<T[]> {
  const answers = await Promise.all(
    workers.map((worker) =>
      worker.thread === undefined ? undefined : inTime(ask(worker.thread.calls, worker), ms)
    ),
  );
  return answers.filter((answer) => answer !== undefined);
}
