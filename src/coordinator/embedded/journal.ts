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
 * @module
 */

import { concat } from "@std/bytes/concat";
import { fileFault } from "../../base/file_fault.ts";
import { crc32 } from "../../hash/crc32.ts";
import { type SnapshotEntry, Tree, type TreeChange, type TreeObserver } from "./tree.ts";

/** The form of the file that this program reads and writes. */
const FORMAT = 1;

/** Bytes of the header line, padded, so that it can be written last. */
const HEADER_BYTES = 160;

/** A journal is written anew when its changes exceed this, and the snapshot {@linkcode GROWTH} times. */
const CHANGES_BYTES_MIN = 1024 * 1024;
const GROWTH = 2;

/** Entries per line of a snapshot: what is encoded between two chances for other work. */
const SNAPSHOT_LINE_ENTRIES = 256;

/** A line begins with its checksum, in this many hexadecimal digits. */
const CHECKSUM_BYTES = 8;

const NEWLINE = 0x0a;

const encoder = new TextEncoder();

interface Header {
  readonly journal: number;
  /** Names the store: another store at the same place has another. */
  readonly id: string;
  /** The change that the snapshot includes last. */
  readonly version: number;
  /** Where the snapshot ends, from the beginning of the file. */
  readonly snapshotBytes: number;
}

interface ChangesLine {
  readonly v: number;
  readonly changes: readonly TreeChange[];
}

/** What became of changes that were appended. */
export interface Appended {
  /** How many sets are in force, from the first on. */
  readonly count: number;
  /** Why no more are. */
  readonly failure?: unknown;
}

/** A journal that cannot be read. */
export class JournalError extends Error {
  override readonly name = "JournalError";
}

/** The journal of one folder. Who opens it, or calls `create`, `append` or `compact`, holds the store's lock. */
export class Journal {
  readonly #path: string;
  readonly #observer: TreeObserver;
  #tree: Tree;
  #file: Deno.FsFile;
  #ino: number | null;
  #header: Header;
  /** Everything before it is in the tree. */
  #offset: number;
  #writeProblem = "";

  /**
   * Opens the journal at `path`, which exists.
   *
   * @param observer Called after every change that is read or made.
   * @throws {JournalError} When it is damaged, or from another version of this program.
   */
  constructor(path: string, observer: TreeObserver) {
    this.#path = path;
    this.#observer = observer;
    this.#file = openJournalFile(path);
    try {
      this.#ino = this.#file.statSync().ino;
      this.#header = readHeader(this.#file, path);
      this.#tree = readSnapshot(this.#file, this.#header, path);
      this.#offset = this.#header.snapshotBytes;
      this.#readChanges();
      this.#readTail();
    } catch (error) {
      this.#file.close();
      throw error;
    }
  }

