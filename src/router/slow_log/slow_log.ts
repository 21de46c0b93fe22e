/**
 * The slow log: requests that took long, with what each of their stages took; of this router.
 *
 *     answered request ─► slow_watch.ts: written, and slow? ─► noted ─► entry ─► the newest entries
 *                                                                        └───► LATENCY's events
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import type { BeginningOfArguments } from "../monitor/monitor_filter.ts";
import type { Request } from "../request.ts";
import { describeNoted, type DoneRequest, type ShownRequest, showRequest } from "./done_request.ts";
import { type LatencyEvent, LatencyEvents } from "./latency_events.ts";
import { LoopWatch } from "./loop_watch.ts";
import { type NotedRequest, NotedRequests } from "./noted_request.ts";
import { longestStage } from "./stages.ts";
import type { RequestEnd, WatchedClient } from "./watched_client.ts";

/** Entries that are kept, as Redis; see {@linkcode SlowLogSettings}. */
const ENTRIES_MAX = 128;
/** Entries that may be made at once, and for each second: where everything is slow, this makes it no slower. */
const BURST = 64;
const PER_SECOND = 100;
/** How long it takes until the next one may be made, in milliseconds. */
const SPENT_MS = 1000 / PER_SECOND;
/**
 * Requests of one client in flight whose arguments are kept: of long pipelines, where each request costs
 * little, the first ones stand for all.
 */
const REMEMBERED_MAX = 4;
/** Entries more than are kept, before the oldest are dropped. */
const EXCESS_MAX = 1_024;
/** How many there may be in all workers together, whatever is asked for. */
export const SLOW_LOG_LENGTH_MAX = 100_000;

/** A slow request, in plain values: what workers tell each other, and the API answers. */
export interface SlowRequest extends ShownRequest {
  readonly id: number;
  /** When it was written, in Unix milliseconds. */
  readonly atMs: number;
}

/** MONITOR SLOW: who watches slow requests besides the log. */
export interface SlowMonitors {
  /** From how many milliseconds on; Infinity: nobody watches. */
  readonly slowMs: number;
  /** There was one. Borrows the arguments. */
  sawSlow(slow: ShownRequest, command: Command, args: BeginningOfArguments): void;
}

/** Who reports slow requests that the log has, and others that were noted for it. */
export interface SlowReports {
  /** Whether a slow request is to be reported; else it is already. */
  wantsSlow(request: Request): boolean;
  /** Borrows the note. */
  report(done: DoneRequest, note: NotedRequest): void;
}

/** What may be set while the proxy runs; not kept over a restart. */
export interface SlowLogSettings {
  /** In microseconds; 0 logs every request, a negative number none. */
  readonly slowerThanUs: number;
  /** Entries that are kept. */
  readonly length: number;
}

/** What a router is told about its slow log and LATENCY's events. */
export interface SlowLogOrder {
  readonly settings?: Partial<SlowLogSettings>;
  /** Forget the entries. */
  readonly isReset?: boolean;
  /** Forget these events; null: all. */
  readonly resetEvents?: readonly string[] | null;
  /** Count the times of requests from zero. */
  readonly resetTimes?: boolean;
}

/** What a router has, before it does what it is told. */
export interface SlowLogReading {
  /** Newest first. */
  readonly entries: readonly SlowRequest[];
  readonly events: readonly LatencyEvent[];
}

/** See the header. */
export class SlowLog {
  /** A request is slow from so many milliseconds on. */
  slowerThanMs = Infinity;
  /** From so many milliseconds on somebody is told of a request: the log, or a monitor. */
  leastMs = Infinity;
  /** How many requests of a client in flight have their arguments kept. */
  rememberedMax = 0;
  /** Who reports slow requests that the log has, too; null where nobody does. */
  reports: SlowReports | null = null;
  /** Who watches slow requests; null while nobody does. */
  monitors: SlowMonitors | null = null;
  /** Until then, in clock milliseconds, no entry may be made. */
  spentUntilMs = 0;
  /** Requests that are told of soon, in the log or in reports. */
  readonly noted: NotedRequests = new NotedRequests((note) => this.#tell(note));
  readonly events = new LatencyEvents();
  readonly loop = new LoopWatch((ms) => {
    if (ms >= this.slowerThanMs) this.events.add("loop", ms);
  });
  #settings: SlowLogSettings;
  /** Oldest first; some more than are kept, since the oldest are dropped many at once. */
  #entries: SlowRequest[] = [];
  /** Entries that may be made now, as of then. */
  #allowance = BURST;
  #allowanceMs = 0;
  /** How many requests are waited for of which entries may be made. */
  #awaited = 0;
  readonly #nextId: () => number;

  /** @param nextId Counts the entries of all routers of the proxy: who has seen one knows which are newer. */
  constructor(slowerThanUs: number, nextId: () => number) {
    this.#nextId = nextId;
    this.#settings = { slowerThanUs, length: ENTRIES_MAX };
    this.set({});
  }

  /** Whether any request can be slow. */
  get isOn(): boolean {
    return this.rememberedMax > 0;
  }

  /** Whether every request is logged or watched, also what the proxy answers at once. */
  get takesAll(): boolean {
    return this.slowerThanMs === 0 || this.monitors?.slowMs === 0;
  }

  /** Somebody watches slow requests, or nobody any more. */
  monitor(monitors: SlowMonitors): void {
    this.monitors = monitors.slowMs === Infinity ? null : monitors;
    this.#remember();
  }

  #remember(): void {
    this.leastMs = Math.min(this.slowerThanMs, this.monitors?.slowMs ?? Infinity);
    const kept = this.slowerThanMs === Infinity ? 0 : REMEMBERED_MAX;
    this.rememberedMax = this.monitors === null ? kept : Infinity;
  }

