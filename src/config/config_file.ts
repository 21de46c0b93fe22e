/**
 * A config.ini as it was read, and how it is written again: all of it or nothing, and only as long as nobody else
 * has changed it.
 *
 * @module
 */

import { fileReason } from "../base/file_fault.ts";
import { replaceFile } from "../base/replace_file.ts";
import { ConfigError } from "./error.ts";
import { decodeConfig } from "./lines.ts";

/** A config file. */
export class ConfigFile {
  readonly path: string;
  /** As it was read or written last. */
  text: string;

  constructor(path: string, text: string) {
    this.path = path;
    this.text = text;
  }

  /**
   * Reads it again.
   *
   * @throws {ConfigError} As {@linkcode openConfigFile}; and when there is no plain file: reading a pipe may wait
   * for ever. Or when there is nothing in it: that is a file that was not written to its end.
   */
  async read(): Promise<ConfigFile> {
    const { path, text } = this;
    const isOther = await Deno.stat(path).then(({ isFile }) => !isFile, () => false);
    if (isOther) throw new ConfigError(`${path}: cannot read config file: it is no plain file`);
    const read = await openConfigFile(path);
    if (read.text.trim() === "" && text.trim() !== "") {
      throw new ConfigError(`${path}: the config file is empty: write it again, or restart`);
    }
    return read;
  }

  /**
   * Puts another text into its place; owner, rights and links stay.
   *
   * @throws {ConfigError} When it is not there, was changed since it was read, or cannot be written.
   */
  async replace(text: string): Promise<void> {
    const { path } = this;
    if ((await this.read()).text !== this.text) {
      throw new ConfigError(
        `${path} was changed since it was read: reload it first, so that nothing in it is lost`,
      );
    }
    if (text === this.text) return;
    const real = await Deno.realPath(path);
    try {
      const { mode, uid, gid } = await Deno.stat(real);
      const prepare = (written: string) => keepOwner(written, uid, gid);
      await replaceFile(real, text, (mode ?? 0o600) & 0o777, prepare);
    } catch (error) {
      throw new ConfigError(`${path} cannot be written: ${fileReason(error)}`);
    }
    this.text = text;
  }
}

/**
 * Reads a config file.
 *
 * @throws {ConfigError} When it cannot be read, or is not UTF-8.
 */
export async function openConfigFile(path: string): Promise<ConfigFile> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    throw new ConfigError(`${path}: cannot read config file: ${fileReason(error)}`);
  }
  return new ConfigFile(path, decodeConfig(bytes, path));
}

/** Only root can give a file away; for others it is their own already, or stays that. */
async function keepOwner(path: string, uid: number | null, gid: number | null): Promise<void> {
  if ((await Deno.stat(path)).uid !== uid) await Deno.chown(path, uid, gid).catch(() => {});
}