  /** Makes an empty journal unless there is one, and removes what a crash left behind. */
  static async create(path: string): Promise<void> {
    try {
      await Deno.remove(unfinished(path));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    try {
      await Deno.stat(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      await writeSnapshot(path, crypto.randomUUID(), new Tree());
    }
  }

  /** The tree as of the last {@linkcode Journal.catchUp}; replaced when that returns true. */
  get tree(): Tree {
    return this.#tree;
  }

  /** Why the last changes could not be written; `""`: they were. */
  get writeProblem(): string {
    return this.#writeProblem;
  }

  /**
   * Reads what others have written since.
   *
   * @returns Whether the whole tree was replaced, because the store was replaced.
   * @throws {Deno.errors.NotFound} When the journal is gone.
   */
  catchUp(): boolean {
    const info = Deno.statSync(this.#path);
    if (info.ino === this.#ino) {
      if (info.size !== this.#offset) this.#readChanges();
      return false;
    }
    const file = openJournalFile(this.#path);
    try {
      return this.#changeOver(file);
    } catch (error) {
      if (file !== this.#file) file.close();
      throw error;
    }
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
    const { version } = this.#tree;
    const lines = sets.map((changes, i): ChangesLine => ({ v: version + 1 + i, changes }));
    let failure: unknown;
    try {
      await writeAll(this.#file, concat(lines.map((line) => encodeLine(line))));
    } catch (error) {
      failure = error;
    }
    // Whole lines are in force, since any process may have read them.
    this.catchUp();
    const count = this.#tree.version - version;
    this.#writeProblem = failure === undefined ? "" : fileFault(failure);
    if (failure === undefined) return { count };
    // The rest goes now, or with the next writer.
    await this.#file.truncate(this.#offset).catch(() => {});
    return { count, failure };
  }

  /** Resolves when the disk has what was appended. */
  async sync(): Promise<void> {
    try {
      await this.#file.syncData();
    } catch (error) {
      this.#writeProblem = fileFault(error);
      throw error;
    }
  }

  /** Writes the journal anew when it has grown enough to be worth it. */
  async compactIfGrown(): Promise<void> {
    const changesBytes = this.#offset - this.#header.snapshotBytes;
    if (changesBytes < Math.max(CHANGES_BYTES_MIN, GROWTH * this.#header.snapshotBytes)) return;
    await writeSnapshot(this.#path, this.#header.id, this.#tree);
    this.catchUp();
  }

  /** Closes the file. */
  close(): void {
    this.#file.close();
  }

  #changeOver(file: Deno.FsFile): boolean {
    const header = readHeader(file, this.#path);
    // The old file is not written to any more: what it holds now is all it ever will.
    this.#readChanges();
    const isSame = header.id === this.#header.id && header.version === this.#tree.version;
    if (!isSame) this.#tree = readSnapshot(file, header, this.#path);
    this.#file.close();
    this.#file = file;
    this.#ino = file.statSync().ino;
    this.#header = header;
    this.#offset = header.snapshotBytes;
    this.#readChanges();
    return !isSame;
  }

  #readChanges(): void {
    const bytes = readRange(this.#file, this.#offset, this.#file.statSync().size);
    const begin = this.#offset;
    for (const { value: { v, changes }, end } of parseLines<ChangesLine>(bytes).lines) {
      // As where a journal, or a part of it, was written into it once more.
      if (v !== this.#tree.version + 1 || !Array.isArray(changes)) throw this.#damaged();
      this.#tree.apply(v, changes, this.#observer);
      this.#offset = begin + end;
    }
  }

  /** Cuts off what a crashed writer left behind the last whole line. */
  async #cutTail(): Promise<void> {
    if (this.#readTail().length > 0) await this.#file.truncate(this.#offset);
  }

  /**
   * What a crashed writer left behind the last whole line.
   *
   * @throws {JournalError} When a whole line follows one that is not whole: no crash leaves that.
   */
  #readTail(): Uint8Array {
    const tail = readRange(this.#file, this.#offset, this.#file.statSync().size);
    for (let at = tail.indexOf(NEWLINE); at >= 0; at = tail.indexOf(NEWLINE, at + 1)) {
      // Better stop than lose it.
      if (parseLines(tail.subarray(at + 1), 1).lines.length > 0) throw this.#damaged();
    }
    return tail;
  }

  #damaged(): JournalError {
    return damagedAt(this.#file, this.#offset, this.#path);
  }
}

/** @param offset Where the line begins that is damaged, from the beginning of the file. */
function damagedAt(file: Deno.FsFile, offset: number, path: string): JournalError {
  const line = readRange(file, 0, offset).filter((byte) => byte === NEWLINE).length + 1;
  return new JournalError(`journal "${path}" is damaged at byte ${offset}, line ${line}`);
}

// -- the file --

function unfinished(path: string): string {
  return `${path}.new`;
}

function openJournalFile(path: string): Deno.FsFile {
  return Deno.openSync(path, { read: true, append: true });
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

function readHeader(file: Deno.FsFile, path: string): Header {
  const bytes = readRange(file, 0, HEADER_BYTES);
  const header = parseLines<Header>(bytes).lines[0]?.value;
  if (header === undefined) throw damagedAt(file, 0, path);
  if (header.journal !== FORMAT) {
    throw new JournalError(`journal "${path}" has format ${header.journal}: this program reads 1`);
  }
  return header;
}

function readSnapshot(file: Deno.FsFile, header: Header, path: string): Tree {
  const bytes = readRange(file, HEADER_BYTES, header.snapshotBytes);
  const { lines, offset } = parseLines<{ entries: SnapshotEntry[] }>(bytes);
  if (HEADER_BYTES + offset !== header.snapshotBytes) {
    throw damagedAt(file, HEADER_BYTES + offset, path);
  }
  const tree = new Tree();
  let begin = HEADER_BYTES;
  for (const { value: { entries }, end } of lines) {
    if (!Array.isArray(entries)) throw damagedAt(file, begin, path);
    for (const entry of entries) tree.restore(entry);
    begin = HEADER_BYTES + end;
  }
  tree.restored(header.version);
  return tree;
}

function readRange(file: Deno.FsFile, begin: number, end: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(0, end - begin));
  file.seekSync(begin, Deno.SeekMode.Start);
  let filled = 0;
  while (filled < bytes.length) {
    const count = file.readSync(bytes.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await file.write(bytes.subarray(written));
  }
}

// -- lines --

/** A line, padded with spaces before its newline to `lineBytes` if that is given. */
function encodeLine(value: unknown, lineBytes = 0): Uint8Array {
  const json = JSON.stringify(value).padEnd(lineBytes - CHECKSUM_BYTES - 2, " ");
  const bytes = encoder.encode(`${"0".repeat(CHECKSUM_BYTES)} ${json}\n`);
  encoder.encodeInto(checksumOf(bytes), bytes);
  return bytes;
}

/** The checksum of what stands between it and the newline of a line. */
function checksumOf(line: Uint8Array): string {
  const checksum = crc32(line, CHECKSUM_BYTES + 1, line.length - 1);
  return checksum.toString(16).padStart(CHECKSUM_BYTES, "0");
}

/**
 * The whole lines at the beginning of `bytes`, where each ends, and where the first that is not whole begins.
 *
 * @param max Most lines that are parsed.
 */
function parseLines<T>(
  bytes: Uint8Array,
  max = Infinity,
): { lines: { value: T; end: number }[]; offset: number } {
  const lines: { value: T; end: number }[] = [];
  const decoder = new TextDecoder();
  let offset = 0;
  while (offset < bytes.length && lines.length < max) {
    const newline = bytes.indexOf(NEWLINE, offset);
    if (newline < 0) break;
    const line = bytes.subarray(offset, newline);
    const checksum = decoder.decode(line.subarray(0, CHECKSUM_BYTES));
    if (checksum !== checksumOf(bytes.subarray(offset, newline + 1))) break;
    offset = newline + 1;
    lines.push({
      value: JSON.parse(decoder.decode(line.subarray(CHECKSUM_BYTES + 1))),
      end: offset,
    });
  }
  return { lines, offset };
}
