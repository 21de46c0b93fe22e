/**
 * Sessions as files: each holds a lock on its own while its process lives.
 *
 *     owners/<id>      locked by the process that owns it; kill -9 frees the lock, SIGSTOP does not:
 *                      a paused owner is alive, and what it registered stays
 *     owners/<id>.new  being made; who holds the store's lock may remove it
 *
 * There is no lease on top: on one machine a paused process is an operator's doing, and while it is
 * paused it confirms no action, so that nothing is changed behind its back.
 *
 * @module
 */

/** The life of one session, for other processes to see. */
export class OwnerFile {
  /** Names the session; never used twice. */
  readonly id: string;
  readonly #path: string;
  readonly #file: Deno.FsFile;

  /** Makes the file in `folder`; the caller holds the store's lock. */
  constructor(folder: string) {
    this.id = `${Deno.pid}-${crypto.randomUUID()}`;
    this.#path = `${folder}/${this.id}`;
    // Locked before it gets its name: it is never seen unlocked while we live.
    const unfinished = `${this.#path}.new`;
    this.#file = Deno.openSync(unfinished, { write: true, createNew: true });
    this.#file.lockSync(true);
    Deno.renameSync(unfinished, this.#path);
  }

  /** Whether others can still see it. */
  isThere(): boolean {
    try {
      return Deno.statSync(this.#path).ino === this.#file.statSync().ino;
    } catch {
      return false;
    }
  }

  /** Ends the session for everybody. */
  close(): void {
    try {
      Deno.removeSync(this.#path);
    } catch {
      // Wiped with its folder: gone is gone.
    }
    this.#file.close();
  }
}

/** Finds out which sessions of other processes have ended. */
export class OwnerProbe {
  readonly #folder: string;
  readonly #files = new Map<string, Deno.FsFile>();

  /** Checks the files in `folder`. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Which of these sessions' processes are dead; what is known of others is forgotten. */
  deadOf(ids: readonly string[]): string[] {
    for (const id of this.#files.keys()) {
      if (!ids.includes(id)) this.#forget(id);
    }
    return ids.filter((id) => this.#isDead(id));
  }

  /** Whether a session is there that has not ended. */
  isAnyAlive(): boolean {
    const names = [...Deno.readDirSync(this.#folder)].map(({ name }) => name);
    const isAnyAlive = names.some((name) => !name.endsWith(".new") && !this.#isDead(name));
    this.close();
    return isAnyAlive;
  }

  /** Removes the file of a dead session. */
  remove(id: string): void {
    this.#forget(id);
    try {
      Deno.removeSync(`${this.#folder}/${id}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** Removes the files of dead sessions and unfinished ones; the caller holds the store's lock. */
  sweep(isWanted: (id: string) => boolean): void {
    for (const { name } of [...Deno.readDirSync(this.#folder)]) {
      if (!isWanted(name) && this.#isDead(name)) this.remove(name);
    }
  }

  /** Closes every file. */
  close(): void {
    for (const id of [...this.#files.keys()]) this.#forget(id);
  }

  #isDead(id: string): boolean {
    let file = this.#files.get(id);
    if (file === undefined) {
      try {
        file = Deno.openSync(`${this.#folder}/${id}`, { read: true });
      } catch (error) {
        return error instanceof Deno.errors.NotFound;
      }
      this.#files.set(id, file);
    }
    // Shared, so that two processes that check at the same time do not take each other for the owner.
    return file.tryLockSync(false);
  }

  #forget(id: string): void {
    this.#files.get(id)?.close();
    this.#files.delete(id);
  }
}
