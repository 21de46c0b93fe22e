/**
 * The old process's side of an upgrade: it can be taken over from. See `channel.ts`.
 *
 *     alone ── join ──► joined ── ready ──► beside ── listening ──► leaving
 *       ▲                 │ ended, late       │ ended, and surely gone │
 *       └─────────────────┴───────────────────┴────────────────────────┘
 *
 * When the new process is gone, or is about to end, while clients are accepted here, too, this one serves on.
 * Later it lets its clients go all the same; whoever is started then takes over from it.
 *
 * @module
 */

import { logger } from "../../base/log.ts";
import type { RemoteCalls } from "../../base/remote_call.ts";
import { isSurelyGone, type ProcessLife } from "../../base/process_life.ts";
import { canSharePort } from "../../io/listen.ts";
import { listenLocally } from "../../io/local_socket.ts";
import type { ProxyRecord } from "../../model/proxy.ts";
import { SYSTEM_TIMERS, type Timers } from "../../base/timers.ts";
import { loadActionsBefore } from "../../store/moves.ts";
import type { ReadableStore } from "../../store/store.ts";
import { retry } from "../membership/retry.ts";
import { changeState, type StateMoves } from "../../base/state.ts";
import {
  checkCalls,
  type NewCalls,
  type NewProcess,
  type OldCalls,
  type OldProcess,
  openChannel,
  ownCalls,
  tellLeft,
} from "./channel.ts";
import type { Drain } from "../drain.ts";
import type { OtherProcess } from "./other_process.ts";

/** How long a new process may take to load the table, in milliseconds. */
const READY_MS = 60_000;

/** How long clients are accepted here after a new process listens, too, in milliseconds. */
const BESIDE_MS = 1_000;

/** How long the coordinator may take to know of two processes, in milliseconds. */
const KNOWN_MS = 30_000;

/** Pause after a connection that could not be accepted, in milliseconds. */
const ACCEPT_AGAIN_MS = 1_000;

/** What the offer needs of its proxy. */
export interface OfferSubject {
  readonly other: OtherProcess;
  describe(): Promise<OldProcess>;
  /** The newest action that is in force here, and the newest one that is, or is about to be; `""`: none. */
  newestAction(): string;
  newestInHand(): string;
  readonly drain: Pick<Drain, "hasBegun" | "callOff">;
  isStopping(): boolean;
  /** Whether this process alone is the proxy, so that its end proves the proxy's. */
  setAlone(isAlone: boolean): Promise<void>;
  /** The new process listens: clients are accepted here for so long, and then let go. */
  leave(delayMs: number): void;
}

type OfferState = "alone" | "joined" | "beside" | "leaving";

const MOVES: StateMoves<OfferState> = {
  alone: ["joined"],
  joined: ["beside", "alone"],
  beside: ["leaving", "alone"],
  leaving: ["alone"],
};

const log = logger("proxy");

/** See the header. */
export class UpgradeOffer {
  readonly #subject: OfferSubject;
  readonly #timers: Timers;
  readonly #listener: Deno.Listener;
  #state: OfferState = "alone";
  #calls: RemoteCalls<NewCalls> | undefined;
  /** The life of the process that has joined last. */
  #life = "";
  /** Whether that one has not said that it has left, and cannot be told anything any more. */
  #isCutOff = false;
  /** Whether a new process has listened, and clients are let go, or are about to be. */
  #isLeaving = false;
  #hasStoppedListening = false;
  #isStopped = false;
  #end: () => void = () => {};

  private constructor(path: string, subject: OfferSubject, timers: Timers) {
    this.#subject = subject;
    this.#timers = timers;
    this.#listener = listenLocally(path);
    this.#run();
  }

  /** Waits for a new process from now on; undefined where none could reach this one. */
  static open(
    { socketPath }: ProcessLife,
    subject: OfferSubject,
    timers: Timers = SYSTEM_TIMERS,
  ): UpgradeOffer | undefined {
    if (socketPath === "" || !canSharePort()) return undefined;
    try {
      return new UpgradeOffer(socketPath, subject, timers);
    } catch (error) {
      log.warn("no process will be able to take over from this one: {error}", { error });
      return undefined;
    }
  }

