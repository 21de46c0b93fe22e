/**
 * The access log: where the lines of all workers are written, one batch after the other, in the background.
 *
 * A full disk, or one that hangs, holds up nobody: what cannot be written is lost, which the workers count.
 *
 * @module
 */

import { countOf } from "../base/count_of.ts";
import { LogFile, type LogFileLimits } from "../base/log_file.ts";
import { logger } from "../base/log.ts";
import { Turns } from "../base/turns.ts";
import type { Config } from "../config/config.ts";

/** What stands for standard output. */
const STDOUT = ["stdout", "-"];
const NOWHERE = ["", "off"];
/** Characters that are written together: to a file, which rolls between; and as many as a pipe takes in one piece. */
const FILE_PIECE_MAX = 16 * 1024;
const PIPE_PIECE_MAX = 4_096;

const log = logger("access_log");

/** Whether `access_log` names a place for lines. */
export function isAccessLog(name: string): boolean {
  return !NOWHERE.includes(name);
}

/** Whether that place is a file. */
export function isAccessFile(name: string): boolean {
  return isAccessLog(name) && !STDOUT.includes(name);
}

/** The settings that say how far its files grow. */
type Limits = Pick<Config, "logMaxBytes" | "logFiles">;

/** See the header. */
export class AccessLog {
  /** Undefined: standard output. */
  readonly #file: LogFile | undefined;
  readonly #turns = new Turns(1);
  #isWriting = false;
  /** Lines that were not written since one was. */
  #lost = 0;

  private constructor(file: LogFile | undefined) {
    this.#file = file;
  }

  /**
   * Opens what `access_log` names; undefined for nothing.
   *
   * @throws {Error} When no file can be made there.
   */
  static open(
    { accessLog, ...limits }: Pick<Config, "accessLog"> & Limits,
  ): AccessLog | undefined {
    if (!isAccessLog(accessLog)) return undefined;
    if (STDOUT.includes(accessLog)) return new AccessLog(undefined);
    try {
      return new AccessLog(new LogFile(accessLog, limitsOf(limits)));
    } catch (error) {
      throw new Error(`access_log: ${(error as Error).message}`);
    }
  }

  /** Its files grow as far as these settings say from now on. */
  limitTo(limits: Limits): void {
    if (this.#file !== undefined) this.#file.limits = limitsOf(limits);
  }

  /** Writes lines, each with its end, after all earlier ones; resolves with whether that was possible. */
  write(lines: string): Promise<boolean> {
    return this.#turns.take(() => this.#write(lines));
  }

  async #write(lines: string): Promise<boolean> {
    this.#isWriting = true;
    try {
      if (this.#file === undefined) await writeToStdout(lines);
      else for (const piece of pieces(lines, FILE_PIECE_MAX)) await this.#file.writeLines(piece);
    } catch (error) {
      this.#notWritten(lines, error as Error);
      return false;
    } finally {
      this.#isWriting = false;
    }
    this.#written();
    return true;
  }

  get #name(): string {
    return this.#file?.path ?? "stdout";
  }

  #notWritten(lines: string, { message: cause }: Error): void {
    if (this.#lost === 0) {
      log.error(
        "access_log {path} cannot be written: {cause}; its lines are lost until it can: free the disk, " +
          "or move old log files away",
        { path: this.#name, cause },
      );
    }
    this.#lost += lines.split("\n").length - 1;
  }

  #written(): void {
    if (this.#lost === 0) return;
    log.warn("access_log {path} can be written again and has lost {lost}", {
      path: this.#name,
      lost: countOf(this.#lost, "line"),
    });
    this.#lost = 0;
  }

  /** Opens the current file again by its name, after log rotation has moved it. */
  reopen(): void {
    try {
      this.#file?.reopen(); // what is being written ends in the old one
    } catch (error) {
      log.error("access_log not opened again, lines go where they went before: {error}", { error });
    }
  }

  /** Closes the file; one that hangs is left to the end of the process. */
  close(): void {
    if (!this.#isWriting) this.#file?.close();
  }
}

function limitsOf({ logMaxBytes: bytesMax, logFiles: filesMax }: Limits): LogFileLimits {
  return { bytesMax, filesMax };
}

async function writeToStdout(lines: string): Promise<void> {
  for (const piece of pieces(lines, PIPE_PIECE_MAX)) {
    const bytes = new TextEncoder().encode(piece);
    for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
  }
}

/** Whole lines, as many together as have so many characters. */
function* pieces(lines: string, max: number): Generator<string> {
  for (let at = 0; at < lines.length;) {
    const last = lines.lastIndexOf("\n", at + max - 1);
    const end = 1 + (last < at ? lines.indexOf("\n", at) : last);
    yield lines.slice(at, end);
    at = end;
  }
}
