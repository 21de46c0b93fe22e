/**
 * A data plane of several workers, each a thread with a router and a socket on the same port.
 *
 *                        ┌──► worker 0: router ◄── clients ─┐
 *     membership ──► pool┼──► worker 1: router ◄── clients ─┼─ one port (SO_REUSEPORT)
 *                        └──► worker 2: router ◄── clients ─┘
 *
 *     fillSlot ──► every worker: drain ─► swap ─► settled ──► all of them settled: answered
 *
 * **The barrier.** A slot change is settled when it is in every worker; as before, each worker waits for
 * its requests in flight within a bound. Between the first and the last to settle, workers differ, as
 * the proxies of a product do: Codis's steps (blocked everywhere, then migrating everywhere) are made
 * for that. A worker that is alive and does not settle keeps the change from being confirmed.
 *
 * **A worker that dies** takes its clients with it. Another one takes its seat, and is given the whole
 * table as it is wanted now, and whether requests are held, before it listens. A change under way
 * waits until the dead one's connections are gone; the new one begins with it, and has nothing in flight.
 *
 * **A pause** of the process is noticed by each worker itself; see `worker.ts`.
 *
 * Bytes (`proxy_max_buffer`) are split evenly; clients (`max_clients`) are counted together.
 *
 * @module
 */

import { Backoff } from "../../base/backoff.ts";
import { logger, type LogLevel, logLevel, writeLogLine } from "../../base/log.ts";
import { listen } from "../../io/listen.ts";
import { countedSoFar, type RouterFigures, sumFigures } from "../../router/stats_snapshot.ts";
import type { SlotFill } from "../../router/slot_table.ts";
import type {
  DataPlane,
  ListenPlace,
  PlaneEvents,
  PlaneOptions,
  ProxyFigures,
} from "./data_plane.ts";
import { newSharedCounts, type SharedCounts } from "./shared_context.ts";
import type { PoolCalls } from "./worker_calls.ts";
import { type Thread, WorkerEndedError, WorkerThread } from "./worker_thread.ts";

/** How long a worker may take for what it can answer at once, in milliseconds. */
const ANSWER_MS = 500;
/** How often figures are read so that little is lost with a worker that dies, in milliseconds. */
const FIGURES_MS = 5_000;
/** How long after its end a worker's sockets may still be there, in milliseconds. */
const GONE_MS = 100;
/** How much longer than its own bound a worker may take to settle a change, in milliseconds. */
const LATE_MS = 2_000;
/** How often it is looked whether a change is overdue, in milliseconds. */
const OVERDUE_MS = 500;
/** Waits before the seat of a worker that died is taken again. */
const RETRY = { firstMs: 20, maxMs: 5_000 };
/** A worker that has lived for so long did not die of its start, in milliseconds. */
const HEALTHY_MS = 10_000;

const log = logger("proxy");

/** The place of one worker. */
interface Seat {
  readonly index: number;
  readonly backoff: Backoff;
  thread: WorkerThread | undefined;
  /** Settles when the last one that died here can have nothing in flight. */
  gone: Promise<void>;
  /** The figures of the worker as they were seen last. */
  last: RouterFigures | undefined;
  /** What those that died here have counted. */
  counted: RouterFigures | undefined;
  retry: ReturnType<typeof setTimeout> | undefined;
}

/** A change that a worker has not settled. */
interface Unsettled {
  readonly index: number;
  readonly slotId: number;
  readonly lateMs: number;
  isOverdue: boolean;
  reject(error: Error): void;
}

/** What a pool is made with. */
export interface PoolOptions extends PlaneOptions {
  readonly workers: number;
  /** Starts a thread; for tests. @default A worker of `worker.ts`. */
  readonly spawn?: () => Thread;
}

/** Rounds of a thread's event loop between two looks for I/O. */
const IO_INTERVAL = "DENO_TOKIO_EVENT_INTERVAL";

/** See the header. */
export class WorkerPool implements DataPlane {
  readonly #options: PoolOptions;
  readonly #events: PlaneEvents;
  readonly #counts: SharedCounts;
  readonly #seats: readonly Seat[];
  /** What was last wanted of each slot; nothing for one that is nobody's. */
  readonly #table = new Map<number, SlotFill>();
  /** The newest action that is in force, and the slots that have changed since it was. */
  #inForce = 0;
  readonly #changed = new Set<number>();
  readonly #startedMs = performance.now();
  #openedMs = 0;
  #place: ListenPlace | undefined;
  #address: Deno.NetAddr | undefined;
  #requests: "served" | "held" | "refused" = "served";
  #accepting: "nobody" | "loading" | "served" = "nobody";
  #hasAccepted = false;
  /** Whether no worker may begin to listen any more. */
  #isStopping = false;
  #isClosed = false;
  #tableVersion = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #reading: Promise<ProxyFigures> | undefined;
  readonly #unsettled = new Set<Unsettled>();
  #overdueTimer: ReturnType<typeof setTimeout> | undefined;

