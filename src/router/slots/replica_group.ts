/**
 * The replicas of one master, how far they have come, and which of them a read goes to.
 *
 *      poll:   master: INFO replication ──► offset M, asked at t
 *              replica: INFO replication ─► offset R      R ≥ M: it has all that was acknowledged before t
 *                                           R < M: asked again soon, a few times
 *
 *      read:   has it what the client needs? ─► is that new enough? ─► the nearest ─► the least busy
 *
 * What counts is `freshMs`: the replica has everything that the master had acknowledged by then. Both a
 * client's own writes and the bound for old data are moments of the same clock, so nothing is guessed. It
 * counts only in one history (the master's replication id, before Redis 4 what the master says of its
 * replicas), while the replica's own offset does not go back, and only until a connection to the replica is lost.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import { isOlder } from "../../base/version.ts";
import { encodeRequest, type Protocol } from "../../resp/encoder.ts";
import type { Backend } from "../backends/backend.ts";
import { askServer } from "../backends/question.ts";
import type { Server } from "../backends/server.ts";
import type { ReadFrom } from "../options.ts";
import type { GroupServers } from "../slot_table.ts";
import { readReplication, type ReplicationState } from "./replication_info.ts";

const INFO = encodeRequest(["INFO", "replication"]);
/** Pauses before a replica that has not caught up is asked again, in milliseconds. */
const AGAIN_MS = [2, 10, 50];
/** Polls of the master that are remembered. */
const POLLS_KEPT = 256;
/** A replica whose oldest request waits for longer is passed over, in milliseconds. */
const SLOW_MS = 250;
/** Bounds of the time after which the requests of a replica that says nothing go to the master, in milliseconds. */
const SILENT_MS = { min: 500, max: 2_000 } as const;

/** The first that hides keys which have expired from those who read from a replica. */
const HIDES_EXPIRED = "3.2";
/** How long the replicas of a master may take, from when they are known on, to be asked what they have; in milliseconds. */
const SETTLING_MS = 1_000;

/** Why a replica serves no reads whose role or master is not what the store says. */
const NO_REPLICA = "it is no replica";
const NOT_OF_MASTER = "it does not follow the master of its group";
/** Nobody reads anything of such a group. */
const NO_SLOTS = "its group owns no slots";
/** Longest reason that is shown, in characters. */
const REASON_CHARACTERS_MAX = 160;
/** Farther away than any server. */
const FAR = 3;

/** Bounds for old data. */
export interface LagBounds {
  readonly replicaLagMs: number;
  readonly replicaLagBytesMax: number;
}

/** One replica. Times are clock milliseconds. */
export class Replica {
  readonly server: Server;
  readonly distance: GroupServers["distance"];
  /** It has everything that was acknowledged by its master before; see the header. */
  freshMs = -Infinity;
  /** Why it serves no reads, as far as polls know; empty when it does. */
  fault = "it was not asked yet";
  /** Connections that had been lost when it was asked. */
  losses = -1;
  /** How far behind its master it was, in bytes. */
  lagBytes = 0;
  /** Whether it is as Redis 4 at least; before, EXISTS finds keys that have expired. */
  isNew = false;
  /** How far it was when it was last asked, in bytes. */
  offset = -1;
  /** Reads that were sent to it. */
  reads = 0;

  constructor(server: Server, distance: GroupServers["distance"]) {
    this.server = server;
    this.distance = distance;
  }

  /** Requests that it has not answered. */
  get inFlight(): number {
    let sum = 0;
    for (const backend of this.server.backends()) sum += backend.inFlight;
    return sum;
  }

  /** Why it serves no reads now; empty when it does. */
  whyOut({ replicaLagMs }: LagBounds): string {
    if (this.fault !== "") return this.fault;
    if (this.losses !== this.server.losses) return "a connection to it was lost";
    const ageMs = clock.nowMs - this.freshMs;
    if (ageMs <= replicaLagMs) return "";
    return `it has not caught up with its master for ${Math.min(Math.round(ageMs), 1e9)} ms`;
  }
}

/** A poll of the master that was answered. */
interface Poll {
  readonly askedMs: number;
  readonly offset: number;
}

/** See the header. */
export class ReplicaGroup {
  readonly groupId: number;
  readonly distance: GroupServers["distance"];
  readonly replicas: readonly Replica[];
  /** Reads that went to the master, of clients that may read from replicas. */
  masterReads = 0;
  readonly #bounds: LagBounds;
  readonly #polls: Poll[] = [];
  #history = "";
  /** The replicas that the master knows; before Redis 4. */
  #known: readonly string[] = [];
  /** Connections to the master that had been lost when it was asked. */
  #losses = 0;
  /** The master's address. */
  #address = "";
  #isAsking = false;
  /** Whether the master has answered the last time. */
  #isMasterThere = false;
  #isStopped = false;
  readonly #sinceMs = clock.nowMs;
  /** The master's role, by its own word. */
  #role = "";
  /** When a server was found in another role: one is promoted, which the store will say. */
  #promotedMs = -Infinity;
  /** Whether a replica was found that has what the master had. */
  #hasSettled = false;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  /** Where the search for the least busy begins, so that all get their share. */
  #turn = 0;

