/**
 * The replicas of all masters, by the master's address. They are asked how far they have come only while
 * somebody reads from them.
 *
 * @module
 */

import { clock, HELD_UP_MS } from "../../base/clock.ts";
import type { BackendPool } from "../backends/backend_pool.ts";
import type { RouterOptions } from "../options.ts";
import type { GroupServers } from "../slot_table.ts";
import { NO_READERS, type ReplicaSnapshot } from "../stats_snapshot.ts";
import { Replica, ReplicaGroup } from "./replica_group.ts";

/** How often servers are asked, at most and at least, in milliseconds. */
const POLL_MS = { max: 500, min: 50 } as const;
/** How many polls there are in the time that data may be old. */
const POLLS_IN_LAG = 4;

/** What replicas depend on of the router's options. */
export type ReplicaOptions = Pick<
  RouterOptions,
  "readFrom" | "replicaLagMs" | "replicaLagBytesMax"
>;

/** See the header. */
export class ReplicaSets {
  readonly #pool: BackendPool;
  readonly #options: ReplicaOptions;
  #groups = new Map<string, ReplicaGroup>();
  #given: readonly GroupServers[] = [];
  /** Clients that read from replicas. */
  #readers = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** When the next poll is due; clock milliseconds. */
  #dueMs = 0;
  #wasLate = false;

  constructor(pool: BackendPool, options: ReplicaOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  /** The replicas of a master; nothing when it has none. */
  of(masterAddress: string): ReplicaGroup | undefined {
    return this.#groups.get(masterAddress);
  }

  /**
   * Whether the replicas of a master are about to be known: it was just promoted, or its group has changed. Where
   * there are none, it stays false.
   */
  isSettling(masterAddress: string): boolean {
    const group = this.#groups.get(masterAddress);
    if (group !== undefined) return group.isSettling;
    return this.#given.some(({ replicas }) =>
      replicas.some(({ address }) => address === masterAddress)
    );
  }

  /** All groups with replicas. */
  groups(): IterableIterator<readonly [masterAddress: string, group: ReplicaGroup]> {
    return this.#groups.entries();
  }

  /** How all replicas are at this moment. */
  *snapshots(): Generator<ReplicaSnapshot> {
    const isUsed = this.#timer !== undefined;
    for (const { groupId, replicas } of this.#groups.values()) {
      for (const replica of replicas) {
        const { server: { address }, freshMs, lagBytes, reads, inFlight } = replica;
        const fault = isUsed ? replica.whyOut(this.#options) : NO_READERS;
        const ageMs = freshMs === -Infinity ? -1 : Math.max(0, Math.round(clock.nowMs - freshMs));
        yield { address, groupId, fault, lagBytes, ageMs, reads, inFlight };
      }
    }
  }

  /** Takes the servers of all groups. A group that is as it was keeps what is known of its replicas. */
  set(given: readonly GroupServers[]): void {
    const before = this.#groups;
    const known = new Map(this.#given.map((group) => [group.master, JSON.stringify(group)]));
    this.#groups = new Map();
    this.#given = given.filter(({ replicas }) => replicas.length > 0);
    for (const each of this.#given) {
      const { groupId, master, distance, replicas } = each;
      const same = known.get(master) === JSON.stringify(each) ? before.get(master) : undefined;
      if (same !== undefined) before.delete(master);
      this.#groups.set(
        master,
        same ?? new ReplicaGroup(
          groupId,
          distance,
          replicas.map((each) => new Replica(this.#pool.acquire(each.address), each.distance)),
          this.#options,
        ),
      );
    }
    for (const group of before.values()) {
      group.stop();
      for (const { server } of group.replicas) {
        server.readsOf = null;
        this.#pool.release(server);
      }
    }
    if (this.#timer !== undefined) this.#poll();
    this.#run();
  }

  /** A client reads from replicas from now on. */
  join(): void {
    this.#readers++;
    this.#run();
  }

  /** It does not any more. */
  leave(): void {
    this.#readers--;
    this.#run();
  }

  /** The options are others now. */
  optionsChanged(): void {
    this.#stopPolls();
    this.#run();
  }

  #run(): void {
    const { readFrom, replicaLagMs } = this.#options;
    const isWanted = this.#groups.size > 0 && (readFrom !== "master" || this.#readers > 0);
    if (isWanted === (this.#timer !== undefined)) return;
    if (!isWanted) return this.#stopPolls();
    const ms = Math.max(POLL_MS.min, Math.min(POLL_MS.max, replicaLagMs / POLLS_IN_LAG));
    this.#dueMs = clock.tick();
    this.#timer = setInterval(() => {
      this.#look();
      this.#dueMs = clock.nowMs + ms;
    }, ms);
    this.#poll();
  }

  #look(): void {
    // What came while we were held up has not been read yet, and no replica is late for that.
    this.#wasLate = !this.#wasLate && clock.tick() - this.#dueMs > HELD_UP_MS;
    setTimeout(() => {
      if (this.#timer !== undefined) this.#poll();
    }, 0);
  }

  #poll(): void {
    clock.tick();
    for (const [address, group] of this.#groups) {
      group.poll(this.#pool.find(address), !this.#wasLate);
    }
  }

  #stopPolls(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Ends everything. */
  stop(): void {
    this.#stopPolls();
    for (const group of this.#groups.values()) group.stop();
  }
}
