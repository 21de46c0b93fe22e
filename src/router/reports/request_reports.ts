/**
 * Reports requests that are sampled or slow: as spans, and as lines of the access log.
 *
 *     sampled ─┐
 *              ├─► written to its client ─► noted ─► 32 of them, or 100 ms ─► described once ─┬─► span
 *     slow ────┘                                                                              └─► line
 *
 * A request that is both is reported once. While neither is wanted, nobody samples for it.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import { logger } from "../../base/log.ts";
import type { Command } from "../../command/command.ts";
import type { Request } from "../request.ts";
import type { SampleObserver, Sampling } from "../sampling/sampling.ts";
import { describeAtOnce, type DoneRequest } from "../slow_log/done_request.ts";
import type { NotedRequest } from "../slow_log/noted_request.ts";
import { BeginningArguments } from "../slow_log/shown_arguments.ts";
import type { SlowLog, SlowReports } from "../slow_log/slow_log.ts";
import type { RequestEnd, WatchedClient } from "../slow_log/watched_client.ts";
import { keyCountOf, keysOfNoted, type ReportedRequest } from "./reported_request.ts";

/** How long requests are noted before they are described, in milliseconds. */
const NOTED_MS_MAX = 100;

const log = logger("traces");

/** Where reports go. */
export interface ReportSinks {
  /** Makes a span; returns its trace's id. Null: requests are not traced. */
  readonly span: ((request: ReportedRequest) => string) | null;
  /** Writes a line; the trace's id is empty where there is none. Null: there is no access log. */
  readonly line: ((request: ReportedRequest, traceId: string) => void) | null;
}

/** See the header. */
export class RequestReports implements SampleObserver, SlowReports {
  every: number;
  readonly #sinks: ReportSinks;
  readonly #sampling: Sampling;
  readonly #slowLog: SlowLog;
  readonly #isWanted: boolean;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param every One of so many requests is reported, and all slow ones; 0: only those. */
  constructor(every: number, sinks: ReportSinks, sampling: Sampling, slowLog: SlowLog) {
    this.#sinks = sinks;
    this.#sampling = sampling;
    this.#slowLog = slowLog;
    this.#isWanted = sinks.span !== null || sinks.line !== null;
    this.every = this.#isWanted ? every : 0;
    if (!this.#isWanted) return;
    sampling.add(this);
    slowLog.reports = this;
  }

  /** One of so many requests is reported from now on, where reports are wanted. */
  reportOneOf(every: number): void {
    if (!this.#isWanted || every === this.every) return;
    this.every = every;
    this.#sampling.changed();
  }

  sampled(request: Request, client: WatchedClient, weight: number, end: RequestEnd): void {
    this.#slowLog.noted.note(request, client, end).reportWeight = weight;
    this.#describeSoon();
  }

  #describeSoon(): void {
    this.#timer ??= setTimeout(() => this.flush(), NOTED_MS_MAX);
  }

  /** What is noted is described, and reported, now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#slowLog.noted.tellAll();
  }

  sampledAtOnce(command: Command, client: WatchedClient, reply: Uint8Array, weight: number): void {
    this.#slowLog.noted.tellAll(); // they were earlier
    const { done, bytes } = describeAtOnce(command, client, reply.length);
    const keys = keyCountOf(command, new BeginningArguments(bytes));
    this.#report(done, clock.nowMs, isErrorType(reply[0] ?? 0), keys, weight);
  }

  wantsSlow(request: Request): boolean {
    if (this.#sampling.weightOf(request, this) > 0) return false;
    this.#describeSoon();
    return true;
  }

  report(done: DoneRequest, note: NotedRequest): void {
    const isError = note.isFailed || isErrorType(note.replyType);
    this.#report(done, note.writtenMs, isError, keysOfNoted(note), note.reportWeight);
  }

  #report(
    done: DoneRequest,
    writtenMs: number,
    isError: boolean,
    keys: number,
    sample: number,
  ): void {
    const request: ReportedRequest = {
      ...done,
      atMs: performance.timeOrigin + writtenMs,
      sample,
      isSlow: done.usecs >= this.#slowLog.slowerThanMs * 1000,
      isError,
      keys,
    };
    const { span, line } = this.#sinks;
    const traceId = span === null ? "" : this.#trace(span, request);
    line?.(request, traceId);
  }

  /** Traces a request; what goes wrong there is no reason to fail it. */
  #trace(span: NonNullable<ReportSinks["span"]>, request: ReportedRequest): string {
    try {
      return span(request);
    } catch (error) {
      log.warn("requests are not traced: {error}", { error });
      return "";
    }
  }
}

/** Whether a reply that begins so is an error, in RESP2 or RESP3. */
function isErrorType(replyType: number): boolean {
  return replyType === 0x2d /* - */ || replyType === 0x21; /* ! */
}
