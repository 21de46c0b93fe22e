/**
 * Log files that roll by size, named as Codis 2.0 names them: `<name>.<k>`, the newest with the greatest `k`.
 *
 * @module
 */

import { excerpt } from "./excerpt.ts";
import { makeReason } from "./file_fault.ts";
import { basename, dirname } from "node:path";

/** Greatest `k`, as in Codis 2.0. */
const LOG_FILES_MAX = 10_000_000;

/** How far log files grow. */
export interface LogFileLimits {
  /** Size at which the next file is begun, in bytes. */
  readonly bytesMax: number;
  /** Files that are kept, the newest; 0: all. */
  readonly filesMax: number;
}

/** Appends lines to the newest `<name>.<k>`; when that is full, to `<name>.<k+1>`. */
export class LogFile {
  /** Path without the number. */
  readonly name: string;
  /** How far it grows from now on. */
  limits: LogFileLimits;
  readonly #encoder = new TextEncoder();
  #file: Deno.FsFile;
  #index = 0;
  #bytes = 0;
  /** Whether the last line has no end: the disk became full in its middle. */
  #isTorn = false;

  /**
   * Opens the newest file that there is, or the one behind it when that is full. A program that is started
   * over and over begins no file each time: it would push out the ones that say why.
   *
   * @param name Path without the number.
   * @throws {Error} When no file can be made there.
   */
  constructor(name: string, limits: LogFileLimits) {
    this.name = name;
    this.limits = limits;
    this.#index = Math.max(0, ...numbersOf(name));
    this.#file = this.#openNewest() ?? this.#openNext();
  }

  /**
   * Tries whether lines can be written there, and leaves everything as it was.
   *
   * @throws {Error} As the constructor.
   */
  static try(name: string, { bytesMax }: LogFileLimits): void {
    const before = new Set(numbersOf(name));
    const file = new LogFile(name, { bytesMax, filesMax: 0 });
    file.close();
    if (!before.has(file.#index)) Deno.removeSync(file.path);
  }

  /** The file that is written to. */
  get path(): string {
    return `${this.name}.${this.#index}`;
  }

  /**
   * Appends one line before it returns, so that a crash right after loses nothing.
   *
   * @throws {Error} When the disk refuses it.
   */
  writeLine(line: string): void {
    const bytes = this.#prepare(`${line}\n`);
    let written = 0;
    try {
      while (written < bytes.length) written += this.#file.writeSync(bytes.subarray(written));
    } finally {
      this.#wrote(written, bytes.length);
    }
  }

  /**
   * Appends lines, each with its end, and holds up nobody meanwhile. Until it resolves, no others may be
   * written.
   *
   * @throws {Error} When the disk refuses them.
   */
  async writeLines(lines: string): Promise<void> {
    const bytes = this.#prepare(lines);
    let written = 0;
    try {
      while (written < bytes.length) written += await this.#file.write(bytes.subarray(written));
    } finally {
      this.#wrote(written, bytes.length);
    }
  }

  /** The bytes of lines, and a file that has room for them. */
  #prepare(lines: string): Uint8Array {
    const bytes = this.#encoder.encode(this.#isTorn ? `\n${lines}` : lines);
    if (this.#bytes > 0 && this.#bytes + bytes.length > this.limits.bytesMax) {
      const full = this.#file;
      this.#file = this.#openNext();
      full.close();
    }
    return bytes;
  }

  #wrote(written: number, bytes: number): void {
    this.#bytes += written;
    this.#isTorn = written === 0 ? this.#isTorn : written < bytes;
  }

  /**
   * Opens the current file anew by its name, and makes it where it was moved away.
   *
   * @throws {Error} When that fails; lines then go on to the file that is open.
   */
  reopen(): void {
    let file: Deno.FsFile;
    try {
      file = Deno.openSync(this.path, { append: true, create: true });
    } catch (error) {
      throw new Error(
        `cannot open log file "${excerpt(this.path)}": ${excerpt(makeReason(this.path, error))}`,
      );
    }
    this.#file.close();
    this.#file = file;
    this.#bytes = file.statSync().size;
  }

  /** Closes the file; no line may follow. */
  close(): void {
    this.#file.close();
  }

  /** The newest file; undefined when there is none, it is full, or it is not ours to write. */
  #openNewest(): Deno.FsFile | undefined {
    let file: Deno.FsFile;
    try {
      file = Deno.openSync(this.path, { append: true, read: true });
    } catch {
      return undefined;
    }
    const { size, isFile } = file.statSync();
    if (!isFile || size >= this.limits.bytesMax) {
      file.close();
      return undefined;
    }
    this.#bytes = size;
    const last = new Uint8Array(1);
    if (size > 0) file.seekSync(-1, Deno.SeekMode.End);
    this.#isTorn = file.readSync(last) === 1 && last[0] !== 0x0a;
    this.#removeOld();
    return file;
  }

  #openNext(): Deno.FsFile {
    for (; this.#index <= LOG_FILES_MAX; this.#index++) {
      try {
        const file = Deno.openSync(this.path, { append: true, createNew: true });
        this.#bytes = 0;
        this.#isTorn = false;
        this.#removeOld();
        return file;
      } catch (error) {
        if (error instanceof Deno.errors.AlreadyExists) continue;
        throw new Error(
          `cannot open log file "${excerpt(this.path)}": ${excerpt(makeReason(this.path, error))}`,
        );
      }
    }
    throw new Error(
      `cannot open log file "${excerpt(this.name)}.*": all ${LOG_FILES_MAX} numbers are taken`,
    );
  }

  #removeOld(): void {
    const { filesMax } = this.limits;
    if (filesMax === 0) return;
    for (const number of numbersOf(this.name)) {
      if (number > this.#index - filesMax) continue;
      try {
        Deno.removeSync(`${this.name}.${number}`);
      } catch {
        // It is tried again with the next file.
      }
    }
  }
}

/** The numbers of the files that there are. */
function numbersOf(path: string): number[] {
  const prefix = `${basename(path)}.`;
  try {
    return [...Deno.readDirSync(dirname(path))].flatMap(({ name }) => {
      const number = name.startsWith(prefix) ? name.slice(prefix.length) : "";
      return /^\d{1,8}$/.test(number) ? [Number(number)] : [];
    });
  } catch {
    return []; // what is wrong with the folder is said when the file is opened
  }
}
