/**
 * Who did what through the dashboard: in memory, in the store, in the log, and in the file of `audit_log`.
 *
 *     request answered ─► noted ─┬─► a line in the file and in the log, at once
 *                                └─► its page in the store, with all others of this second
 *
 * Equal refusals of one address within a minute are one entry with a count.
 *
 * @module
 */

import { logger } from "../../base/log.ts";
import { StoredRing, type Transact } from "../../control/stored_ring.ts";
import { type AuditEntry, isRefused } from "../../model/audit_entry.ts";
import { AUDIT_RINGS } from "../../store/page_rings.ts";
import type { Store } from "../../store/store.ts";
import type { AuditLog } from "./audit_log.ts";

/** For how long one write to the store gathers what was done, and what was refused, in milliseconds. */
const WITHIN_MS = { done: 1_000, refused: 10_000 } as const;
/** Within which equal refusals are counted together, in milliseconds. */
const TOGETHER_MS = 60_000;

/** The request whose arguments name nobody but users that there are. */
const LOGIN = "POST /api/login/user";

const log = logger("audit");

/** What is noted of a request. */
export type AuditNote = Omit<AuditEntry, "seq" | "at" | "count">;

/** See the header. */
export class AuditTrail {
  readonly #file: AuditLog;
  readonly #rings: Readonly<Record<keyof typeof AUDIT_RINGS, StoredRing<AuditEntry>>>;

  constructor(store: Store, file: AuditLog, transact: Transact) {
    this.#file = file;
    this.#rings = {
      done: new StoredRing(store, AUDIT_RINGS.done, transact),
      refused: new StoredRing(store, AUDIT_RINGS.refused, transact),
    };
  }

  /** Takes over from the dashboard that led before. */
  async load(): Promise<void> {
    await this.#rings.done.load();
    await this.#rings.refused.load();
  }

  /** This dashboard does not lead any more. */
  unload(): void {
    this.#rings.done.unload();
    this.#rings.refused.unload();
  }

  /** Notes something. */
  note(note: AuditNote): void {
    const kind = isRefused(note) ? "refused" : "done";
    logNote(note);
    const ring = this.#rings[kind];
    const at = Date.now();
    const last = kind === "refused" ? lastEqual(ring.records, note, at) : undefined;
    if (last === undefined) {
      this.#file.write(ring.add({ at, ...note, count: 1 }, WITHIN_MS[kind]));
      return;
    }
    const entry = { ...last, count: last.count + 1 };
    ring.change(entry, WITHIN_MS[kind]);
    // Powers of two: a flood writes few lines.
    if (Number.isInteger(Math.log2(entry.count))) this.#file.write({ ...entry, at });
  }

  /** The entries, newest first. */
  newest(): AuditEntry[] {
    const { done, refused } = this.#rings;
    return [...done.records, ...refused.records].sort((a, b) => b.at - a.at || b.seq - a.seq);
  }

  /** Resolves when everything is in the store and in the file, or that has failed. */
  async flush(): Promise<void> {
    await this.#rings.done.flush();
    await this.#rings.refused.flush();
    await this.#file.flush();
  }
}

/** A line for the log: who, from where, by what, what, and how it ended. */
function logNote(note: AuditNote): void {
  const { who, address, by, request, arguments: given, status, end } = note;
  const say = status < 400 ? log.info.bind(log) : log.warn.bind(log);
  say("{who} ({sender}): {request}{given}: {end}", {
    who,
    sender: address === "" ? by : `${by} at ${address}`,
    request,
    given: given === "" ? "" : ` ${given}`,
    end: status < 400 ? end : `${status} ${end}`,
  });
}

/** The entry of the last minute that says the same. */
function lastEqual(
  entries: readonly AuditEntry[],
  note: AuditNote,
  nowMs: number,
): AuditEntry | undefined {
  return entries.findLast((entry) =>
    nowMs - entry.at < TOGETHER_MS && entry.address === note.address && entry.who === note.who &&
    entry.request === note.request && entry.status === note.status && entry.end === note.end &&
    // What else was asked for is anybody's to write; whose password was guessed is not.
    (note.request !== LOGIN || entry.arguments === note.arguments)
  );
}
