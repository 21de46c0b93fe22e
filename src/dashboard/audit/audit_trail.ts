/**
 * Who did what through the dashboard: in memory, in the store, and in the file of `audit_log`.
 *
 *     request answered ─► noted ─┬─► a line in the file, at once
 *                                └─► its page in the store, with all others of this second
 *
 * Equal refusals of one address within a minute are one entry with a count.
 *
 * @module
 */

import { logger } from "../../base/log.ts";
import { NodeExistsError, NoNodeError } from "../../coordinator/errors.ts";
import type { Operation } from "../../coordinator/coordinator.ts";
import { type AuditEntry, encodeAuditPage, isRefused } from "../../model/audit_entry.ts";
import {
  AUDIT_PAGE_ENTRIES,
  AUDIT_PAGES,
  type AuditKind,
  auditPageOf,
  loadAuditEntries,
} from "../../store/audit_pages.ts";
import { readIfThere, type Store } from "../../store/store.ts";
import type { AuditLog } from "./audit_log.ts";

/** For how long one write to the store gathers what was done, and what was refused, in milliseconds. */
const DONE_MS = 1_000;
const REFUSED_MS = 10_000;
/** Time between two tries to write, in milliseconds. */
const RETRY_MS = 5_000;
/** Within which equal refusals are counted together, in milliseconds. */
const TOGETHER_MS = 60_000;

/** The request whose arguments name nobody but users that there are. */
const LOGIN = "POST /api/login/user";

const log = logger("audit");

/** What is noted of a request. */
export type AuditNote = Omit<AuditEntry, "seq" | "at" | "count">;

/** The entries of one kind. */
interface Ring {
  /** Oldest first. */
  entries: AuditEntry[];
  /** The lowest number that is not in the store as it is here. */
  unsaved: number;
}

/** See the header. */
export class AuditTrail {
  readonly #store: Store;
  readonly #file: AuditLog;
  readonly #transact: (operations: readonly Operation[]) => Promise<void>;
  readonly #rings: Record<AuditKind, Ring> = { done: emptyRing(), refused: emptyRing() };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueMs = 0;
  #saving: Promise<void> = Promise.resolve();
  /** Whether the store's entries are here: only while this dashboard leads. */
  #isLoaded = false;

  /** @param transact Writes to the store, as long as this dashboard leads. */
  constructor(
    store: Store,
    file: AuditLog,
    transact: (operations: readonly Operation[]) => Promise<void>,
  ) {
    this.#store = store;
    this.#file = file;
    this.#transact = transact;
  }

  /** Takes over from the dashboard that led before. */
  async load(): Promise<void> {
    for (const kind of ["done", "refused"] as const) {
      const ring = this.#rings[kind];
      const own = ring.entries.filter(({ seq }) => seq >= ring.unsaved);
      const entries = await loadAuditEntries(this.#store, kind);
      const next = (entries.at(-1)?.seq ?? -1) + 1;
      // What was noted since the start, while nobody led or another one did, comes behind it.
      ring.entries = [...entries, ...own.map((entry, i) => ({ ...entry, seq: next + i }))];
      ring.unsaved = next;
    }
    this.#isLoaded = true;
    this.#saveSoon(0);
  }

  /** This dashboard does not lead any more. */
  unload(): void {
    this.#isLoaded = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Notes something. */
  note(note: AuditNote): void {
    const kind = isRefused(note) ? "refused" : "done";
    const ring = this.#rings[kind];
    const at = Date.now();
    const last = kind === "refused" ? lastEqual(ring.entries, note, at) : undefined;
    if (last !== undefined) {
      const entry = { ...last, at: last.at, count: last.count + 1 };
      ring.entries[ring.entries.indexOf(last)] = entry;
      ring.unsaved = Math.min(ring.unsaved, entry.seq);
      // Powers of two: a flood writes few lines.
      if (Number.isInteger(Math.log2(entry.count))) this.#file.write({ ...entry, at });
    } else {
      const seq = (ring.entries.at(-1)?.seq ?? -1) + 1;
      const entry = { seq, at, ...note, count: 1 };
      ring.entries.push(entry);
      ring.entries.splice(0, ring.entries.length - AUDIT_PAGE_ENTRIES * AUDIT_PAGES[kind]);
      this.#file.write(entry);
    }
    this.#saveSoon(kind === "done" ? DONE_MS : REFUSED_MS);
  }

  /** The entries, newest first. */
  newest(): AuditEntry[] {
    const { done, refused } = this.#rings;
    return [...done.entries, ...refused.entries].sort((a, b) => b.at - a.at || b.seq - a.seq);
  }

  /** Resolves when everything is in the store and in the file, or that has failed. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isLoaded) await this.#save();
    await this.#file.flush();
  }

  #saveSoon(ms: number): void {
    const dueMs = performance.now() + ms;
    if (!this.#isLoaded || (this.#timer !== undefined && this.#dueMs <= dueMs)) return;
    clearTimeout(this.#timer);
    this.#dueMs = dueMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#save();
    }, ms);
  }

  #save(): Promise<void> {
    return this.#saving = this.#saving.then(async () => {
      try {
        await this.#savePages("done");
        await this.#savePages("refused");
      } catch (error) {
        log.debug("the audit trail is written later: {error}", { error });
        this.#saveSoon(RETRY_MS);
      }
    });
  }

  async #savePages(kind: AuditKind): Promise<void> {
    const ring = this.#rings[kind];
    while (this.#isLoaded && ring.unsaved <= (ring.entries.at(-1)?.seq ?? -1)) {
      const from = Math.max(ring.unsaved, ring.entries[0]!.seq);
      const first = from - from % AUDIT_PAGE_ENTRIES;
      const end = first + AUDIT_PAGE_ENTRIES;
      const page = ring.entries.filter(({ seq }) => seq >= first && seq < end);
      // Whatever is counted meanwhile lowers it again.
      ring.unsaved = page.at(-1)!.seq + 1;
      try {
        await this.#writePage(auditPageOf(kind, first), encodeAuditPage(page));
      } catch (error) {
        ring.unsaved = Math.min(ring.unsaved, first);
        throw error;
      }
    }
  }

  async #writePage(name: string, data: string): Promise<void> {
    const path = this.#store.paths.auditPage(name);
    const isThere = await readIfThere(this.#store, path) !== undefined;
    try {
      await this.#transact([
        isThere ? { write: path, data } : { create: path, data, isLeaf: true },
      ]);
    } catch (error) {
      const isRace = error instanceof NodeExistsError || error instanceof NoNodeError;
      if (!isRace) throw error;
      await this.#transact([
        isThere ? { create: path, data, isLeaf: true } : { write: path, data },
      ]);
    }
  }
}

function emptyRing(): Ring {
  return { entries: [], unsaved: 0 };
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
