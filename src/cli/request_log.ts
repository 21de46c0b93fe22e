/**
 * The file with a line for every HTTP request, as `--http-log` asks for.
 *
 * @module
 */

/** See the header. */
export class RequestLog {
  readonly #file: Deno.FsFile | undefined;
  #writing: Promise<unknown> = Promise.resolve();

  private constructor(file: Deno.FsFile | undefined) {
    this.#file = file;
  }

  /**
   * Opens a file to append to; `""`: none, nothing is written.
   *
   * @throws {Error} Naming the file, when it cannot be opened.
   */
  static async open(name: string): Promise<RequestLog> {
    if (name === "") return new RequestLog(undefined);
    try {
      return new RequestLog(await Deno.open(name, { append: true, create: true }));
    } catch (error) {
      throw new Error(`cannot open --http-log "${name}": ${(error as Error).message}`);
    }
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
