/**
 * The file of `--http-log`: a line for every HTTP request.
 *
 * @module
 */

/** See the header. */
export class RequestLog {
  readonly #name: string;
  #file: Deno.FsFile | undefined;
  #writing: Promise<unknown> = Promise.resolve();

  private constructor(name: string, file: Deno.FsFile | undefined) {
    this.#name = name;
    this.#file = file;
  }

  /**
   * Opens a file to append to; `""`: no file, nothing is written.
   *
   * @throws {Error} When the file cannot be opened; the message names it.
   */
  static async open(name: string): Promise<RequestLog> {
    return new RequestLog(name, name === "" ? undefined : await openToAppend(name));
  }

  /**
   * Opens the file again by its name, after log rotation has renamed it. When that fails, lines still go to
   * the old file.
   *
   * @throws {Error} As {@linkcode RequestLog.open}.
   */
  async reopen(): Promise<void> {
    if (this.#file === undefined) return;
    const old = this.#file;
    this.#file = await openToAppend(this.#name);
    await this.#writing;
    old.close();
  }

  /** Writes a line; a line that cannot be written is lost. */
  write(line: string): void {
    const file = this.#file;
    if (file === undefined) return;
    const bytes = new TextEncoder().encode(`${line}\n`);
    this.#writing = this.#writing.then(() => file.write(bytes)).catch(() => {});
  }

  /** Closes the file when everything is written. */
  async close(): Promise<void> {
    await this.#writing;
    this.#file?.close();
  }
}

async function openToAppend(name: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(name, { append: true, create: true });
  } catch (error) {
    throw new Error(`cannot open --http-log "${name}": ${(error as Error).message}`);
  }
}
