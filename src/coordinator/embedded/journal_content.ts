/**
 * What is read of a journal's file (journal.ts), and how it is known again.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import { equals } from "@std/bytes/equals";
import { NEWLINE, parseLines } from "./journal_lines.ts";
import { type SnapshotEntry, Tree, type TreeChange, type TreeObserver } from "./tree.ts";

/** The form of the file that this program reads and writes. */
export const FORMAT = 1;

/** Bytes of the header line, padded, so that it can be written last. */
export const HEADER_BYTES = 160;

/** How many bytes before the last one that was read are looked at again: others, and the file was written over. */
const MARK_BYTES = 1024;

/** The first line. */
export interface Header {
  readonly journal: number;
  /** Names the store: another store at the same place has another. */
  readonly id: string;
  /** The change that the snapshot includes last. */
  readonly version: number;
  /** Where the snapshot ends, from the beginning of the file. */
  readonly snapshotBytes: number;
}

/** A line that follows the snapshot. */
export interface ChangesLine {
  readonly v: number;
  readonly changes: readonly TreeChange[];
}

/** A journal that cannot be read. */
export class JournalError extends Error {
  override readonly name = "JournalError";
}

/** A journal's file, and what was read of it. */
export interface JournalContent {
  readonly file: Deno.FsFile;
  readonly ino: number | null;
  readonly header: Header;
  /** The header as it stands in the file. */
  readonly headerBytes: Uint8Array;
  readonly tree: Tree;
  /** Everything before it is in the tree. */
  offset: number;
  /** The last bytes before that, at most {@linkcode MARK_BYTES}. */
  mark: Uint8Array;
  /** Whether half a set of changes is in the tree: the file must be read from its beginning. */
  isSpoiled: boolean;
}

/** The same before its snapshot is read. */
export type JournalBegin = Omit<JournalContent, "tree">;

/**
 * Opens a journal and reads all of it; the caller closes the file.
 *
 * @throws {JournalError} When it is damaged, or from another version of this program.
 */
export function openWhole(path: string): JournalContent {
  const file = openJournalFile(path);
  try {
    const begin = readBegin(file, path);
    const content = { ...begin, tree: readSnapshot(file, begin.header, path) };
    readChanges(content, path);
    readTail(content, path);
    return content;
  } catch (error) {
    file.close();
    throw error;
  }
}

/** What a file begins with, up to the end of its snapshot. */
export function readBegin(file: Deno.FsFile, path: string): JournalBegin {
  const headerBytes = readRange(file, 0, HEADER_BYTES);
  const header = parseHeader(file, headerBytes, path);
  const offset = header.snapshotBytes;
  const mark = readRange(file, Math.max(0, offset - MARK_BYTES), offset);
  return { file, ino: file.statSync().ino, header, headerBytes, offset, mark, isSpoiled: false };
}

/** Whether a file of `size` bytes still has what was read of it, as far as it is looked at. */
export function isContinued(content: JournalContent, size: number): boolean {
  const { file, headerBytes, offset, mark, isSpoiled } = content;
  return !isSpoiled && size >= offset &&
    equals(readRange(file, 0, HEADER_BYTES), headerBytes) &&
    equals(readRange(file, offset - mark.length, offset), mark);
}

/**
 * Reads the whole lines behind what was read, into the tree.
 *
 * @throws {JournalError} When one of them cannot follow; those before it are in the tree.
 */
export function readChanges(content: JournalContent, path: string, observer?: TreeObserver): void {
  const { file, tree } = content;
  const begin = content.offset;
  const bytes = readRange(file, begin, file.statSync().size);
  const before = content.mark;
  for (const { value: { v, changes }, end } of parseLines<ChangesLine>(bytes).lines) {
    // As where a journal, or a part of it, was written into it once more.
    if (v !== tree.version + 1 || !Array.isArray(changes)) throw damagedIn(content, path);
    try {
      tree.apply(v, changes, observer);
    } catch {
      // Changes of another store.
      content.isSpoiled = true;
      throw damagedIn(content, path);
    }
    content.offset = begin + end;
    content.mark = lastBytes(before, bytes.subarray(0, end));
  }
}

function lastBytes(before: Uint8Array, bytes: Uint8Array): Uint8Array {
  return bytes.length < MARK_BYTES
    ? concat([before, bytes]).slice(-MARK_BYTES)
    : bytes.slice(-MARK_BYTES);
}

/**
 * What a crashed writer left behind the last whole line.
 *
 * @throws {JournalError} When a whole line follows one that is not whole: no crash leaves that.
 */
export function readTail(content: JournalContent, path: string): Uint8Array {
  const { file, offset } = content;
  const tail = readRange(file, offset, file.statSync().size);
  for (let at = tail.indexOf(NEWLINE); at >= 0; at = tail.indexOf(NEWLINE, at + 1)) {
    // Better stop than lose it.
    if (parseLines(tail.subarray(at + 1), 1).lines.length > 0) throw damagedIn(content, path);
  }
  return tail;
}

/** The first change that cannot be read is damaged; all before it could be kept. */
function damagedIn({ file, offset }: JournalContent, path: string): JournalError {
  const cut = `, or cut it there, which loses all later changes (truncate -s ${offset} "${path}")`;
  return damagedAt(file, offset, path, cut);
}

/**
 * @param offset Where the line begins that is damaged, from the beginning of the file.
 * @param orElse What else can be done.
 */
function damagedAt(file: Deno.FsFile, offset: number, path: string, orElse = ""): JournalError {
  const line = readRange(file, 0, offset).filter((byte) => byte === NEWLINE).length + 1;
  return new JournalError(
    `journal "${path}" is damaged at byte ${offset}, line ${line}: ${howToMend(path)}${orElse}`,
  );
}

function howToMend(path: string): string {
  return `put a good copy in its place (mv COPY "${path}"); or stop all processes of the product, move ` +
    "its folder away, and put back a dump (codis-proxy config restore FILE)";
}

/** Opens a journal, to read it and to append to it. */
export function openJournalFile(path: string): Deno.FsFile {
  return Deno.openSync(path, { read: true, append: true });
}

/**
 * What the system says of a journal.
 *
 * @throws {JournalError} When it is not there.
 */
export function statJournal(path: string): Deno.FileInfo {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new JournalError(`journal "${path}" is not there; if there was one, ${howToMend(path)}`);
  }
}

function parseHeader(file: Deno.FsFile, bytes: Uint8Array, path: string): Header {
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
