/**
 * Outages as events: what is down, since when, and what has ended. Whoever sees one reports it as often as
 * he likes; an event is made of it once.
 *
 *     begin ─► lasts for the kind's afterMs ─► event "begin" ─► end ───────────────► event "end", with its duration
 *       │                                          ▲             │
 *       └─ end before that: nothing                └── begin ◄───┴─ it comes and goes: not before it was
 *                                                   (counted)       well for SETTLE_MS
 *
 * @module
 */

import { beginning } from "../base/excerpt.ts";
import { type OutageEvent, type OutageKind, outageKind } from "../model/outage_event.ts";

/** Outages of one subject within {@linkcode FLAP_WINDOW_MS} from which on it comes and goes. */
const FLAPS = 3;
/** See {@linkcode FLAPS}; in milliseconds. */
const FLAP_WINDOW_MS = 5 * 60_000;
/** How long something that comes and goes must be well until its outage has ended, in milliseconds. */
const SETTLE_MS = 60_000;
/** Within which equal events of one moment are counted together, in milliseconds. */
const TOGETHER_MS = 60_000;
/**
 * How long an outage that an earlier dashboard has told of stays open without anybody who sees it, in
 * milliseconds.
 */
const INHERITED_MS = 60_000;
/** Longest text, cause or hint, in characters. */
const TEXT_MAX = 500;

/** What somebody has seen. */
export interface OutageReport {
  readonly kind: OutageKind;
  /**
   * `begin`: it is so, and may be reported again as long as it is. `end`: it is not so; where nothing had
   * begun, that is no event. `once`: it has happened; for kinds that have no end.
   */
  readonly phase: OutageEvent["phase"];
  /** What it happened to: an address, a proxy's id, `group 3`; with the kind, it names the outage. */
  readonly subject: string;
  /** @default the kind's; of an end, `info` */
  readonly severity?: OutageEvent["severity"];
  readonly group?: number;
  readonly server?: string;
  readonly proxy?: string;
  /** What happened, to what: `group 1: the master 10.0.0.1:6379 does not answer`. No full stop. */
  readonly text: string;
  /** Why, as far as it is known: `connection refused`. */
  readonly cause?: string;
  /** What to do, as a sentence without full stop: `start it again`. */
  readonly hint?: string;
  /** For how long it has been so, in milliseconds. @default 0 */
  readonly forMs?: number;
  /**
   * Of a begin: an outage that was told goes on, but none begins by this: nothing new is known of it, or it
   * follows from another one.
   *
   * @default false
   */
  readonly onlyIfOpen?: boolean;
}

/** What is made of an event: the newest state of it, each time that it changes. */
export type OutageSink = (event: Omit<OutageEvent, "seq" | "is_sent">, isNew: boolean) => void;

type Event = Parameters<OutageSink>[0];

/** One thing that is or was out. */
interface Track {
  /** The event that told of it; undefined: none yet. */
  begun: Event | undefined;
  /** The last report. */
  report: OutageReport;
  /** Since when it is out, as reported; undefined: it is well. */
  illSince: number | undefined;
  /** Since when it is well after an outage that was told. */
  wellSince: number | undefined;
  /** Whether the interruption since `illSince` was counted. */
  isCounted: boolean;
  /** When outages of it were told. */
  readonly begins: number[];
  /** Taken over from an earlier dashboard at this time, and not seen here yet. */
  inheritedAt: number | undefined;
}

/** Counts of one kind. */
export interface OutageCounts {
  /** Events: begins, ends, and what happened once, repetitions counted. */
  readonly events: number;
  /** Outages that are open now. */
  readonly open: number;
  /** Seconds that outages lasted, those that are open included. */
  readonly seconds: number;
}

/** See the header. */
export class Outages {
  readonly #sink: OutageSink;
  readonly #now: () => number;
  readonly #tracks = new Map<string, Track>();
  readonly #lastOnce = new Map<string, Event>();
  readonly #events = new Map<OutageKind, number>();
  readonly #endedMs = new Map<OutageKind, number>();

  /** @param now The wall clock, in milliseconds. */
  constructor(sink: OutageSink, now: () => number = Date.now) {
    this.#sink = sink;
    this.#now = now;
  }

