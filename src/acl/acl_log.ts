/**
 * ACL LOG: what users were refused, the newest first. What is alike within a minute is one entry with a count.
 *
 * Each worker has its own; ACL LOG shows them as one.
 *
 * @module
 */

/** One entry. Texts are of one character for each byte. */
export interface AclLogEntry {
  readonly count: number;
  readonly reason: "command" | "key" | "channel" | "auth";
  readonly context: "toplevel" | "multi" | "lua";
  /** The command, key or channel; for `auth` the command as it was sent. */
  readonly object: string;
  readonly username: string;
  /** When it happened last, in milliseconds since 1970. */
  readonly timeMs: number;
  /** The client's line of CLIENT LIST, as it was then. */
  readonly clientInfo: string;
}

/** An error text, and what ACL LOG says of it; null for what Redis does not log. */
export interface AccessRefusal {
  readonly text: string;
  readonly event: Pick<AclLogEntry, "reason" | "context" | "object"> | null;
}

/** Entries that are kept, by Redis's default. */
const ENTRIES_MAX = 128;
/** Entries among which one alike is looked for, as in Redis. */
const ALIKE_AMONG = 10;
/** Entries further apart are not joined, in milliseconds. */
const ALIKE_MS = 60_000;

/** See the header. */
export class AclLog {
  #entries: readonly AclLogEntry[] = [];

  /** All entries; with `isReset` none are left afterwards. */
  read(isReset: boolean): readonly AclLogEntry[] {
    const entries = this.#entries;
    if (isReset) this.#entries = [];
    return entries;
  }

  /** Adds an entry of one event, or counts it with one that is alike. */
  add(entry: Omit<AclLogEntry, "count">): void {
    const alike = this.#entries.slice(0, ALIKE_AMONG).find((each) => areAlike(each, entry));
    const others = this.#entries.filter((each) => each !== alike);
    this.#entries = [{ ...entry, count: (alike?.count ?? 0) + 1 }, ...others].slice(0, ENTRIES_MAX);
  }
}

/** Entries of several workers as one log would have them. */
export function mergeAclLogs(logs: readonly (readonly AclLogEntry[])[]): AclLogEntry[] {
  const merged: AclLogEntry[] = [];
  for (const entry of logs.flat().sort((a, b) => b.timeMs - a.timeMs)) {
    const i = merged.findIndex((each) => areAlike(each, entry));
    if (i < 0) merged.push(entry);
    else merged[i] = { ...merged[i]!, count: merged[i]!.count + entry.count };
  }
  return merged.slice(0, ENTRIES_MAX);
}

function areAlike(one: AclLogEntry, other: Omit<AclLogEntry, "count">): boolean {
  return one.reason === other.reason && one.context === other.context &&
    one.object === other.object && one.username === other.username &&
    Math.abs(one.timeMs - other.timeMs) <= ALIKE_MS;
}
