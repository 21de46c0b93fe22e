/**
 * Decides which of several dashboards leads: one at a time. A dashboard that was replaced changes nothing.
 *
 *     standing by ── `dashboard` is free: created, ephemeral ──► epoch written ──► leading
 *          ▲                                                                          │
 *          └────────── entry gone, or another one's; epoch written by another ◄───────┘
 *
 * The entry ends with the session of the dashboard that made it, so a crash leaves nothing behind. What a
 * dashboard writes carries the condition that the epoch is still its own (`guard`): a paused one that
 * wakes when another leads cannot write any more, whatever it believes.
 *
 * A Codis 2.0 dashboard makes the same entry, persistent, and knows no epoch; it is respected, and
 * recognised by that.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { logger } from "../base/log.ts";
import { Backoff } from "../base/backoff.ts";
import { type Operation, OPERATIONS_MAX } from "../coordinator/coordinator.ts";
import {
  BadVersionError,
  ClosedError,
  NodeExistsError,
  NoNodeError,
} from "../coordinator/errors.ts";
import { decodeDashboard, encodeDashboard } from "../model/dashboard.ts";
import { checkIsHere } from "../store/moves.ts";
import { createIfMissing, deleteIfThere, readIfThere, type Store } from "../store/store.ts";
import { NotLeaderError, sameAddressText } from "./errors.ts";

/** What happens on the way. */
export interface LeadershipEvents {
  /**
   * This dashboard leads from now on; when it rejects, it stands by again.
   *
   * @param previous The address of the dashboard that led before; `""`: none has.
   */
  onLead(previous: string): Promise<void>;
  /** It does not any more. */
  onDepose(): Promise<void>;
}

/** Operations that a guarded transaction takes, the guard not counted. */
export const GUARDED_MAX = OPERATIONS_MAX - 1;

/** Waits between two tries to become the leader when the store fails. */
const RETRY = { firstMs: 100, maxMs: 3_000 };

/** How long an entry without an epoch must stay until it is taken for Codis 2.0's, in milliseconds. */
export const FOREIGN_MS = 2_000;

/** How long another one's entry with our address must stay: that of a dashboard that died goes; milliseconds. */
const SAME_ADDRESS_MS = 10_000;

/** How often it is asked who leads now, when the store does not answer, and the time between, in milliseconds. */
const LEADER_READS = 10;
const LEADER_ROUND_MS = 50;

const log = logger("dashboard");

/** See the header. */
export class Leadership {
  readonly #store: Store;
  readonly #events: LeadershipEvents;
  readonly #own: string;
  readonly #addr: string;
  readonly #decided = Promise.withResolvers<void>();
  #leader = "";
  /** The version of the epoch as we wrote it; undefined while we do not lead. */
  #epoch: number | undefined;
  #isStopping = false;
  #running: Promise<void> = Promise.resolve();
  #wake: () => void = () => {};

  /** `addr` is where this dashboard is reached. */
  constructor(store: Store, addr: string, events: LeadershipEvents) {
    this.#store = store;
    this.#events = events;
    this.#addr = addr;
    this.#own = encodeDashboard({ addr, pid: Deno.pid, id: crypto.randomUUID() });
  }

  /** What it writes as its entry: no other dashboard writes the same, though it may have the same address. */
  get entry(): string {
    return this.#own;
  }

  /** Whether this dashboard leads, as far as it knows. */
  get isLeading(): boolean {
    return this.#epoch !== undefined;
  }

  /** Resolves when this dashboard leads for the first time, knows who else does, or cannot tell. */
  get decided(): Promise<void> {
    return this.#decided.promise;
  }

  /** Where the leader is, `host:port`; empty while no dashboard leads. */
  get leader(): string {
    return this.#leader;
  }

