/**
 * A worker without a thread: it takes what the pool says, and does what a test says.
 *
 * @module
 */

import { loopLag } from "../../src/base/loop_lag.ts";
import { RemoteCalls } from "../../src/base/remote_call.ts";
import type { StatsSnapshot } from "../../src/router/stats_snapshot.ts";
import { newTotals } from "../../src/router/stats.ts";
import type { PoolCalls, WorkerCalls, WorkerStart } from "../../src/proxy/workers/worker_calls.ts";
import type { Thread } from "../../src/proxy/workers/worker_thread.ts";
import { RecordedSlotTable } from "./slot_table.ts";

const SLOTS = 1024;

/** See the header. */
export class FakeWorker implements Thread {
  onmessage: ((event: MessageEvent) => void) | null = null;
  onerror: ((event: ErrorEvent) => void) | null = null;
  readonly table = new RecordedSlotTable();
  /** What the pool has said besides slots, in order. */
  readonly told: string[] = [];
  /** How many slots it had when it was told to listen. */
  slotsAtBind = -1;
  start!: WorkerStart;
  isTerminated = false;
  /** What it says that it has: requests of command 0, and clients. */
  requests = 0;
  sessions = 0;
  /** While set, it answers nothing. */
  isStuck = false;
  #pool!: RemoteCalls<PoolCalls>;

  /** The pool's end of the line. */
  postMessage(message: unknown): void {
    if (typeof message !== "string") {
      this.start = message as WorkerStart;
      this.#pool = new RemoteCalls<PoolCalls>(
        (text) => this.#later(() => this.onmessage?.({ data: text } as MessageEvent)),
        this.#calls(),
      );
    } else {
      this.#later(() => this.isStuck || this.#pool.receive(message));
    }
  }

  terminate(): void {
    this.isTerminated = true;
  }

  /** Asks the pool. */
  get pool(): RemoteCalls<PoolCalls> {
    return this.#pool;
  }

  /** Dies of an error that nobody caught. */
  die(message: string): void {
    this.onerror?.({ message, preventDefault() {} } as ErrorEvent);
  }

  /** As between threads: not in this turn, and not when either end is gone. */
  #later(deliver: () => void): void {
    setTimeout(() => {
      if (!this.isTerminated) deliver();
    });
  }

  #calls(): WorkerCalls {
    const tell = (what: string) => void this.told.push(what);
    return {
      fillSlot: (fill) => this.table.fillSlot(fill),
      resetSlot: (slotId) => this.table.resetSlot(slotId),
      settleAll: () => this.table.settleAll(),
      setRules: (rules) => this.table.setRules(rules),
      heardReplicas: () => Promise.resolve(-1),
      silentMs: () => Promise.resolve(-1),
      setReplicas: (groups) => this.table.setReplicas(groups),
      inForce: (version) => this.table.inForce(version),
      loaded: (version) => this.table.loaded(version),
      bind: () => {
        this.slotsAtBind = this.table.fills.size;
        tell("bind");
      },
      acceptLoading: () => tell("loading"),
      accept: () => tell("accept"),
      stopAccepting: () => Promise.resolve(tell("stop")),
      setServing: (serving, heardPauses) =>
        tell(serving === "serving" ? `serving ${heardPauses}` : serving),
      setLimits: () => {},
      setUserReads: () => Promise.resolve(),
      updateUsers: () => {},
      aclLog: () => [],
      hotKeys: () => ({ isOn: true, requests: 0, hot: [], big: [] }),
      slowLog: () => ({ entries: [], events: [] }),
      allowCommands: () => {},
      setCluster: () => {},
      set: () => Promise.resolve(),
      leaveSessions: () => Promise.resolve(tell("drain")),
      drainSessions: () => Promise.resolve(tell("drain")),
      stats: () => this.#stats(),
      listClients: () => `client of ${this.start.index}\n`,
      searchClients: () => ({ total: 0, matching: 0, first: [] }),
      killClients: () => 1,
      pause: (mode, ms) => tell(`pause ${mode} ${Math.ceil(ms / 1000)}`),
      watchedElsewhere: () => {},
      monitored: () => {},
      redirectTo: () => false,
      hearAll: () => Promise.resolve(),
      invalidate: () => false,
      scriptSeen: () => {},
      unblockClient: (id) => Promise.resolve(id === this.start.index),
      press: () => tell("press"),
      setClientTls: () => {},
      setServerTls: () => {},
      setLogLevel: (level) => tell(`log ${level}`),
      close: () => tell("close"),
    };
  }

  #stats(): StatsSnapshot {
    const column = <T>(value: T) => new Array<T>(SLOTS).fill(value);
    const { requests: calls } = this;
    return {
      uptimeMs: 0,
      sessions: this.sessions,
      blocked: 0,
      clientHandles: 0,
      tracking: 0,
      subscribers: 0,
      totals: { ...newTotals(), connections: calls },
      bufferedBytes: 0,
      tableVersion: this.table.history.length,
      loopLag: loopLag(),
      heap: { used: 0, total: 0, external: 0 },
      commands: calls === 0 ? [] : [{
        name: "get",
        calls,
        errors: 0,
        failures: 0,
        usecs: calls,
        times: [0, calls],
      }],
      users: [],
      servers: [],
      replicas: [],
      slots: {
        states: Array.from(
          { length: SLOTS },
          (_, id) => this.table.fills.has(id) ? "open" : "offline",
        ),
        groups: column(1),
        owners: column(""),
        sources: column(""),
        inFlight: column(0),
        requests: column(calls),
      },
    };
  }
}
