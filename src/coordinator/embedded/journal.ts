/**
 * The file that holds the embedded coordinator's tree: a snapshot, then every change since.
 *
 *     journal   header    {"journal":1,"id":…,"version":40,"snapshotBytes":…} 160 bytes
 *               snapshot  {"entries":[…]} …
 *               changes   {"v":41,"changes":[{"create":"/zk","data":""}]} …     appended
 *
 * Each line is `<crc32 of the JSON> <JSON>`. A change is in force when its whole line is in the file:
 * readers stop at a line that is not whole, the next writer cuts it off. Where whole lines follow it, the
 * journal is damaged: nobody opens it or writes to it. A journal that has grown is written anew beside the
 * old one and renamed over it, so that there is a whole one at any instant.
 *
 * Somebody may put another journal in its place: as a new file, or by writing over this one. It is read from its
 * beginning then; until that succeeds, the tree stays as it was, and nothing is written.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import { fileFault } from "../../base/file_fault.ts";
import {
  type ChangesLine,
  FORMAT,
  type Header,
  HEADER_BYTES,
  isContinued,
  type JournalBegin,
  type JournalContent,
  JournalError,
  openJournalFile,
  openWhole,
  readBegin,
  readChanges,
  readTail,
  statJournal,
} from "./journal_content.ts";
import { encodeLine } from "./journal_lines.ts";
import { type SnapshotEntry, Tree, type TreeChange, type TreeObserver } from "./tree.ts";

/** A journal is written anew when its changes exceed this, and the snapshot {@linkcode GROWTH} times. */
const CHANGES_BYTES_MIN = 1024 * 1024;
const GROWTH = 2;

/** Entries per line of a snapshot: what is encoded between two chances for other work. */
const SNAPSHOT_LINE_ENTRIES = 256;

/** A file that was written over is read when it was left alone for so long, in milliseconds. */
const SETTLED_MS = 100;

/** What became of changes that were appended. */
export interface Appended {
  /** How many sets are in force, from the first on. */
  readonly count: number;
  /** Why no more are. */
  readonly failure?: unknown;
}

/** The journal of one folder. Who opens it, or calls `create`, `append` or `compact`, holds the store's lock. */
export class Journal {
  readonly #path: string;
  readonly #observer: TreeObserver;
  #content: JournalContent;
  /** Whether the tree was replaced, and nobody was told. */
  #isReplaced = false;
  #writeProblem = "";
  /** Whether lines of ours are being written: that moves the place in the file at which it is read. */
  #isAppending = false;

  /**
   * Opens the journal at `path`, which exists.
   *
   * @param observer Called after every change that is read or made.
   * @throws {JournalError} When it is damaged, or from another version of this program.
   */
  constructor(path: string, observer: TreeObserver) {
    this.#path = path;
    this.#observer = observer;
    this.#content = openWhole(path);
  }