  constructor(
    groupId: number,
    distance: GroupServers["distance"],
    replicas: readonly Replica[],
    bounds: LagBounds,
  ) {
    this.groupId = groupId;
    this.distance = distance;
    this.replicas = replicas;
    this.#bounds = bounds;
  }

  // -- reads --------------------------------------------------------------------------------------

  /**
   * The replica's connection that a read is sent over; null for the master's.
   *
   * @param sinceMs What was acknowledged until then must be seen.
   * @param needsNew Whether only replicas of Redis 4 and newer are right.
   */
  choose(
    policy: ReadFrom,
    master: Server,
    sinceMs: number,
    needsNew: boolean,
    database: number,
    protocol: Protocol,
    slotId: number,
  ): Backend | null {
    const own = master.backend(database, protocol, slotId);
    const doesAnswer = own.takesRequests && own.oldestMs() <= SLOW_MS;
    if (policy === "prefer_master" && doesAnswer) return null;
    const isNearest = policy === "nearest";
    const isCandidate = isNearest && doesAnswer;
    let best: Backend | null = null;
    let chosen: Replica | null = null;
    let distance: number = isCandidate ? this.distance : FAR;
    let inFlight = isCandidate ? own.inFlight : Infinity;
    const { length } = this.replicas;
    // Of those that are equally good, each comes first in turn; of the nearest, the master, too.
    const first = this.#turn = (this.#turn + 1) % (length + (isNearest ? 1 : 0));
    for (let i = 0; i < length; i++) {
      const replica = this.replicas[(first + i) % length]!;
      const away = isNearest ? replica.distance : 0;
      if (away > distance || replica.freshMs <= sinceMs || (needsNew && !replica.isNew)) continue;
      const backend = replica.server.backend(database, protocol, slotId);
      const count = backend.inFlight;
      const isFirst = chosen === null && first < length;
      const isBetter = away < distance || count < inFlight || (count === inFlight && isFirst);
      if (!isBetter || !backend.takesRequests || backend.oldestMs() > SLOW_MS) continue;
      if (replica.whyOut(this.#bounds) !== "") continue;
      best = backend;
      chosen = replica;
      distance = away;
      inFlight = count;
    }
    if (chosen !== null) chosen.reads++;
    return best;
  }

  /** A replica has answered with an error that says that it cannot serve: it is out until it is asked. */
  saidUnfit(address: string, error: string): void {
    const replica = this.replicas.find(({ server }) => server.address === address);
    if (replica !== undefined) replica.fault = reasonOf(error);
  }

  /** Whether a replica serves. */
  get isServed(): boolean {
    return this.replicas.some((replica) => replica.whyOut(this.#bounds) === "");
  }

  /** Whether the master or its replicas have just changed, and it is not known yet what each has. */
  get isSettling(): boolean {
    const { nowMs } = clock;
    return (!this.#hasSettled && nowMs - this.#sinceMs < SETTLING_MS) ||
      nowMs - this.#promotedMs < SETTLING_MS;
  }

  /** Until when all replicas have everything, of those that may serve. */
  get leastFreshMs(): number {
    let least = Infinity;
    for (const { freshMs } of this.replicas) {
      // One that is older than it may be serves again when it is newer.
      const isOut = clock.nowMs - freshMs > this.#bounds.replicaLagMs;
      if (!isOut && freshMs < least) least = freshMs;
    }
    return Math.min(least, clock.nowMs - this.#bounds.replicaLagMs);
  }

  /** Why no replica serves. */
  whyNone(): string {
    return this.replicas.map((replica) =>
      `${replica.server.address}: ${replica.whyOut(this.#bounds)}`
    ).join("; ");
  }

  // -- polls --------------------------------------------------------------------------------------

  /**
   * Asks master and replicas how far they are; called again and again.
   *
   * @param isOnTime Whether what replicas have said by now has been read.
   */
  poll(master: Server | undefined, isOnTime = true): void {
    if (isOnTime) this.#breakOffSilent();
    for (const { server } of this.replicas) server.readsOf = master ?? null;
    if (master === undefined) {
      for (const replica of this.replicas) replica.fault = NO_SLOTS;
      return;
    }
    if (this.#isAsking) return;
    this.#isAsking = true;
    const askedMs = clock.tick();
    const { losses } = master;
    ask(master, (answer) => {
      this.#isAsking = false;
      if (this.#isStopped) return;
      this.#isMasterThere = typeof answer !== "string";
      if (typeof answer !== "string") this.#masterSaid(answer, askedMs, losses, master.address);
      for (const replica of this.replicas) this.#askReplica(replica, 0);
    });
  }

  #masterSaid(found: ReplicationState, askedMs: number, losses: number, address: string): void {
    const { role, history, offset, replicas } = found;
    const last = this.#polls.at(-1);
    // Before Redis 4, nothing but the lost connection tells that it has started anew.
    const isNew = history !== this.#history || (last !== undefined && offset < last.offset) ||
      (history === "" && losses !== this.#losses);
    if (isNew || role !== "master") {
      // What replicas have is compared with another stream of changes from now on.
      this.#polls.length = 0;
      for (const replica of this.replicas) replica.freshMs = -Infinity;
    }
    if (this.#role === "master" && role !== "master") this.#promotedMs = clock.nowMs;
    this.#role = role;
    this.#history = history;
    this.#known = replicas;
    this.#losses = losses;
    this.#address = address;
    if (role !== "master") return;
    this.#polls.push({ askedMs, offset });
    if (this.#polls.length > POLLS_KEPT) this.#polls.shift();
  }

  #askReplica(replica: Replica, attempt: number): void {
    const { server } = replica;
    const { losses } = server;
    ask(server, (answer) => {
      if (this.#isStopped) return;
      // It may have started anew, with older data.
      if (replica.losses !== losses) replica.freshMs = -Infinity;
      replica.losses = losses;
      if (typeof answer === "string") {
        replica.fault = answer;
        return;
      }
      this.#replicaSaid(replica, answer);
      const newest = this.#polls.at(-1);
      const isBehind = newest !== undefined && replica.freshMs < newest.askedMs;
      if (!isBehind || attempt >= AGAIN_MS.length || replica.fault !== "") return;
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        clock.tick();
        this.#askReplica(replica, attempt + 1);
      }, AGAIN_MS[attempt]);
      this.#timers.add(timer);
    });
  }

  #replicaSaid(replica: Replica, found: ReplicationState): void {
    const newest = this.#polls.at(-1);
    // It has got all of its master's data anew, or is just about to.
    if (found.offset < replica.offset) replica.freshMs = -Infinity;
    replica.offset = found.offset;
    replica.isNew = found.history !== "";
    const fault = this.#faultOf(replica, found);
    const isOther = fault === NO_REPLICA || fault === NOT_OF_MASTER;
    if (replica.fault === "" && isOther) this.#promotedMs = clock.nowMs;
    replica.fault = fault;
    if (newest === undefined || !this.#isOfMaster(replica, found)) return;
    replica.lagBytes = Math.max(0, newest.offset - found.offset);
    const reached = this.#polls.findLast(({ offset }) => offset <= found.offset);
    if (reached !== undefined) {
      replica.freshMs = Math.max(replica.freshMs, reached.askedMs);
      this.#hasSettled = true;
    }
    if (replica.fault === "" && replica.lagBytes > this.#bounds.replicaLagBytesMax) {
      replica.fault = `it is ${replica.lagBytes} bytes behind its master`;
    }
  }

  #faultOf(replica: Replica, found: ReplicationState): string {
    if (found.role !== "slave") return NO_REPLICA;
    if (this.#polls.length === 0) return "its master does not answer as one";
    if (!this.#isOfMaster(replica, found)) return NOT_OF_MASTER;
    const old = replica.isNew ? "" : whyTooOld(replica.server);
    if (old !== "") return old;
    // While the master is away, what a replica has does not get older than the time tells.
    if (!found.isLinked && this.#isMasterThere) return "its link to the master is down";
    return "";
  }

  #isOfMaster({ server }: Replica, found: ReplicationState): boolean {
    if (this.#history !== "") return found.history === this.#history;
    const known = this.#known;
    // A name is none that the master knows: then the port must do, and the replica's own word.
    return known.includes(server.address) ||
      (found.master === this.#address && known.some((each) => each.endsWith(`:${server.port}`)));
  }

  /** What waits for a replica that says nothing is sent to the master instead. */
  #breakOffSilent(): void {
    const { replicaLagMs } = this.#bounds;
    const limitMs = Math.min(SILENT_MS.max, Math.max(SILENT_MS.min, replicaLagMs));
    for (const { server } of this.replicas) {
      if (clock.nowMs - server.heardMs <= limitMs) continue;
      for (const backend of [...server.backends()]) {
        if (backend.oldestMs() > limitMs) backend.breakOff(`no answer for ${limitMs} ms`);
      }
    }
  }

  /** Asks no more. */
  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}

/** @param answered Gets what the server says, or why it does not. */
function ask(server: Server, answered: (answer: ReplicationState | string) => void): void {
  // HELLO 3 has just opened a connection that will do.
  askServer(server.backend(0, server.resp3 === "yes" ? 3 : 2), INFO, (text, isReply) => {
    const found = isReply ? readReplication(text) : null;
    answered(found ?? reasonOf(text));
  });
}

function reasonOf(error: string): string {
  return error.replace(/^-/, "").trim().slice(0, REASON_CHARACTERS_MAX);
}

/** Why a server before Redis 4 may not serve reads as a replica; empty when it may. */
function whyTooOld({ version }: Server): string {
  if (!version.isSettled) version.ask(() => {});
  if (version.text === "") return "its version is not known yet";
  if (!isOlder(version.text, HIDES_EXPIRED)) return "";
  return `it is Redis ${version.text}, which returns keys that have expired`;
}
