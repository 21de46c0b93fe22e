/**
 * Where files may be that are of use to this machine's running processes only.
 *
 * @module
 */

import { logger } from "./log.ts";

const log = logger("proxy");

/** Such folders, the best first: gone with the machine's end, and only ours. None ends with a slash, but `/`. */
export function ownFolders(): string[] {
  const named = [Deno.env.get("XDG_RUNTIME_DIR"), Deno.env.get("TMPDIR")];
  const given = named.filter((folder) => folder !== undefined && folder.startsWith("/"));
  return [...new Set([...given as string[], "/tmp"].map((path) => path.replace(/(?<=.)\/+$/, "")))];
}

/** Removes a file or an empty folder; that it is gone already, or cannot be removed, is no error. */
export function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    log.debug("{path} not removed: {error}", { path, error });
  }
}