  /** Makes an empty journal unless there is one, and removes what a crash left behind. */
  static async create(path: string): Promise<void> {
    try {
      await Deno.remove(unfinished(path));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    if (!await Journal.isThere(path)) await writeSnapshot(path, crypto.randomUUID(), new Tree());
  }

  /** Whether there is a journal at `path`. */
  static async isThere(path: string): Promise<boolean> {
    try {
      await Deno.stat(path);
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }

  /** The tree as of the last {@linkcode Journal.catchUp}; replaced when that returns true. */
  get tree(): Tree {
    return this.#content.tree;
  }

  /** Why the last changes could not be written; `""`: they were. */
  get writeProblem(): string {
    return this.#writeProblem;
  }

  /**
   * Reads what others have written since.
   *
   * @returns Whether the whole tree was replaced, because the store was replaced.
   * @throws {JournalError} When the journal is gone, damaged, or being written over; the tree stays.
   */
  catchUp(): boolean {
    // Who appends has caught up, and keeps all others from it.
    if (!this.#isAppending) this.#follow();
    const isReplaced = this.#isReplaced;
    this.#isReplaced = false;
    return isReplaced;
  }

  /**
   * Appends sets of changes to a journal that is caught up, and makes them in the tree. They survive a loss of
   * power after {@linkcode Journal.sync}.
   *
   * @returns How many are in force: where the disk is full, those whose lines still fit, and what the system says.
   */
  async append(sets: readonly (readonly TreeChange[])[]): Promise<Appended> {
    if (sets.length === 0) return { count: 0 };
    await this.#cutTail();
    const { file, tree } = this.#content;
    const { version } = tree;
    const lines = sets.map((changes, i): ChangesLine => ({ v: version + 1 + i, changes }));
    let failure: unknown;
    this.#isAppending = true;
    try {
      await writeAll(file, concat(lines.map((line) => encodeLine(line))));
    } catch (error) {
      failure = error;
    } finally {
      this.#isAppending = false;
    }
    // Whole lines are in force, since any process may have read them.
    this.#follow();
    const count = this.tree === tree ? tree.version - version : 0;
    this.#writeProblem = failure === undefined ? "" : fileFault(failure);
    if (failure === undefined && count < sets.length) failure = this.#writtenOver();
    if (failure === undefined) return { count };
    // The rest goes now, or with the next writer.
    if (this.tree === tree) await this.#cutTail().catch(() => {});
    return { count, failure };
  }

  /** Resolves when the disk has what was appended. */
  async sync(): Promise<void> {
    try {
      await this.#content.file.syncData();
    } catch (error) {
      this.#writeProblem = fileFault(error);
      throw error;
    }
  }

  /** Writes the journal anew when it has grown enough to be worth it. */
  async compactIfGrown(): Promise<void> {
    const { header: { id, snapshotBytes }, offset, tree } = this.#content;
    if (offset - snapshotBytes < Math.max(CHANGES_BYTES_MIN, GROWTH * snapshotBytes)) return;
    await writeSnapshot(this.#path, id, tree);
    this.#follow();
  }

  /** Closes the file. */
  close(): void {
    this.#content.file.close();
  }

  #follow(): void {
    const info = statJournal(this.#path);
    const isSameFile = info.ino === this.#content.ino;
    if (isSameFile && isContinued(this.#content, info.size)) {
      if (info.size !== this.#content.offset) this.#readChanges();
      return;
    }
    if (isSameFile && Date.now() - (info.mtime?.getTime() ?? 0) < SETTLED_MS) {
      throw this.#writtenOver();
    }
    if (!isSameFile && this.#followRename()) return;
    const content = openWhole(this.#path);
    this.#content.file.close();
    this.#content = content;
    this.#isReplaced = true;
  }

  /** Goes on in a new file, if that is this journal, written anew. */
  #followRename(): boolean {
    const old = this.#content;
    try {
      // The old file is not written to any more: what it holds now is all it ever will.
      this.#readChanges();
    } catch (error) {
      // The new one counts.
      if (error instanceof JournalError) return false;
      throw error;
    }
    const file = openJournalFile(this.#path);
    let begin: JournalBegin | undefined;
    try {
      begin = readBegin(file, this.#path);
    } finally {
      if (begin === undefined) file.close();
    }
    const { id, version } = begin.header;
    if (id !== old.header.id || version !== old.tree.version) {
      file.close();
      return false;
    }
    old.file.close();
    this.#content = { ...begin, tree: old.tree };
    this.#readChanges();
    return true;
  }

  #readChanges(): void {
    readChanges(this.#content, this.#path, this.#observer);
  }

  /** Cuts off what a crashed writer left behind the last whole line. */
  async #cutTail(): Promise<void> {
    const { file, offset } = this.#content;
    if (readTail(this.#content, this.#path).length > 0) await file.truncate(offset);
  }

  #writtenOver(): JournalError {
    return new JournalError(
      `journal "${this.#path}" was written over while it was in use: it is read again in a moment`,
    );
  }
}

// -- the file --

function unfinished(path: string): string {
  return `${path}.new`;
}

async function writeSnapshot(path: string, id: string, tree: Tree): Promise<void> {
  const file = await Deno.open(unfinished(path), { write: true, create: true, truncate: true });
  try {
    let snapshotBytes = HEADER_BYTES;
    await writeAll(file, new Uint8Array(HEADER_BYTES));
    const entries = tree.snapshot();
    for (let batch = take(entries); batch.length > 0; batch = take(entries)) {
      const line = encodeLine({ entries: batch });
      await writeAll(file, line);
      snapshotBytes += line.length;
    }
    const header: Header = { journal: FORMAT, id, version: tree.version, snapshotBytes };
    await file.seek(0, Deno.SeekMode.Start);
    await writeAll(file, encodeLine(header, HEADER_BYTES));
    await file.sync();
  } finally {
    file.close();
  }
  await Deno.rename(unfinished(path), path);
  await syncFolder(path.slice(0, path.lastIndexOf("/")));
}

function take(entries: Iterator<SnapshotEntry>): SnapshotEntry[] {
  const batch: SnapshotEntry[] = [];
  while (batch.length < SNAPSHOT_LINE_ENTRIES) {
    const { value, done } = entries.next();
    if (done) break;
    batch.push(value);
  }
  return batch;
}

/** Makes a rename survive a loss of power. */
async function syncFolder(folder: string): Promise<void> {
  const file = await Deno.open(folder);
  try {
    await file.sync();
  } finally {
    file.close();
  }
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await file.write(bytes.subarray(written));
  }
}
