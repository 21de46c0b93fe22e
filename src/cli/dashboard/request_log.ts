/**
 * The file with a line for every HTTP request, as `--http-log` asks for.
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
   * Opens a file to append to; `""`: none, nothing is written.
   *
   * @throws {Error} Naming the file, when it cannot be opened.
   */
  static async open(name: string): Promise<RequestLog> {
    return new RequestLog(name, name === "" ? undefined : await openToAppend(name));
  }

  /**
   * Opens the file anew by its name, when what was written so far is in the old one; where that fails,
   * lines go on to the old one.
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

  /** Writes a line; one that cannot be written is lost. */
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
