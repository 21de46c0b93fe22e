/**
 * `import` of an append-only file (AOF): a redis-server of this machine loads a copy, and is imported.
 *
 *     PATH ─► what is written to is copied, all else linked ─► redis-server ─► import --once
 *
 * Only a server reads it rightly: no key may expire before all of it is read, later commands need the values that
 * earlier ones made, also of keys in several slots, and an end that is cut off is dropped.
 *
 * Of an import that was killed (SIGKILL), its server and its copy stay until the next one: the lock in the folder
 * is free then.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";
import { FileLock } from "../../base/file_lock.ts";
import { connectLocally } from "../../io/local_socket.ts";
import type { AppendOnlySource } from "../../import/source/source_address.ts";
import { LocalRedis } from "../parts/local_redis.ts";
import { UsageError } from "../parts/subcommand.ts";

/** Longest time to load it. */
const LOAD_MS = 3_600_000;
/** Longest time that a server may take to end that was left. */
const END_MS = 5_000;
const PREFIX = "codis-import-";
const LOCK = "lock";
/** Where the server can be told to end by others. Short: such a path has at most 107 characters. */
const SOCKET = "redis.sock";
const FOLDER = "appendonlydir";
const MANIFEST = ".manifest";
/** More than any server is used with: each database takes little. */
const DATABASES = 1_024;

/** A server that has loaded it; disposing ends it, and deletes the copy. */
export class LoadedAppendOnly implements AsyncDisposable {
  readonly port: number;
  /** A folder for what else is needed for the time. */
  readonly folder: string;
  readonly #redis: LocalRedis;
  readonly #lock: FileLock;

  private constructor(redis: LocalRedis, folder: string, lock: FileLock) {
    this.#redis = redis;
    this.#lock = lock;
    this.port = redis.port;
    this.folder = folder;
  }

  /**
   * Copies and loads it.
   *
   * @param signal Aborted to give up.
   * @throws {UsageError} When there is no such file.
   * @throws {Error} When the server cannot be started, or does not load it; the message has the server's reason.
   */
  static async load({ path }: AppendOnlySource, signal: AbortSignal): Promise<LoadedAppendOnly> {
    const manifest = await manifestAt(path);
    const folder = await Deno.makeTempDir({ prefix: PREFIX });
    const lock = new FileLock(join(folder, LOCK));
    try {
      await lock.acquire(0);
      await removeLeft(folder);
      const name = manifest === undefined
        ? await copySingle(path, folder)
        : await copyParts(manifest, folder);
      const args = [
        ...["--appendonly", "yes", "--appendfilename", name, "--appendfsync", "no"],
        ...["--auto-aof-rewrite-percentage", "0", "--aof-load-truncated", "yes"],
        ...["--databases", `${DATABASES}`, "--repl-diskless-sync", "yes"],
        ...["--repl-diskless-sync-delay", "0", "--unixsocket", SOCKET],
      ];
      return new LoadedAppendOnly(
        await LocalRedis.start({ folder, args, startMs: LOAD_MS, signal }),
        folder,
        lock,
      );
    } catch (error) {
      lock.close();
      await Deno.remove(folder, { recursive: true });
      throw new Error(`aof:${path}: ${(error as Error).message}`, { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#redis.stop();
    this.#lock.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** Ends the servers of imports of this user that were killed, and removes their copies. */
async function removeLeft(own: string): Promise<void> {
  const { uid } = await Deno.lstat(own);
  const parent = dirname(own);
  for await (const { name, isDirectory } of Deno.readDir(parent)) {
    const folder = join(parent, name);
    if (!isDirectory || !name.startsWith(PREFIX) || folder === own) continue;
    // What cannot be removed stays for the next one.
    await removeIfLeft(folder, uid).catch(() => {});
  }
}

async function removeIfLeft(folder: string, uid: number | null): Promise<void> {
  if ((await Deno.lstat(folder)).uid !== uid) return;
  using file = await Deno.open(join(folder, LOCK));
  if (!file.tryLockSync(true)) return;
  await endServer(join(folder, SOCKET));
  await Deno.remove(folder, { recursive: true });
}

/**
 * Ends a server, which may load.
 *
 * @throws {Error} When it does not end within a time.
 */
async function endServer(socket: string): Promise<void> {
  let connection: Deno.UnixConn;
  try {
    connection = await connectLocally(socket);
  } catch (error) {
    // It has ended.
    if (error instanceof Deno.errors.ConnectionRefused || error instanceof Deno.errors.NotFound) {
      return;
    }
    throw error;
  }
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    connection.close();
  }, END_MS);
  try {
    await connection.write(new TextEncoder().encode("SHUTDOWN NOSAVE\r\n"));
    while (await connection.read(new Uint8Array(256)) !== null);
    connection.close();
  } catch (error) {
    // It may end before it has read all.
    if (isLate) throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** The manifest of an AOF of several parts; undefined: it is one file. */
async function manifestAt(path: string): Promise<string | undefined> {
  let stat: Deno.FileInfo;
  try {
    stat = await Deno.stat(path);
  } catch (error) {
    throw new UsageError(`aof:${path} cannot be read: ${(error as Error).message}`);
  }
  if (stat.isFile) return path.endsWith(MANIFEST) ? path : undefined;
  for (const folder of [path, join(path, FOLDER)]) {
    const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name).catch(() => []);
    const found = names.filter((name) => name.endsWith(MANIFEST));
    if (found.length > 1) {
      throw new UsageError(
        `${folder} has several AOFs: name the manifest of one (${found.join(", ")})`,
      );
    }
    if (found.length === 1) return join(folder, found[0]!);
  }
  throw new UsageError(
    `aof:${path} has no *${MANIFEST}: name the folder of an AOF (${FOLDER}), or the one file of an older one`,
  );
}

/** An AOF of one file, as before Redis 7. The server may cut off its end, and writes to it. */
async function copySingle(path: string, folder: string): Promise<string> {
  const name = basename(path);
  await Deno.copyFile(path, join(folder, name));
  return name;
}

/** An AOF of several parts. The server only reads those before the last. */
async function copyParts(manifest: string, folder: string): Promise<string> {
  const [from, to] = [dirname(manifest), join(folder, FOLDER)];
  await Deno.mkdir(to);
  const text = await Deno.readTextFile(manifest);
  const lines = text.matchAll(/^file (?:"([^"]*)"|(\S+)) seq \d+ type [bi]/gm);
  const parts = [...lines].map(([, quoted, plain]) => quoted ?? plain!);
  if (parts.length === 0) throw new UsageError(`${manifest} names no files of an AOF`);
  await Deno.copyFile(manifest, join(to, basename(manifest)));
  for (const [i, name] of parts.entries()) {
    const [source, copy] = [join(from, name), join(to, name)];
    if (i === parts.length - 1) await Deno.copyFile(source, copy);
    else await Deno.symlink(await Deno.realPath(source), copy);
  }
  return basename(manifest).slice(0, -MANIFEST.length);
}