  async #run(): Promise<void> {
    for (;;) {
      try {
        this.#take(await this.#listener.accept());
      } catch (error) {
        if (this.#isStopped) return;
        // Such as one for which no descriptor is left.
        log.warn("no process can take over from this one just now: {error}", { error });
        await new Promise<void>((resolve) => this.#timers.after(ACCEPT_AGAIN_MS, resolve));
      }
    }
  }

  #take(connection: Deno.Conn): void {
    const own: OldCalls = {
      join: async (who) => {
        const refusal = this.#refusal;
        if (refusal !== "") throw new Error(refusal);
        checkCalls(who);
        return await this.#join(who, calls, () => endQuietly(connection));
      },
      ready: () => this.#ready(),
      listening: () => this.#listening(),
      applied: (action) => this.#subject.other.hasApplied(action),
      stopping: () => this.#stays(),
      // One that was refused is not the one that is there.
      left: async () => calls === this.#calls ? await this.#subject.other.left() : undefined,
    };
    const calls: RemoteCalls<NewCalls> = openChannel(connection, own, () => this.#ended(calls));
  }

  /** Why it cannot be taken over from now; empty when it can. */
  get #refusal(): string {
    if (this.#state !== "alone") return "it is taken over from already";
    const { drain, isStopping } = this.#subject;
    if (isStopping() || (drain.hasBegun && !this.#isLeaving)) return "it is ending";
    return this.#subject.other.isThere ? "it takes over from another process itself" : "";
  }

  async #join(
    who: NewProcess,
    calls: RemoteCalls<NewCalls>,
    close: () => void,
  ): Promise<OldProcess> {
    const { pid, version, life } = who;
    log.info("process {pid}, version {version}, is about to take over", { pid, version });
    this.#move("joined");
    this.#calls = calls;
    this.#life = life;
    this.#isCutOff = false;
    const ended = new AbortController();
    const cancel = this.#timers.after(READY_MS, () => {
      log.error("process {pid} was not ready in {s} s: not taken over", {
        pid,
        s: READY_MS / 1000,
      });
      close();
    });
    this.#end = () => {
      cancel();
      ended.abort();
    };
    const { other } = this.#subject;
    other.joined(false, life, (action) => calls.notify("applied", action));
    other.onGone = () => this.#gone();
    other.haveApplied(this.#subject.newestAction());
    const isKnown = await retry(
      () => this.#subject.setAlone(false),
      (error) => log.warn("the coordinator does not know yet of two processes: {error}", { error }),
      {
        signal: AbortSignal.any([ended.signal, AbortSignal.timeout(KNOWN_MS)]),
        timers: this.#timers,
      },
    );
    if (!isKnown) throw new Error("its coordinator does not answer");
    return await this.#subject.describe();
  }

  /** From now on the new process may serve, and counts until it is surely gone. */
  #ready(): string {
    if (this.#state !== "joined") throw new Error("it took too long");
    this.#subject.other.serves();
    this.#move("beside");
    this.#end();
    // What this process is about to answer, it does not wait with any more.
    return this.#subject.newestInHand();
  }

  #listening(): void {
    if (this.#state !== "beside") return;
    this.#move("leaving");
    if (this.#hasStoppedListening) this.stoppedListening();
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    this.#subject.leave(BESIDE_MS);
  }

  /** The new process will be gone: returns whether this one serves on. */
  #stays(): boolean {
    if (this.#isLeaving && this.#subject.drain.callOff()) this.#isLeaving = false;
    return !this.#isLeaving && !this.#subject.isStopping();
  }

  #ended(calls: RemoteCalls<NewCalls>): void {
    if (calls !== this.#calls) return;
    this.#end();
    this.#isCutOff = true;
    if (this.#state === "joined") this.#subject.other.left();
    else this.#subject.other.lost();
  }

  /** The new process is gone, and everything as before, unless our sockets are closed already. */
  async #gone(): Promise<void> {
    this.#end();
    this.#calls = undefined;
    this.#move("alone");
    if (this.#stays()) log.warn("the new process has not taken over: serving as before");
    else {
      log.warn(
        "the new process is gone, and this one lets its clients go already: nobody accepts clients until " +
          "a process is started",
      );
    }
    await this.#subject.setAlone(true);
  }

  /** Tells the new process that ours are the only sockets no more. */
  stoppedListening(): void {
    this.#hasStoppedListening = true;
    this.#calls?.notify("stoppedListening");
  }

  /**
   * Nobody is served here any more.
   *
   * @returns Whether the new process, if there may be one, knows that.
   */
  async stop(): Promise<boolean> {
    this.#isStopped = true;
    this.#listener.close();
    if (this.#calls !== undefined) return await tellLeft(this.#calls);
    // One that was not ready in time lives until it notices that.
    return !this.#isCutOff || isSurelyGone(this.#life);
  }

  #move(next: OfferState): void {
    this.#state = changeState(MOVES, this.#state, next, "upgrade");
  }
}

/** Closes a connection that the other side may have ended: then it is closed already. */
function endQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

/**
 * What a process says of itself that is about to be taken over from.
 *
 * @throws {CoordinatorError} When its store cannot be read.
 */
export async function describeOld(
  store: ReadableStore,
  record: ProxyRecord,
  { ports, workers, httpPort }: {
    readonly ports: readonly number[];
    readonly workers: number;
    readonly httpPort: number;
  },
): Promise<OldProcess> {
  return {
    ...ownCalls(),
    record,
    store: await loadActionsBefore(store),
    clients: ports.map((port) => ({ port, oldSockets: workers })),
    http: { port: httpPort, oldSockets: 1 },
  };
}
