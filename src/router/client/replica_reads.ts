/**
 * One client's reads from replicas: which requests may go there, and what is made sure for the client.
 *
 *      read  ─► has the client written to the slot? ─ replicas have it ─► replica ─► reply ─► client
 *                        │ none has it                                       └─ fails, errs ─► master, once
 *                        └───────────────────────────────────► master
 *      write ─► reads of the slot under way at replicas? ─ they are answered first ─► master
 *
 * **Its own writes.** What a slot is written by is under way, or ended at a moment. A replica serves the
 * slot for this client from when it has everything that was acknowledged until that moment, which is known
 * by asking the master after it (slots/replica_group.ts). Until then the master does.
 *
 * **Order.** A write would overtake a read that is under way at a replica, and be seen by it. So it is
 * not sent before such reads of its slot are answered.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import type { Command } from "../../command/command.ts";
import { COMMANDS } from "../../command/command_table.ts";
import { KeyIndexes, keyIndexes } from "../../command/key.ts";
import { latin1 } from "../../resp/latin1.ts";
import { RequestParser } from "../../resp/request_parser.ts";
import type { Backend } from "../backends/backend.ts";
import type { Server } from "../backends/server.ts";
import { noReplica } from "../errors.ts";
import type { ReadFrom, RouterOptions } from "../options.ts";
import {
  failRequest,
  type FlightCounter,
  type Request,
  type RequestOwner,
  type RouteBackend,
  type Ways,
} from "../request.ts";
import type { ReplicaGroup } from "../slots/replica_group.ts";
import type { ReplicaSets } from "../slots/replica_sets.ts";
import { connectionSlotId } from "../slots/route.ts";
import type { Slot } from "../slots/slot.ts";

/** Slots with own writes from which on those are forgotten that do not count any more. */
const WRITES_KEPT = 64;
const MINUS = 45;
/** How a replica begins an error that says that it cannot serve at this moment. */
const UNFIT = /^-(LOADING|MASTERDOWN|BUSY|NOAUTH) /;
/** Longest error that is looked at, in bytes. */
const ERROR_BYTES = 256;

const KEYS = new KeyIndexes();

const NEVER = 0;
const ALWAYS = 1;
/** Not before Redis 4, where a replica finds keys that have expired. */
const SINCE_4 = 2;

/** Which commands may go to replicas, by id: what just reads keys that it names, and is about their values. */
const MAY_READ = Uint8Array.from(
  COMMANDS,
  (command) => !mayRead(command) ? NEVER : command.name === "exists" ? SINCE_4 : ALWAYS,
);

function mayRead({ name, isReadOnly, keyPlaces, caution, handling, isBlocking }: Command): boolean {
  const isScript = caution === "script" || caution === "function";
  // What these say differs from server to server; before Redis 7, PFCOUNT counts keys that have expired.
  const isAboutServer = /^(touch$|dump$|pfcount$|object\||memory\||debug)/.test(name);
  const isSent = handling === "forward" || handling === "split";
  return isReadOnly && keyPlaces !== "none" && isSent && !isScript && !isBlocking && !isAboutServer;
}

/** What the reads of a client need of it. */
export interface ReadingClient {
  readonly replies: RequestOwner & {
    /** Counts reply bytes that are held, or no longer are when negative. */
    holds(bytes: number): void;
  };
  readonly watches: readonly unknown[];
  readonly shared: {
    readonly options: Pick<RouterOptions, "readYourWrites">;
    readonly totals: { retriedReads: number };
    readonly slots: { readonly all: readonly Slot[]; readonly replicas: ReplicaSets };
  };
}

/** See the header. */
export class ReplicaReads implements Ways, RouteBackend, RequestOwner {
  readonly policy: ReadFrom;
  readonly #client: ReadingClient;
  /** Reads under way at replicas, by slot. */
  readonly #reading = new Map<number, number>();
  readonly #written = new Map<number, OwnWrites>();
  readonly #scripts = new Writes();
  /** How many there may be until it is looked which of them can be forgotten. */
  #forgetAt = WRITES_KEPT;
  /** Until when it may have written to any slot. */
  #allMs = -Infinity;
  #hasMissed = false;
  /** Where the request goes that is being sent; null when no replica serves. */
  #chosen: Backend | null = null;
  #sending: Request | null = null;
  #refusal = "";
  #isRetrying = false;

  constructor(client: ReadingClient, policy: ReadFrom) {
    this.#client = client;
    this.policy = policy;
    client.shared.slots.replicas.join();
  }

  /** The client reads from replicas no longer, or is gone. */
  end(): void {
    this.#client.shared.slots.replicas.leave();
  }

  /** Nobody asks for the reply any more: a request that waits need not be sent. */
  get isGone(): boolean {
    return this.#client.replies.isGone;
  }

