/**
 * Files that are there whole at any moment.
 *
 * @module
 */

/**
 * Writes a file anew, in one step: whoever reads it finds the old one or the new one, whole.
 *
 * @param prepare Called with the name of the new one, before it takes the place of the old one.
 */
export async function replaceFile(
  path: string,
  content: string | Uint8Array,
  mode: number,
  prepare: (written: string) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  // In a container all processes have the same pid, one that was killed while it wrote, too.
  const written = `${path}.tmp-${Deno.pid}-${Date.now()}`;
  try {
    await writeSynced(written, content, mode);
    await prepare(written);
    await Deno.rename(written, path);
  } catch (error) {
    await Deno.remove(written).catch(() => {});
    throw error;
  }
}

async function writeSynced(
  path: string,
  content: string | Uint8Array,
  mode: number,
): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true, mode });
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  for (let written = 0; written < bytes.length;) {
    written += await file.write(bytes.subarray(written));
  }
  await file.sync();
}
