/**
 * Packs a program and the Deno that runs it into one file that unpacks itself.
 *
 * @module
 */

import { bundleProgram } from "./bundle.ts";

/** What goes into the file. */
export interface Packing {
  /** The main module, `main.ts`. */
  readonly entry: string;
  /** Modules that the program starts threads with; see `bundle.ts`. */
  readonly workers?: readonly string[];
  /** Where the file is written. */
  readonly output: string;
  readonly version: string;
  /** The flags of `deno run` that the program needs. */
  readonly flags: readonly string[];
  /** Those that the command `demo` needs besides. @default none */
  readonly demoFlags?: readonly string[];
  /** Those that `--take-over` needs besides. @default none */
  readonly takeOverFlags?: readonly string[];
  /** 1 (fast) to 9 (small). @default 9 */
  readonly gzipLevel?: number;
}

/** Bytes of the content hash that name the folder it is unpacked into. */
const ID_BYTES = 8;

async function run(name: string, args: readonly string[]): Promise<Uint8Array> {
  const { success, stdout, stderr } = await new Deno.Command(name, { args: [...args] }).output();
  if (success) return stdout;
  throw new Error(`${name} ${args[0]} failed\n${new TextDecoder().decode(stderr)}`);
}

/**
 * Bundles the program, packs it and Deno, and writes the file.
 *
 * @returns The size of the file in bytes.
 * @throws {Error} When the program cannot be bundled; its text is that of `deno bundle`.
 */
export async function packSelfExtracting(packing: Packing): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "codis-build-" });
  try {
    const { entry, workers = [] } = packing;
    const files = ["deno", ...await bundleProgram({ entry, workers, folder })];
    await Deno.copyFile(Deno.execPath(), `${folder}/deno`);
    await Deno.chmod(`${folder}/deno`, 0o755);
    // The same source makes the same file: no times, no owners.
    for (const name of files) await Deno.utime(`${folder}/${name}`, 0, 0);
    const level = packing.gzipLevel ?? 9;
    await run("sh", [
      "-c",
      'cd "$0" && level="$1" && shift && ' +
      'tar --owner=0 --group=0 -cf - "$@" | gzip -n "-$level" >payload',
      folder,
      `${level}`,
      ...files,
    ]);
    const payload = await Deno.readFile(`${folder}/payload`);
    const head = await launcherFor(payload, files, packing);
    const partial = `${packing.output}.part`;
    await Deno.writeFile(partial, head, { mode: 0o755 });
    await Deno.writeFile(partial, payload, { append: true });
    await Deno.chmod(partial, 0o755);
    await Deno.rename(partial, packing.output);
    return head.length + payload.length;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function launcherFor(
  payload: Uint8Array<ArrayBuffer>,
  files: readonly string[],
  { version, flags, demoFlags = [], takeOverFlags = [] }: Packing,
): Promise<Uint8Array<ArrayBuffer>> {
  const template = await Deno.readTextFile(new URL("./launcher.sh", import.meta.url));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", payload));
  const system = new TextDecoder().decode(await run("uname", ["-sm"])).trim();
  const text = template
    .replaceAll("@VERSION@", version)
    .replaceAll("@SYSTEM@", system)
    .replaceAll("@ID@", digest.subarray(0, ID_BYTES).toHex())
    .replaceAll("@FILES@", files.join(" "))
    .replaceAll("@FLAGS@", flags.join(" "))
    .replaceAll("@DEMO_FLAGS@", demoFlags.join(" "))
    .replaceAll("@TAKE_OVER_FLAGS@", takeOverFlags.join(" "));
  // The offset is part of the text whose length it is: as many digits as the place holder.
  const place = "@OFFSET@";
  const offset = `${text.length + 1}`.padEnd(place.length);
  return new TextEncoder().encode(text.replace(place, offset));
}
