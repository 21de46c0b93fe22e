/**
 * The life of a process that is gone, as its successor finds it.
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
