/**
 * A lock that keeps users of one folder or file apart, in this process and in others.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { removeIfThere } from "./own_folders.ts";

/** Waits between two tries are random up to this, so that waiters do not try in step. */
const RETRY_MS_MAX = 8;

/** An advisory lock (`flock`) on a file; the kernel frees it when its holder dies, however it dies. */
export class FileLock {
  readonly #path: string;
  #file: Deno.FsFile;

  /** Opens the file, and makes it when it is missing; takes no lock yet. */
  constructor(path: string) {
    this.#path = path;
    this.#file = openLockFile(path);
  }

  /**
   * Takes the lock.
   *
   * Tries again and again instead of blocking in the kernel: a blocked `flock` cannot be given up.
   *
   * @param deadline When to give up, on the clock of `performance.now()`.
   * @returns Whether it is ours.
   */
  async acquire(deadline: number): Promise<boolean> {
    while (!this.#tryAcquire()) {
      if (performance.now() >= deadline) return false;
      await delay(1 + Math.random() * (RETRY_MS_MAX - 1));
    }
    return true;
  }

  /** Frees the lock. */
  release(): void {
    this.#file.unlockSync();
  }

  /** Closes the file, which frees the lock too. */
  close(): void {
    this.#file.close();
  }

  /** Removes the file, and frees the lock, which must be ours. */
  remove(): void {
    removeIfThere(this.#path);
    this.close();
  }

  #tryAcquire(): boolean {
    if (!this.#file.tryLockSync(true)) return false;
    // It may have been removed and made again: then our lock is on a file that is gone.
    if (inodeOf(this.#path) === this.#file.statSync().ino) return true;
    this.#file.close();
    this.#file = openLockFile(this.#path);
    return this.#tryAcquire();
  }
}

function inodeOf(path: string): number | null | undefined {
  try {
    return Deno.statSync(path).ino;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function openLockFile(path: string): Deno.FsFile {
  return Deno.openSync(path, { read: true, write: true, create: true });
}
