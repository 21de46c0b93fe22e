/**
 * Lines of the access log on their way to who writes them: a worker's to the process that has the file.
 *
 *     line ─► gathered for 100 ms ─► written, one batch at a time ─► next batch
 *
 * Nobody waits for them. What cannot be taken in time is lost, and counted.
 *
 * @module
 */

import { countOf } from "../../base/count_of.ts";
import { textOfBytes } from "../../acl/users.ts";
import { logger } from "../../base/log.ts";
import type { ReportedRequest } from "./reported_request.ts";

/** How long lines are gathered, in milliseconds. */
const GATHER_MS = 100;
/** Text that is not gathered for so long: it is written at once, in characters. */
const GATHERED_TEXT_MAX = 128 * 1024;
/** Text that waits at most, in characters. */
const WAITING_TEXT_MAX = 1024 * 1024;

const log = logger("access_log");

/** Writes lines, each with its end; resolves with whether that was possible. */
export type WriteLines = (lines: string) => Promise<boolean>;

/** See the header. */
export class AccessLines {
  readonly #write: WriteLines;
  readonly #totals: { lostAccessLines: number };
  #text = "";
  #count = 0;
  /** Lines that found no room since the last batch was taken. */
  #lost = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> | undefined;

  /** @param totals Where lost lines are counted. */
  constructor(write: WriteLines, totals: { lostAccessLines: number }) {
    this.#write = write;
    this.#totals = totals;
  }

  /** Takes what makes a line, without its end: it is called if there is room. */
  add(makeLine: () => string): void {
    if (this.#text.length > WAITING_TEXT_MAX) {
      this.#totals.lostAccessLines++;
      this.#lost++;
      return;
    }
    this.#text += `${makeLine()}\n`;
    this.#count++;
    if (this.#writing === undefined) {
      if (this.#text.length > GATHERED_TEXT_MAX) return void this.flush();
      this.#timer ??= setTimeout(() => void this.flush(), GATHER_MS);
    }
  }

  /** Resolves when all lines are written, or lost. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return this.#writing ??= this.#writeAll().finally(() => this.#writing = undefined);
  }

  async #writeAll(): Promise<void> {
    while (this.#count > 0) {
      const [text, count, lost] = [this.#text, this.#count, this.#lost];
      this.#text = "";
      this.#count = this.#lost = 0;
      if (lost > 0) {
        log.warn("the access log cannot keep up and has lost {lost}", {
          lost: countOf(lost, "line"),
        });
      }
      const isWritten = await this.#write(text).catch(() => false);
      if (!isWritten) this.#totals.lostAccessLines += count;
    }
  }
}

/** A request as a line of JSON: who, what, where, how long, and no key or value. */
export function accessLine(request: ReportedRequest, traceId: string): string {
  return JSON.stringify({
    time: timeText(request.atMs),
    client: request.client,
    name: textOfBytes(request.clientName) || undefined,
    user: textOfBytes(request.user),
    db: request.database,
    command: request.command,
    keys: request.keys < 0 ? undefined : request.keys,
    slot: request.slot < 0 ? undefined : request.slot,
    server: request.server || undefined,
    request_bytes: request.requestBytes,
    reply_bytes: request.replyBytes,
    usecs: request.usecs,
    stages: request.stages,
    end: request.end,
    error: request.isError || undefined,
    slow: request.isSlow || undefined,
    sample: request.sample,
    trace_id: traceId || undefined,
  });
}

/** The second that was written last, in Unix seconds, and its beginning as text. */
let second = NaN;
let secondText = "";

/** A time as Date's toISOString has it, which takes as long as all the rest of a line. */
function timeText(ms: number): string {
  const itsSecond = Math.floor(ms / 1000);
  if (itsSecond !== second) {
    second = itsSecond;
    secondText = new Date(second * 1000).toISOString().slice(0, -"000Z".length);
  }
  return `${secondText}${String(Math.floor(ms) - second * 1000).padStart(3, "0")}Z`;
}
