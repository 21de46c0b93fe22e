/**
 * Real workers before real servers, in this process: their threads are in a test's hands.
 *
 * @module
 */

import { WorkerPool } from "../../src/proxy/workers/worker_pool.ts";
import type { RouterOptions } from "../../src/router/options.ts";
import type { SlotFill } from "../../src/router/slot_table.ts";
import { RespClient } from "./resp_client.ts";
import { fillEvenly, slotFill, testOptions } from "./router_server.ts";

const WORKER = new URL("../../src/proxy/workers/worker.ts", import.meta.url);

/** A pool that accepts clients; disposing ends its threads. */
export class WorkerPoolServer implements AsyncDisposable {
  readonly pool: WorkerPool;
  /** The threads, in the order in which they were started. */
  readonly threads: readonly Worker[];

  private constructor(pool: WorkerPool, threads: readonly Worker[]) {
    this.pool = pool;
    this.threads = threads;
  }

  /** Starts so many workers, with slots that the servers share evenly. */
  static async start(
    workers: number,
    servers: readonly { readonly addr: string }[],
    options: Partial<RouterOptions> = {},
  ): Promise<WorkerPoolServer> {
    const threads: Worker[] = [];
    const pool = await WorkerPool.open({
      sockets: [{ hostname: "127.0.0.1", port: 0 }],
      proto: "tcp",
    }, {
      workers,
      router: testOptions(options),
      keepAliveMs: 0,
      pauseMs: Infinity,
      spawn() {
        const thread = new Worker(WORKER, { type: "module" });
        threads.push(thread);
        return thread;
      },
    }, { onPause() {}, changeConfig: () => Promise.resolve("") });
    const run = new WorkerPoolServer(pool, threads);
    await fillEvenly(run, servers);
    pool.accept();
    return run;
  }

  /** Gives a slot an owner. */
  fill(slotId: number, addr: string, change: Partial<SlotFill> = {}): Promise<void> {
    return this.pool.fillSlot(slotFill(slotId, addr, change));
  }

  /** Opens a connection as a Redis client. */
  client(): Promise<RespClient> {
    return RespClient.connect(this.pool.addresses[0]!.port);
  }

  /** Makes a thread die of an error that nobody catches: a message that is no message. */
  strike(thread: Worker): void {
    thread.postMessage("what nobody understands");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.close();
  }
}
