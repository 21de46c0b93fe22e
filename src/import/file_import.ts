/**
 * Imports a file that a server has saved: it is read to its end first, and only then written, because servers do
 * not look closely at the values that they restore, and one that is damaged may end them.
 *
 * @module
 */

import { ByteWindow } from "./byte_window.ts";
import type { ImportCounts } from "./import_counts.ts";
import type { KeyChoice } from "./key_choice.ts";
import { loadRdb } from "./rdb_load.ts";
import { ReadRate } from "./read_rate.ts";
import type { Target } from "./target/target.ts";

/** What is imported, how, and whither. */
export interface FileImport {
  readonly file: string;
  /** Undefined: keys are only counted. */
  readonly target: Target | undefined;
  readonly choice: KeyChoice;
  readonly counts: ImportCounts;
  /** What was read to check the file, before the import. */
  readonly checked: ImportCounts;
  /** How fast it is imported; it is checked as fast as it goes. */
  readonly rate: ReadRate;
  /** Aborted to stop. */
  readonly stopping: AbortSignal;
}

/** The user has stopped the import. */
export class StoppedError extends Error {
  override readonly name = "StoppedError";
}

/**
 * Imports an RDB file.
 *
 * @returns How many keys of which type there were, by number of the type.
 * @throws {Error} When the file cannot be read, or a server does not take a key.
 */
export async function importRdbFile(options: FileImport): Promise<ReadonlyMap<number, number>> {
  if (options.target !== undefined) {
    const { checked: counts } = options;
    await readRdbFile({ ...options, counts, target: undefined, rate: new ReadRate(0) });
  }
  return await readRdbFile(options);
}

async function readRdbFile(
  { file, target, choice, counts, rate, stopping }: FileImport,
): Promise<ReadonlyMap<number, number>> {
  using opened = await Deno.open(file);
  const window = new ByteWindow();
  const reader = rate.slowed(opened);
  const fill = async () => {
    if (stopping.aborted) throw new StoppedError(String(stopping.reason));
    if (await window.fill(reader) === 0) {
      throw new Error(`${file} ends before the RDB does: it is not whole`);
    }
  };
  try {
    return await loadRdb({ window, fill, target, choice, counts });
  } catch (error) {
    if (error instanceof Error && error.name === "RdbError") {
      throw new Error(`${file}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}
