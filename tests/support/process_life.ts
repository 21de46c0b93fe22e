/**
 * The life of a process that is gone, or about to be, as others find it.
 *
 * @module
 */

/** What is told of it; disposing removes its file, if it is still there. */
export interface DeadLife extends Disposable {
  readonly text: string;
  readonly path: string;
}

/** Makes what kill -9 leaves: the file of a life, and nobody who holds its lock. */
export function deadLife(hostname: string = Deno.hostname(), uuid = crypto.randomUUID()): DeadLife {
  const path = `/tmp/codis-proxy-${uuid}.life`;
  Deno.writeTextFileSync(path, "a test\n");
  return {
    text: `life ${uuid} on ${hostname}`,
    path,
    [Symbol.dispose]() {
      try {
        Deno.removeSync(path);
      } catch {
        // Whoever took its place has removed it.
      }
    },
  };
}

/** What is told of the life of a process that was killed, and ends when {@linkcode LockedLife.unlock} is called. */
export interface LockedLife extends Disposable {
  readonly text: string;
  unlock(): void;
}

/** Makes one; disposing removes its file. */
export function lockedLife(): LockedLife {
  const { text, path, [Symbol.dispose]: remove } = deadLife();
  const file = Deno.openSync(path, { write: true });
  file.lockSync(true);
  return {
    text,
    unlock: () => file.unlockSync(),
    [Symbol.dispose]() {
      file.close();
      remove();
    },
  };
}