  /** Takes over outages that an earlier dashboard has told of, and that have not ended. */
  inherit(events: readonly Event[]): void {
    for (const event of events) {
      const key = keyOf(event);
      if (this.#tracks.get(key)?.begun !== undefined) continue;
      this.#tracks.set(key, {
        begun: event,
        report: { ...reportOf(event), phase: "begin" },
        illSince: event.at,
        wellSince: undefined,
        isCounted: true,
        begins: [event.at],
        inheritedAt: this.#now(),
      });
    }
  }

  /** Forgets all outages but those of a kind: another dashboard has them now. */
  forget(except: OutageKind): void {
    for (const [key, { report }] of this.#tracks) {
      if (report.kind !== except) this.#tracks.delete(key);
    }
    this.#lastOnce.clear();
  }

  /** Takes a report. */
  report(report: OutageReport): void {
    if (report.phase === "once") return this.#once(report);
    if (report.phase === "begin") this.#begin(report);
    else this.#end(report);
  }

  /** What becomes due with time; to be called every second. */
  round(): void {
    const now = this.#now();
    for (const [key, track] of this.#tracks) {
      if (track.inheritedAt !== undefined && now - track.inheritedAt >= INHERITED_MS) {
        const text = `${track.report.text}: nobody reports this any more`;
        this.#end({ ...reportOf(track.report), phase: "end", text, cause: "", hint: "" });
      }
      this.#judge(track);
      const isOver = track.begun === undefined && track.illSince === undefined;
      if (isOver && now - (track.begins.at(-1) ?? 0) > FLAP_WINDOW_MS) this.#tracks.delete(key);
    }
    for (const [key, { at }] of this.#lastOnce) {
      if (now - at > TOGETHER_MS) this.#lastOnce.delete(key);
    }
  }

  /**
   * Ends the outages of a kind whose subjects are not there any more.
   *
   * @param subjects Those that are.
   */
  keepOnly(kind: OutageKind, subjects: ReadonlySet<string>): void {
    for (const track of this.#tracks.values()) {
      const { report } = track;
      if (report.kind !== kind || subjects.has(report.subject) || track.illSince === undefined) {
        continue;
      }
      const text = `${report.text}: it was removed from the cluster`;
      this.#end({ ...reportOf(report), phase: "end", text, cause: "", hint: "" });
    }
  }

  /** The outages that were told and have not ended, newest first. */
  get open(): readonly Event[] {
    return [...this.#tracks.values()].flatMap(({ begun }) => begun ?? [])
      .sort((a, b) => b.at - a.at);
  }

  /** Figures of a kind, since this process started. */
  counts(kind: OutageKind): OutageCounts {
    const open = this.open.filter((event) => event.kind === kind);
    const openMs = open.reduce((sum, { at }) => sum + Math.max(0, this.#now() - at), 0);
    return {
      events: this.#events.get(kind) ?? 0,
      open: open.length,
      seconds: ((this.#endedMs.get(kind) ?? 0) + openMs) / 1000,
    };
  }

  // -- pairs --

  #begin(report: OutageReport): void {
    const key = keyOf(report);
    let track = this.#tracks.get(key);
    if (report.onlyIfOpen && track?.begun === undefined) {
      if (track !== undefined) track.illSince = undefined;
      return;
    }
    if (track === undefined) {
      track = {
        ...{ begun: undefined, report, illSince: undefined, wellSince: undefined },
        ...{ isCounted: false, begins: [], inheritedAt: undefined },
      };
      this.#tracks.set(key, track);
    }
    track.report = report;
    track.inheritedAt = undefined;
    if (track.illSince === undefined) {
      track.illSince = this.#now() - Math.round(report.forMs ?? 0);
      track.isCounted = false;
    }
    this.#judge(track);
  }

  #end(report: OutageReport): void {
    const track = this.#tracks.get(keyOf(report));
    if (track === undefined) return;
    track.inheritedAt = undefined;
    track.illSince = undefined;
    if (track.begun === undefined) return;
    track.report = report;
    track.wellSince ??= this.#now();
    this.#judge(track);
  }

  #judge(track: Track): void {
    const now = this.#now();
    const { report, illSince } = track;
    if (illSince !== undefined) {
      if (track.isCounted || now - illSince < outageKind(report.kind).afterMs) return;
      track.isCounted = true;
      track.wellSince = undefined;
      if (track.begun === undefined) this.#tellBegin(track, illSince);
      else this.#countAgain(track);
    } else if (track.begun !== undefined && track.wellSince !== undefined) {
      if (isFlapping(track, now) && now - track.wellSince < SETTLE_MS) return;
      this.#tellEnd(track, track.begun, track.wellSince);
    }
  }

  #tellBegin(track: Track, at: number): void {
    const { report } = track;
    track.begins.push(at);
    track.begins.splice(0, track.begins.length - FLAPS);
    const cause = isFlapping(track, at)
      ? `it comes and goes, its end is told after ${SETTLE_MS / 1000} s without another; ${
        report.cause ?? ""
      }`
      : report.cause ?? "";
    track.begun = eventOf({ ...report, cause }, newId(report.kind, at), at, 1);
    this.#tell(track.begun);
  }

  #countAgain(track: Track): void {
    const begun = track.begun!;
    track.begins.push(this.#now());
    track.begins.splice(0, track.begins.length - FLAPS);
    track.begun = { ...begun, count: begun.count + 1 };
    this.#sink(track.begun, false);
  }

  #tellEnd(track: Track, begun: Event, wellSince: number): void {
    const { report } = track;
    const duration_ms = Math.max(0, wellSince - begun.at);
    track.begun = undefined;
    track.wellSince = undefined;
    const kind = begun.kind;
    this.#endedMs.set(kind, (this.#endedMs.get(kind) ?? 0) + duration_ms);
    const { group, server, proxy } = { ...reportOf(begun), ...report };
    this.#tell({
      ...eventOf({ severity: "info", ...report }, begun.outage, wellSince, begun.count),
      ...{ group, server, proxy, duration_ms },
    });
  }

  // -- what happens once --

  #once(report: OutageReport): void {
    const at = this.#now();
    const key = `${keyOf(report)} ${report.text} ${report.cause ?? ""}`;
    const last = this.#lastOnce.get(key);
    if (last !== undefined && at - last.at < TOGETHER_MS) {
      const counted = { ...last, count: last.count + 1 };
      this.#lastOnce.set(key, counted);
      this.#sink(counted, false);
      return;
    }
    const event = eventOf(report, newId(report.kind, at), at, 1);
    this.#lastOnce.set(key, event);
    this.#tell(event);
  }

  #tell(event: Event): void {
    this.#events.set(event.kind, (this.#events.get(event.kind) ?? 0) + 1);
    this.#sink(event, true);
  }
}