  // -- order ------------------------------------------------------------------------------------

  /** Whether reads are under way at replicas. */
  get isBusy(): boolean {
    return this.#reading.size > 0;
  }

  /** Whether reads are that would see what this command writes, which names keys of this slot. */
  isReading(slotId: number, command: Command): boolean {
    if (this.#reading.size === 0) return false;
    return mayWriteAnything(command) || this.#reading.has(slotId);
  }

  /** The client writes, or has written, what is not seen here; it sends nothing more before that has ended. */
  missed(): void {
    this.#hasMissed = true;
  }

  // -- ways -------------------------------------------------------------------------------------

  at(server: { readonly address: string }, request: Request): RouteBackend {
    const master = server as Server;
    const { command, database, protocol } = request;
    if (this.#hasMissed) {
      this.#hasMissed = false;
      this.#allMs = clock.nowMs;
    }
    if (command === null || !command.isReadOnly) this.#writes(request);
    else if (MAY_READ[command.id]! > NEVER && request.slot !== null && this.#isWhole(request)) {
      const group = this.#client.shared.slots.replicas.of(master.address);
      const slot = this.#client.shared.slots.all[request.slot.id]!;
      if (this.#isRefused(master.address)) {
        this.#refusal = noReplica(master.address, group?.whyNone() ?? "its group has none");
        this.#chosen = null;
        return this;
      }
      if (group !== undefined && slot.isOpen) {
        const sinceMs = Math.max(slot.settledMs, this.#writtenMs(slot.id));
        const needsNew = MAY_READ[command.id] === SINCE_4;
        const { id } = slot;
        this.#chosen = group.choose(this.policy, master, sinceMs, needsNew, database, protocol, id);
        if (this.#chosen !== null) return this;
        group.masterReads++;
      }
    }
    return master.backend(database, protocol, connectionSlotId(request));
  }

  /** Whether no replica of a master can serve now, and the master may not instead. */
  #isRefused(masterAddress: string): boolean {
    const { replicas } = this.#client.shared.slots;
    return this.policy === "replica" && replicas.of(masterAddress)?.isServed !== true &&
      !replicas.isSettling(masterAddress);
  }

  /**
   * Whether it is a client's request as it came, and nothing is sent with it. A client that watches keys
   * must see them as they were watched, at the master.
   */
  #isWhole(request: Request): boolean {
    const { replies, watches } = this.#client;
    return request.owner === replies && request.leads === null && watches.length === 0;
  }

  begin(request: Request): boolean {
    const chosen = this.#chosen;
    if (chosen === null) {
      failRequest(request, this.#refusal);
      return false;
    }
    const slotId = request.slot!.id;
    this.#reading.set(slotId, (this.#reading.get(slotId) ?? 0) + 1);
    this.#sending = request;
    request.owner = this;
    return chosen.begin(request);
  }

  /** @param bytes The whole request, which is kept until it is answered, to be sent once more. */
  append(bytes: Uint8Array, start: number, end: number): void {
    if (!this.#isRetrying) this.#sending!.keep(bytes, start, end);
    this.#sending = null;
    this.#chosen!.append(bytes, start, end);
  }

  // -- replies ----------------------------------------------------------------------------------

  replied(request: Request, bytes: Uint8Array, start: number, end: number, isLast: boolean): void {
    const { replies } = this.#client;
    if (isLast && request.replyType === MINUS) {
      if (!this.#mayErr(request, bytes, start, end) && this.#retries(request)) return;
    }
    if (isLast) this.#ended(request);
    replies.replied(request, bytes, start, end, isLast);
  }

  failed(request: Request, text: string): void {
    if (this.#retries(request)) return;
    this.#ended(request);
    this.#client.replies.failed(request, text);
  }

  /** It is its client's again, as any other request. */
  #ended(request: Request): void {
    const slotId = request.slot!.id;
    const left = this.#reading.get(slotId)! - 1;
    if (left > 0) this.#reading.set(slotId, left);
    else this.#reading.delete(slotId);
    request.owner = this.#client.replies;
    request.keptBytes = 0;
  }

  /**
   * Whether an error of a replica is the answer: where the master may be asked, it has the last word, since
   * a replica may be another version, or know other users.
   */
  #mayErr(request: Request, bytes: Uint8Array, start: number, end: number): boolean {
    const { held, heldStart, heldBytes, backend } = request;
    const text = held !== null && heldBytes > 0
      ? latin1(held, heldStart, heldStart + Math.min(heldBytes, ERROR_BYTES))
      : latin1(bytes, start, Math.min(end, start + ERROR_BYTES));
    const isUnfit = UNFIT.test(text);
    if (isUnfit) this.#groupOf(request)?.saidUnfit(backend!.server.address, text);
    return !isUnfit && this.policy === "replica";
  }

  /** The group that owns the request's slot. */
  #groupOf(request: Request): ReplicaGroup | undefined {
    const { all, replicas } = this.#client.shared.slots;
    return replicas.of(all[request.slot!.id]!.server?.address ?? "");
  }

  /** Sends a read that a replica has not answered to the master, or where that may not be, to another one. */
  #retries(request: Request): boolean {
    const { kept, keptBytes, command } = request;
    const { replies, shared: { slots, totals } } = this.#client;
    const hasReplied = request.replyBytes > request.heldBytes && request.replyType !== MINUS;
    if (keptBytes === 0 || replies.isGone || hasReplied) return false;
    const slot = slots.all[request.slot!.id]!;
    if (this.#isRefused(slot.server?.address ?? "")) return false;
    totals.retriedReads++;
    this.#ended(request);
    request.slot!.leave();
    request.slot = null;
    if (this.policy !== "replica") request.ways = null;
    replies.holds(-request.heldBytes);
    request.dropReply();
    if (!slot.isOpen) request.keys = keysOf(command!, kept!.subarray(0, keptBytes));
    this.#isRetrying = true; // once: it is not kept again
    slot.send(request, kept!, 0, keptBytes);
    this.#isRetrying = false;
    return true;
  }

  // -- own writes -------------------------------------------------------------------------------

  #writes(request: Request): void {
    if (!this.#client.shared.options.readYourWrites) return;
    if (request.slot !== null) request.slot = this.#writesTo(request.slot.id);
    if (mayWriteAnything(request.command) && request.slot !== null) {
      request.slot = new ScriptWrites(request.slot, this.#scripts);
    }
    if (request.slots !== null) request.slots = request.slots.map(({ id }) => this.#writesTo(id));
  }

  #writesTo(slotId: number): OwnWrites {
    let writes = this.#written.get(slotId);
    if (writes === undefined) {
      if (this.#written.size >= this.#forgetAt) this.#forget();
      writes = new OwnWrites(this.#client.shared.slots.all[slotId]!);
      this.#written.set(slotId, writes);
    }
    return writes;
  }

  /** Until when what the client has written to a slot must be seen. */
  #writtenMs(slotId: number): number {
    if (!this.#client.shared.options.readYourWrites) return -Infinity;
    const ms = this.#written.get(slotId)?.endedMs ?? -Infinity;
    return Math.max(ms, this.#scripts.endedMs, this.#allMs);
  }

  /** Forgets what every replica has that may serve. */
  #forget(): void {
    const { replicas } = this.#client.shared.slots;
    for (const [slotId, writes] of this.#written) {
      const group = replicas.of(this.#client.shared.slots.all[slotId]!.server?.address ?? "");
      if (group === undefined || writes.endedMs >= group.leastFreshMs) continue;
      this.#written.delete(slotId);
    }
    this.#forgetAt = Math.max(WRITES_KEPT, 2 * this.#written.size);
  }
}

/** Writes of one client. */
class Writes {
  /** When the last one ended, in clock milliseconds; infinite while one is under way. */
  endedMs = -Infinity;
  #inFlight = 0;

  begin(): void {
    this.#inFlight++;
    this.endedMs = Infinity;
  }

  end(): void {
    if (--this.#inFlight === 0) this.endedMs = clock.nowMs;
  }
}

/** The writes of one client to one slot, which count as in flight at the slot. */
class OwnWrites extends Writes implements FlightCounter {
  readonly id: number;
  readonly #slot: FlightCounter;

  constructor(slot: FlightCounter) {
    super();
    this.id = slot.id;
    this.#slot = slot;
  }

  enter(): void {
    this.begin();
    this.#slot.enter();
  }

  leave(): void {
    this.end();
    this.#slot.leave();
  }
}

/** A script's writes, to its slot and to any other. */
class ScriptWrites implements FlightCounter {
  readonly id: number;
  readonly #slot: FlightCounter;
  readonly #scripts: Writes;

  constructor(slot: FlightCounter, scripts: Writes) {
    this.id = slot.id;
    this.#slot = slot;
    this.#scripts = scripts;
  }

  enter(): void {
    this.#scripts.begin();
    this.#slot.enter();
  }

  leave(): void {
    this.#scripts.end();
    this.#slot.leave();
  }
}

/** Whether a write may change keys that it does not name. */
function mayWriteAnything(command: Command | null): boolean {
  return command?.caution === "script" || command?.caution === "function";
}

function keysOf(command: Command, bytes: Uint8Array): string[] {
  const parser = new RequestParser();
  parser.parse(bytes, 0, bytes.length);
  const count = keyIndexes(command, parser, KEYS);
  return [...KEYS.values.subarray(0, Math.max(0, count))].map((key) =>
    latin1(bytes, parser.start(key), parser.end(key))
  );
}