  /** Says that this dashboard does not lead, or not yet, and where the one is that does. */
  get notLeader(): NotLeaderError {
    if (this.isLeading) return new NotLeaderError(this.#addr, "taking over");
    return new NotLeaderError(this.#leader, this.#leader === this.#addr ? "same address" : "");
  }

  /**
   * Begins to try for the lead, and goes on until {@linkcode Leadership.stop}.
   *
   * @param takeOver Removes the entry of a Codis 2.0 dashboard that crashed.
   */
  start(takeOver: boolean): void {
    this.#running = this.#run(takeOver);
  }

  /** Gives the lead up, and the entry with it. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#decided.resolve();
    this.#wake();
    await this.#running;
  }

  /**
   * Changes the store, provided that this dashboard still leads: all of it, or nothing.
   *
   * @param operations At most {@linkcode GUARDED_MAX}.
   * @throws {NotLeaderError} When it does not.
   */
  async transact(operations: readonly Operation[]): Promise<void> {
    if (this.#epoch === undefined) throw this.notLeader;
    const { coordinator, paths } = this.#store;
    try {
      const guard = { check: paths.dashboardEpoch, version: this.#epoch };
      await coordinator.transact([guard, ...operations]);
    } catch (error) {
      if (!(error instanceof BadVersionError || error instanceof NoNodeError)) throw error;
      if (error.path !== paths.dashboardEpoch) throw error;
      throw await this.#lost();
    }
  }

  /**
   * Asks the store whether this dashboard still leads: it may have been stopped for so long that its session has
   * ended.
   *
   * @throws {NotLeaderError} When it does not.
   */
  async prove(): Promise<void> {
    await this.transact([]);
    if (await readIfThere(this.#store, this.#store.paths.dashboard) === this.#own) return;
    throw await this.#lost();
  }

  /** The store says that this dashboard does not lead; the error that says who does. */
  async #lost(): Promise<NotLeaderError> {
    this.#epoch = undefined;
    log.warn("this dashboard has lost the lead: its session has ended, or another one took over");
    await this.#readLeader();
    this.#wake();
    return this.notLeader;
  }

  /** Reads who leads instead; after a while without an answer nobody is known to. */
  async #readLeader(): Promise<void> {
    this.#leader = "";
    const { dashboard } = this.#store.paths;
    for (let i = 0; i < LEADER_READS && !this.#isStopping; i++) {
      try {
        const entry = await readIfThere(this.#store, dashboard);
        if (entry !== undefined && entry !== this.#own) this.#leader = addrOf(entry);
        return;
      } catch {
        await delay(LEADER_ROUND_MS);
      }
    }
  }

  async #run(takeOver: boolean): Promise<void> {
    const backoff = new Backoff(RETRY);
    if (takeOver) await this.#removeForeign().catch((error) => log.warn("{error}", { error }));
    while (!this.#isStopping) {
      try {
        if (await this.#waitForPlace()) {
          await this.#lead();
          backoff.reset();
        }
      } catch (error) {
        this.#decided.resolve();
        if (error instanceof ClosedError) return;
        log.warn("this dashboard cannot lead yet, retrying: {error}", { error });
        await this.#pause(backoff.nextMs());
      }
    }
  }

  /** Waits until the entry is free, and makes it ours; false when stopped. */
  async #waitForPlace(): Promise<boolean> {
    const { coordinator, paths } = this.#store;
    const watch = coordinator.watchData(paths.dashboard);
    this.#wake = () => watch.close();
    let warned = "";
    let sameAddress: ReturnType<typeof setTimeout> | undefined;
    try {
      for await (const entry of watch) {
        if (this.#isStopping) return false;
        if (entry === undefined) {
          try {
            await coordinator.create(paths.dashboard, this.#own, "ephemeral");
            return true;
          } catch (error) {
            if (!(error instanceof NodeExistsError)) throw error;
            continue; // another one was faster: the watch has its entry
          }
        }
        if (entry.data === this.#own) {
          // Our own entry of an earlier session: it would never end by itself, and no dashboard would lead.
          log.info("this dashboard removed its own entry of an earlier session");
          await deleteIfThere(this.#store, paths.dashboard);
          continue;
        }
        this.#leader = addrOf(entry.data);
        this.#decided.resolve();
        if (warned === entry.data) continue;
        warned = entry.data;
        log.info("this dashboard stands by: the one at {leader} leads", { leader: this.#leader });
        this.#warnOfForeign(entry.data);
        clearTimeout(sameAddress);
        if (this.#leader !== this.#addr) continue;
        sameAddress = setTimeout(() => log.warn(sameAddressText(this.#addr)), SAME_ADDRESS_MS);
      }
      return false;
    } finally {
      clearTimeout(sameAddress);
      watch.close();
    }
  }

  async #lead(): Promise<void> {
    const { coordinator, paths } = this.#store;
    await createIfMissing(this.#store, paths.dashboardEpoch, "");
    const previous = addrOf((await coordinator.read(paths.dashboardEpoch)).data);
    const epoch = await coordinator.write(paths.dashboardEpoch, this.#own);
    try {
      // After the epoch was written: who moves the product elsewhere writes that first, then the epoch.
      await checkIsHere(this.#store);
    } catch (error) {
      await this.#leave();
      throw error;
    }
    this.#epoch = epoch;
    this.#decided.resolve();
    this.#leader = addrOf(this.#own);
    log.info("this dashboard takes the lead");
    try {
      await this.#events.onLead(previous);
      await this.#untilDeposed();
    } finally {
      this.#epoch = undefined;
      await this.#readLeader();
      await this.#events.onDepose();
      await this.#leave();
    }
  }

  /** Resolves when the entry is not ours any more, or the lead was lost otherwise. */
  async #untilDeposed(): Promise<void> {
    const { coordinator, paths } = this.#store;
    const watch = coordinator.watchData(paths.dashboard);
    this.#wake = () => watch.close();
    try {
      for await (const entry of watch) {
        if (this.#isStopping || this.#epoch === undefined) return;
        if (entry?.data === this.#own) continue;
        log.warn("the entry of this dashboard is gone: it stands by");
        return;
      }
    } finally {
      watch.close();
    }
  }

  async #leave(): Promise<void> {
    try {
      const { paths } = this.#store;
      if (await readIfThere(this.#store, paths.dashboard) !== this.#own) return;
      await deleteIfThere(this.#store, paths.dashboard);
    } catch (error) {
      log.warn("the entry of this dashboard was not removed, it ends with the session: {error}", {
        error,
      });
    }
  }

  /** Logs an error when the leader is a Codis 2.0 dashboard, which may have crashed. */
  #warnOfForeign(data: string): void {
    setTimeout(async () => {
      if (this.#isStopping || this.isLeading) return;
      try {
        if (!await this.#isForeign(data)) return;
        // Codis 2.0's text begins like this.
        log.error(
          "dashboard already exists: {data}: stop that Codis 2.0 dashboard; if it " +
            "crashed, start this one with --take-over",
          { data },
        );
      } catch (error) {
        log.debug("it is not known which dashboard leads: {error}", { error });
      }
    }, FOREIGN_MS);
  }

  async #isForeign(data: string): Promise<boolean> {
    const { paths } = this.#store;
    if (await readIfThere(this.#store, paths.dashboard) !== data) return false;
    return await readIfThere(this.#store, paths.dashboardEpoch) !== data;
  }

  async #removeForeign(): Promise<void> {
    const { paths } = this.#store;
    const data = await readIfThere(this.#store, paths.dashboard);
    if (data === undefined) return;
    // One of ours writes the epoch right after its entry.
    await this.#pause(FOREIGN_MS);
    if (!await this.#isForeign(data)) return;
    log.warn("taking over from the dashboard that left {data}", { data });
    await deleteIfThere(this.#store, paths.dashboard);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function addrOf(data: string): string {
  try {
    return decodeDashboard(data).addr;
  } catch {
    return data;
  }
}
