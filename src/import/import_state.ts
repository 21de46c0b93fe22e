/**
 * Where an import stands, in a file, so that it can be continued after any end of the process.
 *
 *     applied ──────────► limit
 *        all before is stored    nothing behind it was sent
 *
 * After a clean stop both are the same. After any other, the changes between them may be stored or not: their
 * keys are read again at the source.
 *
 * As long as the process lives, it holds a lock on a file beside it: two of them would each think that what the
 * other has written was its own.
 *
 * @module
 */

import { FileLock } from "../base/file_lock.ts";

/** Where one source stands. */
export interface SourceState {
  /** Name of the history of its changes; `""`: no copy of all keys has ended. */
  history: string;
  applied: number;
  limit: number;
  /** Which database is selected at `applied`. */
  database: number;
}

interface StoredState {
  readonly version: number;
  /** What is imported whereto, as the user has said it. */
  readonly task: string;
  /** Whether the product was empty before: then all its keys come from the sources. */
  readonly wasEmpty: boolean;
  readonly sources: Readonly<Record<string, SourceState>>;
  /** What else must be known, by its name. */
  readonly notes?: Readonly<Record<string, string>>;
}

const VERSION = 1;

/** The file is of another import, or no such file. */
export class StateError extends Error {
  override readonly name = "StateError";
}

/** See the header. */
export class ImportState implements Disposable {
  /** Whether the product was empty before. */
  readonly wasEmpty: boolean;
  /** Whether the import was begun before. */
  readonly isContinued: boolean;
  readonly #file: string;
  readonly #task: string;
  readonly #sources: Map<string, SourceState>;
  readonly #notes: Map<string, string>;
  readonly #lock: FileLock;
  /** What the file has, as far as this process has written it. */
  #saved = "";

  private constructor(file: string, stored: StoredState, isContinued: boolean, lock: FileLock) {
    this.#lock = lock;
    this.#file = file;
    this.#task = stored.task;
    this.wasEmpty = stored.wasEmpty;
    this.isContinued = isContinued;
    this.#sources = new Map(Object.entries(stored.sources));
    this.#notes = new Map(Object.entries(stored.notes ?? {}));
  }

  /**
   * Reads the file, or begins anew.
   *
   * @param task What is imported whereto; in another import's file it is another.
   * @param isEmpty Asks whether the product is empty; called when there is no file.
   * @throws {StateError} When the file is another import's, or another process uses it.
   */
  static async open(
    file: string,
    task: string,
    isEmpty: () => boolean,
  ): Promise<ImportState> {
    const lock = await lockOf(file);
    try {
      return await ImportState.#open(file, task, isEmpty, lock);
    } catch (error) {
      lock.remove();
      throw error;
    }
  }

  static async #open(
    file: string,
    task: string,
    isEmpty: () => boolean,
    lock: FileLock,
  ): Promise<ImportState> {
    const stored = await readStored(file);
    if (stored === undefined) {
      const begun = { version: VERSION, task, wasEmpty: isEmpty(), sources: {} };
      const state = new ImportState(file, begun, false, lock);
      state.save();
      return state;
    }
    if (stored.version !== VERSION || stored.task !== task) {
      throw new StateError(
        `${file} is of another task (${stored.task}): name another file with --state, or remove it`,
      );
    }
    return new ImportState(file, stored, true, lock);
  }

  /** Where a source stands; changed in place, and written by {@linkcode save}. */
  source(name: string): SourceState {
    let state = this.#sources.get(name);
    if (state === undefined) {
      state = { history: "", applied: 0, limit: 0, database: 0 };
      this.#sources.set(name, state);
    }
    return state;
  }

  /** What was noted under a name; `""`: nothing. */
  noted(name: string): string {
    return this.#notes.get(name) ?? "";
  }

  /** Notes something; written by {@linkcode save}. */
  note(name: string, text: string): void {
    this.#notes.set(name, text);
  }

  /** Forgets how far the sources have come. */
  restart(): void {
    this.#sources.clear();
    this.#notes.clear();
    this.save();
  }

  /**
   * Writes the file, unless nothing has changed. What is there is whole at any time.
   *
   * @throws {StateError} When it cannot be written.
   */
  save(): void {
    const stored: StoredState = {
      version: VERSION,
      task: this.#task,
      wasEmpty: this.wasEmpty,
      sources: Object.fromEntries(this.#sources),
      ...(this.#notes.size === 0 ? {} : { notes: Object.fromEntries(this.#notes) }),
    };
    const text = `${JSON.stringify(stored, null, 2)}\n`;
    if (text === this.#saved) return;
    try {
      Deno.writeTextFileSync(`${this.#file}.new`, text);
      Deno.renameSync(`${this.#file}.new`, this.#file);
      this.#saved = text;
    } catch (error) {
      throw new StateError(
        `the state cannot be written to ${this.#file}: ${(error as Error).message}`,
      );
    }
  }

  /** Lets others use the file. */
  [Symbol.dispose](): void {
    this.#lock.remove();
  }

  /** The import is done: removes the file. */
  async remove(): Promise<void> {
    await Deno.remove(this.#file);
  }
}

/** @throws {StateError} When another process has it, or it cannot be made. */
async function lockOf(file: string): Promise<FileLock> {
  let lock: FileLock;
  try {
    lock = new FileLock(`${file}.lock`);
  } catch (error) {
    throw new StateError(`the state cannot be written to ${file}: ${(error as Error).message}`);
  }
  if (await lock.acquire(0)) return lock;
  lock.close();
  throw new StateError(
    `${file} is in use: another import or export runs with it. End that first, or name another file with --state`,
  );
}

async function readStored(file: string): Promise<StoredState | undefined> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new StateError(`${file} cannot be read: ${(error as Error).message}`);
  }
  try {
    const stored = JSON.parse(text) as StoredState;
    if (typeof stored.task === "string" && typeof stored.sources === "object") return stored;
  } catch {
    // Said below.
  }
  throw new StateError(
    `${file} is no state of an import or export: name another file with --state`,
  );
}