  get settings(): SlowLogSettings {
    return this.#settings;
  }

  /** Changes settings. */
  set(settings: Partial<SlowLogSettings>): void {
    this.noted.tellAll();
    this.#settings = { ...this.#settings, ...settings };
    const { slowerThanUs } = this.#settings;
    this.slowerThanMs = slowerThanUs < 0 ? Infinity : slowerThanUs / 1000;
    this.#remember();
    this.#drop();
  }

  #drop(): void {
    this.#entries.splice(0, this.#entries.length - this.#settings.length);
  }

  /**
   * Whether an entry may be made of a request that takes so long already: then it must be told by
   * {@linkcode isDue} later. Where everything is slow, no more are waited for than may be made; monitors miss none.
   */
  mayBeDue(ms: number, nowMs: number): boolean {
    if (this.monitors !== null) return true;
    if (ms < this.slowerThanMs || nowMs < this.spentUntilMs) return false;
    this.#earn(nowMs);
    if (this.#awaited + 1 > this.#allowance) {
      this.#awaited = 0;
      this.spentUntilMs = nowMs + SPENT_MS;
      return false;
    }
    this.#awaited++;
    return true;
  }

  #earn(nowMs: number): void {
    const earned = (nowMs - this.#allowanceMs) / 1000 * PER_SECOND;
    this.#allowance = Math.min(BURST, this.#allowance + earned);
    this.#allowanceMs = nowMs;
  }

  /** Whether an entry may be made now of a request that took so long. */
  isDue(ms: number, nowMs: number): boolean {
    if (ms < this.slowerThanMs) return false;
    this.#earn(nowMs);
    if (this.#awaited > 0) this.#awaited--;
    if (this.#allowance < 1) {
      this.spentUntilMs = nowMs + SPENT_MS;
      return false;
    }
    this.#allowance--;
    return true;
  }

  /** A slow request, for which an entry may be made, was written just now. Copies what it needs. */
  saw(request: Request, client: WatchedClient, end: RequestEnd): void {
    const note = this.noted.note(request, client, end);
    note.slowId = this.#nextId();
    note.slowAtMs = Date.now();
    if (this.reports?.wantsSlow(request) === true) note.reportWeight = 0;
  }

  #tell(note: NotedRequest): void {
    const done = describeNoted(note, this.loop);
    const { slowId, slowAtMs, reportWeight } = note;
    if (slowId >= 0) {
      this.#keep({ id: slowId, atMs: slowAtMs, ...showRequest(done, note.beginningBytes) });
    }
    if (reportWeight >= 0) this.reports?.report(done, note);
  }

  /** Adds a slow request that was answered at once. */
  add(slow: ShownRequest): void {
    this.noted.tellAll(); // they were earlier
    this.#keep({ id: this.#nextId(), atMs: Date.now(), ...slow });
  }

  #keep(slow: SlowRequest): void {
    const { atMs } = slow;
    const { length } = this.#settings;
    this.#entries.push(slow);
    if (this.#entries.length > length + Math.min(length, EXCESS_MAX)) this.#drop();
    const stage = longestStage(slow.stages);
    // What holds the loop up reports itself.
    if (stage !== "loop") this.events.add(stage, (slow.stages[stage] ?? 0) / 1000, atMs);
  }

  /** What it has, before it does what it is told. */
  read({ settings, isReset, resetEvents }: SlowLogOrder): SlowLogReading {
    this.noted.tellAll();
    this.#drop();
    const reading = { entries: this.#entries.toReversed(), events: this.events.read() };
    if (isReset) this.#entries = [];
    if (resetEvents !== undefined) this.events.reset(resetEvents);
    if (settings !== undefined) this.set(settings);
    return reading;
  }
}

/** The entries of several routers, the newest first. */
export function mergeSlow(all: readonly SlowLogReading[]): SlowRequest[] {
  return all.flatMap(({ entries }) => entries).sort((a, b) => b.id - a.id);
}