/** Whether something comes and goes so often that not every interruption is told. */
function isFlapping({ begins, report }: Track, now: number): boolean {
  if (outageKind(report.kind).isAlwaysTold) return false;
  return begins.length === FLAPS && now - begins[0]! < FLAP_WINDOW_MS;
}

/** An event in one line: what, why, for how long, how often, what to do. */
export function outageLine(event: Event): string {
  const { text, cause, hint, duration_ms, count } = event;
  const after = duration_ms === undefined ? "" : `, after ${Math.round(duration_ms / 1000)} s`;
  const times = count === 1 ? "" : ` (${count} times)`;
  const why = cause === "" ? "" : `: ${cause}`;
  return `${text}${after}${times}${why}${hint === "" ? "" : `; what to do: ${hint}`}`;
}

function keyOf({ kind, subject }: Pick<OutageReport, "kind" | "subject">): string {
  return `${kind} ${subject}`;
}

function newId(kind: OutageKind, at: number): string {
  return `${kind}-${at.toString(36)}-${crypto.randomUUID().slice(0, 8)}`;
}

function reportOf(event: OutageReport | Event): Omit<OutageReport, "phase" | "severity"> {
  const { kind, subject, group, server, proxy, text, cause, hint } = event;
  return {
    ...{ kind, subject, text, cause: cause ?? "", hint: hint ?? "" },
    ...group === undefined ? {} : { group },
    ...server === undefined ? {} : { server },
    ...proxy === undefined ? {} : { proxy },
  };
}

function eventOf(report: OutageReport, outage: string, at: number, count: number): Event {
  const { kind, phase, subject, severity = outageKind(kind).severity } = report;
  const { group, server, proxy } = report;
  const id = phase === "once" ? outage : `${outage}-${phase}`;
  return {
    ...{ id, outage, at, phase, kind, severity, subject, group, server, proxy },
    text: oneLine(report.text),
    cause: oneLine(report.cause ?? ""),
    hint: oneLine(report.hint ?? ""),
    count,
  };
}

/** On one line, and not too long. */
function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex
  const line = text.replace(/[\x00-\x1f\x7f-\x9f]+/g, " ").trim();
  return beginning(line, TEXT_MAX);
}
