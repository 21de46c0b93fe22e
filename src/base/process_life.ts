/**
 * Proof that a process is gone: each holds a lock on a file of its own for as long as it lives.
 *
 *     begin ──► /tmp/codis-proxy-<uuid>.life, locked ──► its name is given to others as `text`
 *               /tmp/codis-proxy-<uuid>.sock, where it can be talked to, if it listens there
 *     isSurelyGone(text) ──► the file is on this machine, and its lock is free
 *
 * kill -9 frees the lock when the last thread has ended; SIGSTOP does not. Whatever cannot be known (the
 * file is on another machine, was removed, or came here with a copy of a disk) is no proof.
 *
 * @module
 */

import { logger } from "./log.ts";
import { ownFolders, removeIfThere } from "./own_folders.ts";

/** Form of a life's text: the name of its file, and the machine that it is on. */
const TEXT = /^life ([0-9a-f-]{36}) on (.+)$/;

/** How much the clock may have been set since this machine was started, in milliseconds. */
const CLOCK_SLACK_MS = 2_000;

/** Age at which the file of a process that is gone is of no use any more, in milliseconds. */
const STALE_MS = 24 * 3_600_000;

const log = logger("proxy");

/** The life of this process, for its successor to see the end of. */
export class ProcessLife {
  /** What others are given; `""` when no file could be made, and nothing can be proven. */
  readonly text: string;
  readonly #path: string;
  readonly #file: Deno.FsFile | undefined;

  private constructor(text: string, path: string, file: Deno.FsFile | undefined) {
    this.text = text;
    this.#path = path;
    this.#file = file;
  }

  /**
   * Begins one; it ends with the process, or by {@linkcode ProcessLife.end}.
   *
   * @param description What the file says to people who find it.
   */
  static begin(description: string): ProcessLife {
    const uuid = crypto.randomUUID();
    for (const folder of ownFolders()) {
      const path = pathIn(folder, uuid);
      let file: Deno.FsFile | undefined;
      try {
        file = Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
        file.lockSync(true);
        describe(file, description);
        removeStale(folder);
        return new ProcessLife(`life ${uuid} on ${Deno.hostname()}`, path, file);
      } catch (error) {
        file?.close();
        log.debug("{path} not made: {error}", { path, error });
      }
    }
    return new ProcessLife("", "", undefined);
  }

  /** Where others of this user can talk to the process, if it listens there; `""` without a file. */
  get socketPath(): string {
    return socketBeside(this.#path);
  }

  /** Ends it, and removes its file. */
  end(): void {
    if (this.#file === undefined) return;
    removeIfThere(this.socketPath);
    removeIfThere(this.#path);
    try {
      this.#file.close();
    } catch {
      // Ended before.
    }
  }
}

/** Whether the process that `text` names is surely gone; false when that cannot be known. */
export function isSurelyGone(text: string): boolean {
  return pathOfGone(text) !== undefined;
}

/** Removes what a process that is gone has left. */
export function forgetLife(text: string): void {
  const path = pathOfGone(text);
  if (path === undefined) return;
  removeIfThere(socketBeside(path));
  removeIfThere(path);
}

/** Whether the process that `text` names is on this machine. */
export function isOnThisMachine(text: string): boolean {
  return uuidHere(text) !== undefined;
}

/** Where the process that `text` names may listen; none when it is on another machine. */
export function socketPathsOf(text: string): string[] {
  const uuid = uuidHere(text);
  return uuid === undefined ? [] : ownFolders().map((folder) => socketBeside(pathIn(folder, uuid)));
}

/** The UUID in a life's text; none when it is on another machine, or is no life. */
function uuidHere(text: string): string | undefined {
  const [, uuid, hostname] = TEXT.exec(text) ?? [];
  return hostname === Deno.hostname() ? uuid : undefined;
}

function socketBeside(path: string): string {
  return path.replace(/life$/, "sock");
}

function pathOfGone(text: string): string | undefined {
  const uuid = uuidHere(text);
  if (uuid === undefined) return undefined;
  // A copy of a disk brings a file that another machine's process has locked there.
  const bootedMs = Date.now() - Deno.osUptime() * 1_000 - CLOCK_SLACK_MS;
  for (const folder of ownFolders()) {
    const path = pathIn(folder, uuid);
    try {
      const file = Deno.openSync(path, { read: true });
      try {
        const madeMs = file.statSync().mtime?.getTime() ?? 0;
        // Shared, so that two that check at the same time do not take each other for the owner.
        if (file.tryLockSync(false)) return madeMs >= bootedMs ? path : undefined;
        return undefined;
      } finally {
        file.close();
      }
    } catch (error) {
      log.debug("{path} proves nothing: {error}", { path, error });
    }
  }
  return undefined;
}

/** On a full disk the lock must do alone, which is all that is looked at. */
function describe(file: Deno.FsFile, description: string): void {
  try {
    file.writeSync(new TextEncoder().encode(`${description}\n`));
  } catch (error) {
    log.debug("a life without words: {error}", { error });
  }
}

function pathIn(folder: string, uuid: string): string {
  return `${folder}/codis-proxy-${uuid}.life`;
}

/** Removes files that killed processes left more than a day ago: they were not started again. */
function removeStale(folder: string): void {
  let names: string[] = [];
  try {
    names = [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch (error) {
    log.debug("{folder} not listed: {error}", { folder, error });
  }
  for (const name of names) {
    if (!/^codis-proxy-[0-9a-f-]{36}\.life$/.test(name)) continue;
    const path = `${folder}/${name}`;
    try {
      using file = Deno.openSync(path, { read: true });
      const ageMs = Date.now() - (file.statSync().mtime?.getTime() ?? Date.now());
      if (ageMs <= STALE_MS || !file.tryLockSync(false)) continue;
      removeIfThere(socketBeside(path));
      Deno.removeSync(path);
    } catch (error) {
      log.debug("{path} not removed: {error}", { path, error });
    }
  }
}
