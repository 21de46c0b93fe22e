/**
 * Log files that roll by size, named as Codis 2.0 names them: `<name>.<k>`.
 *
 * @module
 */

/** Greatest `k`, as in Codis 2.0. */
const LOG_FILES_MAX = 10_000_000;

/** Appends lines to `<name>.<k>`; when that is full, to `<name>.<k+1>`. */
export class LogFile {
  readonly #name: string;
  readonly #bytesMax: number;
  readonly #encoder = new TextEncoder();
  #file: Deno.FsFile;
  #index = 0;
  #bytes = 0;

  /**
   * Opens the first file whose number is not taken.
   *
   * @param name Path without the number.
   * @param bytesMax Size at which the next file is begun.
   * @throws {Error} When no file can be made there.
   */
  constructor(name: string, bytesMax: number) {
    this.#name = name;
    this.#bytesMax = bytesMax;
    this.#file = this.#openNext();
  }

  /**
   * Appends one line before it returns, so that a crash right after loses nothing.
   *
   * @throws {Error} When the disk refuses it.
   */
  writeLine(line: string): void {
    const bytes = this.#encoder.encode(`${line}\n`);
    if (this.#bytes > 0 && this.#bytes + bytes.length > this.#bytesMax) {
      const full = this.#file;
      this.#file = this.#openNext();
      full.close();
    }
    for (let written = 0; written < bytes.length;) {
      written += this.#file.writeSync(bytes.subarray(written));
    }
    this.#bytes += bytes.length;
  }

  /**
   * Opens the current file anew by its name, and makes it where it was moved away.
   *
   * @throws {Error} When that fails; lines then go on to the file that is open.
   */
  reopen(): void {
    const path = `${this.#name}.${this.#index}`;
    let file: Deno.FsFile;
    try {
      file = Deno.openSync(path, { append: true, create: true });
    } catch (error) {
      throw new Error(`cannot open log file "${path}": ${(error as Error).message}`);
    }
    this.#file.close();
    this.#file = file;
    this.#bytes = file.statSync().size;
  }

  /** Closes the file; no line may follow. */
  close(): void {
    this.#file.close();
  }

  #openNext(): Deno.FsFile {
    for (; this.#index <= LOG_FILES_MAX; this.#index++) {
      const path = `${this.#name}.${this.#index}`;
      try {
        const file = Deno.openSync(path, { write: true, createNew: true });
        this.#bytes = 0;
        return file;
      } catch (error) {
        if (error instanceof Deno.errors.AlreadyExists) continue;
        throw new Error(`cannot open log file "${path}": ${(error as Error).message}`);
      }
    }
    throw new Error(
      `cannot open log file "${this.#name}.*": all ${LOG_FILES_MAX} numbers are taken`,
    );
  }
}