  private constructor(options: PoolOptions, events: PlaneEvents) {
    const { workers, router } = options;
    const proxyBufferBytesMax = Math.floor(router.proxyBufferBytesMax / workers);
    this.#options = { ...options, router: { ...router, proxyBufferBytesMax } };
    this.#events = events;
    this.#counts = newSharedCounts(workers);
    this.#seats = Array.from({ length: workers }, (_, index) => ({
      index,
      backoff: new Backoff(RETRY),
      thread: undefined,
      gone: Promise.resolve(),
      last: undefined,
      counted: undefined,
      retry: undefined,
    }));
  }

  /**
   * Starts the workers and binds the port in each.
   *
   * @throws {Error} Naming the address, when it cannot be bound; no worker is left then.
   */
  static async open(
    place: ListenPlace,
    options: PoolOptions,
    events: PlaneEvents,
  ): Promise<WorkerPool> {
    const pool = new WorkerPool(options, events);
    try {
      await pool.#open(place);
    } catch (error) {
      pool.close();
      throw error;
    }
    return pool;
  }

  async #open({ hostname, port, proto }: ListenPlace): Promise<void> {
    // Sharing is for us alone: another process that has the port, shared or not, is found out by this.
    const alone = listen(hostname, port, proto);
    this.#address = alone.addr as Deno.NetAddr;
    alone.close();
    this.#place = { hostname: this.#address.hostname, port: this.#address.port, proto };
    await Promise.all(this.#seats.map((seat) => this.#start(seat)));
    this.#openedMs = performance.now();
    this.#timer = setInterval(() => this.figures(), FIGURES_MS);
  }

  get address(): Deno.NetAddr {
    return this.#address!;
  }

  // -- workers --------------------------------------------------------------------------------

  /**
   * Puts a worker in a seat; it gets the whole table before it listens, and every change since.
   *
   * @throws {Error} When it dies on the way, or cannot bind the port.
   */
  async #start(seat: Seat): Promise<void> {
    const { spawn = newWorker, workers: _, ...plane } = this.#options;
    const start = { plane, logLevel: logLevel(), seat: seat.index, counts: this.#counts };
    const thread = new WorkerThread(
      spawn(),
      start,
      this.#callsOf(seat),
      (cause) => this.#died(seat, thread, cause),
    );
    seat.thread = thread;
    if (this.#requests !== "served") thread.calls.tell("holdRequests");
    if (this.#requests === "refused") thread.calls.tell("refuseRequests");
    await Promise.all([...this.#table.values()].map((fill) => thread.calls.call("fillSlot", fill)));
    thread.calls.tell("loaded", this.#inForce, [...this.#changed]);
    await thread.calls.call("bind", this.#place!);
    seat.last = await thread.calls.call("figures");
    if (this.#accepting === "loading") thread.calls.tell("acceptLoading");
    if (this.#accepting === "served") thread.calls.tell("accept");
  }

  /** What a worker may ask. */
  #callsOf(seat: Seat): PoolCalls {
    return {
      paused: (pauses) => {
        if (seat.thread === undefined) return;
        seat.thread.pauses = pauses;
        if (this.#requests === "refused") seat.thread.calls.tell("refuseRequests");
        if (this.#hasAccepted) this.#events.onPause();
      },
      writeLogLine,
      proxyFigures: async () => (await this.figures()).sum,
      listClients: async (filter) => {
        const lists = await this.#askOthers(seat, (calls) => calls.call("listClients", filter));
        return lists.join("");
      },
      killClients: async (filter) => {
        const counts = await this.#askOthers(seat, (calls) => calls.call("killClients", filter));
        return counts.reduce((total, count) => total + count, 0);
      },
      pressOthers: () => {
        for (const { thread, index } of this.#seats) {
          if (index !== seat.index) thread?.calls.tell("press");
        }
      },
    };
  }

  /** The answers of all workers but one; without those that do not answer in time. */
  async #askOthers<T>(
    asking: Seat,
    ask: (calls: WorkerThread["calls"]) => Promise<T>,
  ): Promise<T[]> {
    const answers = await Promise.all(
      this.#seats.map(({ thread }, index) =>
        thread === undefined || index === asking.index ? undefined : inTime(ask(thread.calls))
      ),
    );
    return answers.filter((answer) => answer !== undefined);
  }

  #died(seat: Seat, thread: WorkerThread, cause: string): void {
    const { index, last } = seat;
    seat.thread = undefined;
    Atomics.store(this.#counts.sessions, index, 0);
    Atomics.store(this.#counts.heldKb, index, 0);
    if (last !== undefined) {
      const counted = countedSoFar(last);
      seat.counted = seat.counted === undefined ? counted : sumFigures([counted, seat.counted]);
      seat.last = undefined;
    }
    seat.gone = new Promise((resolve) => setTimeout(resolve, GONE_MS));
    log.error("worker {index} died, its clients are cut: {cause}", { index, cause });
    if (this.#isStopping) return;
    if (performance.now() - thread.startedMs > HEALTHY_MS) seat.backoff.reset();
    seat.retry = setTimeout(() => this.#replace(seat), seat.backoff.nextMs());
  }

  async #replace(seat: Seat): Promise<void> {
    const { index } = seat;
    try {
      await this.#start(seat);
      log.info("another worker {index} is in its place", { index });
    } catch (error) {
      // One that dies is looked after elsewhere.
      if (error instanceof WorkerEndedError) return;
      const thread = seat.thread!;
      const { message } = error as Error;
      thread.end(message);
      this.#died(seat, thread, message);
    }
  }

  // -- slots ----------------------------------------------------------------------------------

  fillSlot(fill: SlotFill): Promise<void> {
    this.#table.set(fill.slotId, fill);
    this.#changed.add(fill.slotId);
    return this.#everywhere(fill.slotId, ({ calls }) => calls.call("fillSlot", fill));
  }

  resetSlot(slotId: number): Promise<void> {
    this.#table.delete(slotId);
    this.#changed.add(slotId);
    return this.#everywhere(slotId, ({ calls }) => calls.call("resetSlot", slotId));
  }

  inForce(version: number): void {
    this.#inForce = Math.max(this.#inForce, version);
    this.#changed.clear();
    this.#tellAll((calls) => calls.tell("inForce", version));
  }

  loaded(version: number): void {
    this.#inForce = Math.max(this.#inForce, version);
    this.#changed.clear();
    this.#tellAll((calls) => calls.tell("loaded", this.#inForce, []));
  }

  /**
   * Changes a slot in every worker.
   *
   * @returns When it is settled in all that live, and those that died can have nothing in flight.
   * @throws {Error} When one that lives does not settle it in time, or cannot.
   */
  async #everywhere(
    slotId: number,
    change: (thread: WorkerThread) => Promise<void>,
  ): Promise<void> {
    const results = await Promise.allSettled(this.#seats.map(async (seat) => {
      if (seat.thread !== undefined) {
        try {
          return await this.#inTime(seat, slotId, change(seat.thread));
        } catch (error) {
          if (!(error instanceof WorkerEndedError)) throw error;
        }
      }
      await seat.gone;
    }));
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    this.#tableVersion++;
  }

  /** Waits for a worker that must settle a change within its own bound. */
  #inTime({ index }: Seat, slotId: number, settled: Promise<void>): Promise<void> {
    const lateMs = performance.now() + this.#options.router.slotWaitMs + LATE_MS;
    return new Promise((resolve, reject) => {
      const waiting: Unsettled = { index, slotId, lateMs, isOverdue: false, reject };
      this.#unsettled.add(waiting);
      this.#overdueTimer ??= setTimeout(() => this.#lookForOverdue(), OVERDUE_MS);
      settled.then(resolve, reject).finally(() => this.#unsettled.delete(waiting));
    });
  }

  /** One timer for all: a thousand slots may change at once. */
  #lookForOverdue(): void {
    const nowMs = performance.now();
    for (const waiting of this.#unsettled) {
      const { index, slotId, lateMs, isOverdue, reject } = waiting;
      if (nowMs < lateMs) continue;
      // After a pause of the process the answer may be here, and not looked at yet: once more.
      if (!isOverdue) waiting.isOverdue = true;
      else reject(new Error(`worker ${index} does not answer, and has not settled slot ${slotId}`));
    }
    const isDone = this.#unsettled.size === 0 || this.#isClosed;
    this.#overdueTimer = isDone ? undefined : setTimeout(() => this.#lookForOverdue(), OVERDUE_MS);
  }

  // -- requests -------------------------------------------------------------------------------

  holdRequests(): void {
    this.#requests = "held";
    this.#tellAll((calls) => calls.tell("holdRequests"));
  }

  refuseRequests(): void {
    this.#requests = "refused";
    this.#tellAll((calls) => calls.tell("refuseRequests"));
  }

  resumeRequests(): void {
    this.#requests = "served";
    this.#tellAll((calls, { pauses }) => calls.tell("resumeRequests", pauses));
  }

  #tellAll(tell: (calls: WorkerThread["calls"], thread: WorkerThread) => void): void {
    for (const { thread } of this.#seats) if (thread !== undefined) tell(thread.calls, thread);
  }

  // -- clients --------------------------------------------------------------------------------

  acceptLoading(): void {
    if (this.#accepting !== "nobody") return;
    this.#accepting = "loading";
    this.#tellAll((calls) => calls.tell("acceptLoading"));
  }

  accept(): void {
    this.#accepting = "served";
    this.#hasAccepted = true;
    const tookMs = Math.round(this.#openedMs - this.#startedMs);
    log.info("{count} workers, started in {tookMs} ms", { count: this.#seats.length, tookMs });
    this.#tellAll((calls) => calls.tell("accept"));
  }

  async stopAccepting(): Promise<void> {
    this.#accepting = "nobody";
    this.#isStopping = true;
    for (const { retry } of this.#seats) clearTimeout(retry);
    await this.#askAll((calls) => inTime(calls.call("stopAccepting")));
  }

  async drainSessions(graceMs: number): Promise<void> {
    await this.#askAll((calls) =>
      inTime(calls.call("drainSessions", graceMs), graceMs + ANSWER_MS)
    );
  }

  async #askAll<T>(ask: (calls: WorkerThread["calls"]) => Promise<T>): Promise<void> {
    await Promise.all(
      this.#seats.map(({ thread }) => thread === undefined ? undefined : ask(thread.calls)),
    );
  }

  // -- figures --------------------------------------------------------------------------------

  /** Whoever asks while an answer is awaited gets the same one. */
  figures(): Promise<ProxyFigures> {
    return this.#reading ??= this.#readFigures().finally(() => this.#reading = undefined);
  }

  async #readFigures(): Promise<ProxyFigures> {
    await Promise.all(this.#seats.map(async (seat) => {
      const { thread } = seat;
      const figures = thread && await inTime(thread.calls.call("figures"));
      if (figures !== undefined && seat.thread === thread) seat.last = figures;
    }));
    // What lives comes first: of the slots' owners it knows.
    const living = this.#seats.flatMap(({ last }) => last ?? []);
    const sum = sumFigures([...living, ...this.#seats.flatMap(({ counted }) => counted ?? [])]);
    const own = Deno.memoryUsage();
    return {
      sum: {
        ...sum,
        uptimeMs: performance.now() - this.#startedMs,
        tableVersion: this.#tableVersion,
        heap: {
          used: sum.heap.used + own.heapUsed,
          total: sum.heap.total + own.heapTotal,
          external: sum.heap.external + own.external,
        },
      },
      workers: this.#seats.map(({ last, counted }) =>
        sumFigures([last, counted].filter((figures) => figures !== undefined))
      ),
    };
  }

  setLogLevel(level: LogLevel): void {
    this.#tellAll((calls) => calls.tell("setLogLevel", level));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isStopping = this.#isClosed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#overdueTimer);
    for (const { retry } of this.#seats) clearTimeout(retry);
    await this.#askAll((calls) => inTime(calls.call("close")));
    for (const { thread } of this.#seats) thread?.end("the pool is closed");
  }
}

/** What a worker answers, if it does so in time. */
async function inTime<T>(answer: Promise<T>, ms = ANSWER_MS): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([answer.catch(() => undefined), late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Beside this module lies the worker's, in the source tree and in a bundle alike.
 *
 * While a thread of Deno's has work it looks for I/O in every 61st round only, so that of hundreds of
 * busy clients some wait for long. A thread reads how often it is to look when it starts; the first
 * thread's is set by who starts the program.
 */
function newWorker(): Thread {
  if (Deno.env.get(IO_INTERVAL) === undefined) Deno.env.set(IO_INTERVAL, "1");
  const name = import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js";
  return new Worker(new URL(name, import.meta.url), { type: "module" });
}
