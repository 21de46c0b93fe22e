/**
 * Where files may be that are of use to this machine's running processes only.
 *
 * @module
 */

/** Such folders, the best first: gone with the machine's end, and only ours. */
export function ownFolders(): string[] {
  const named = [Deno.env.get("XDG_RUNTIME_DIR"), Deno.env.get("TMPDIR")];
  const given = named.filter((folder) => folder !== undefined && folder.startsWith("/"));
  return [...new Set([...given as string[], "/tmp"])];
}
