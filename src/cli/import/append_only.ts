/**
 * `import` of an append-only file (AOF): a redis-server of this machine loads a copy, and is imported.
 *
 *     PATH ─► what is written to is copied, all else linked ─► redis-server ─► import --once
 *
 * Only a server reads it rightly: no key may expire before all of it is read, later commands need the values that
 * earlier ones made, also of keys in several slots, and an end that is cut off is dropped.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";
import type { AppendOnlySource } from "../../import/source/source_address.ts";
import { LocalRedis } from "../parts/local_redis.ts";
import { UsageError } from "../parts/subcommand.ts";

/** Longest time to load it. */
const LOAD_MS = 3_600_000;
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

  private constructor(redis: LocalRedis, folder: string) {
    this.#redis = redis;
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
    const folder = await Deno.makeTempDir({ prefix: "codis-import-" });
    try {
      const name = manifest === undefined
        ? await copySingle(path, folder)
        : await copyParts(manifest, folder);
      const args = [
        ...["--appendonly", "yes", "--appendfilename", name, "--appendfsync", "no"],
        ...["--auto-aof-rewrite-percentage", "0", "--aof-load-truncated", "yes"],
        ...["--databases", `${DATABASES}`, "--repl-diskless-sync", "yes"],
        ...["--repl-diskless-sync-delay", "0"],
      ];
      return new LoadedAppendOnly(
        await LocalRedis.start({ folder, args, startMs: LOAD_MS, signal }),
        folder,
      );
    } catch (error) {
      await Deno.remove(folder, { recursive: true });
      throw new Error(`aof:${path}: ${(error as Error).message}`, { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#redis.stop();
    await Deno.remove(this.folder, { recursive: true });
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
