/**
 * Bundles the program into few files: they load in half the time of the source tree's modules, and take less memory.
 *
 *     main.js ───► chunk-….js ◄─── worker.js     what both need is there once, and compiled once
 *        └───────► etcd-….js, commands-….js      what is imported when it is needed
 *
 * Names stay as they are, so that stack traces can be read.
 *
 * @module
 */

/** What is bundled. */
export interface Bundling {
  /** The main module. */
  readonly entry: string;
  /** Modules that the program starts threads with, in or below the folder of the main one. */
  readonly workers: readonly string[];
  /** The folder that the files are written to. */
  readonly folder: string;
}

/**
 * Writes the files, none in a folder of its own: an entry keeps its name with the ending `.js`.
 *
 * @returns Their names.
 * @throws {Error} When the program cannot be bundled; its text is that of `deno bundle`.
 */
export async function bundleProgram({ entry, workers, folder }: Bundling): Promise<string[]> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--platform=deno", "--code-splitting", "--outdir", folder, entry, ...workers],
  }).output();
  if (!success) throw new Error(`deno bundle failed\n${new TextDecoder().decode(stderr)}`);
  const root = entry.slice(0, entry.lastIndexOf("/") + 1);
  for (const worker of workers) await moveUp(folder, worker.slice(root.length));
  const names = [...Deno.readDirSync(folder)].filter(({ isFile }) => isFile).map(({ name }) =>
    name
  );
  for (const name of names) await rewrite(`${folder}/${name}`, escaped);
  return names.sort();
}

/** Moves what was made of a module in a folder below to the others, and lets it find them there. */
async function moveUp(folder: string, module: string): Promise<void> {
  const path = module.replace(/\.ts$/, ".js");
  if (!path.includes("/")) return;
  const top = `${folder}/${path.slice(path.lastIndexOf("/") + 1)}`;
  await Deno.rename(`${folder}/${path}`, top);
  await Deno.remove(`${folder}/${path.slice(0, path.indexOf("/"))}`, { recursive: true });
  await rewrite(top, (text) =>
    text
      .replace(/^((?:import|\} from) )"(?:\.\.\/)+([^"/]+\.js";)$/gm, '$1"./$2')
      .replace(/\bimport\("(?:\.\.\/)+([^"/]+\.js"\))/g, 'import("./$1'));
}

/**
 * Escapes what is not ASCII: of a text with one character beyond Latin-1, V8 keeps two bytes for each. `deno bundle`
 * has done so with all but comments.
 */
function escaped(text: string): string {
  return text.replace(
    // deno-lint-ignore no-control-regex
    /[^\x00-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

async function rewrite(path: string, change: (text: string) => string): Promise<void> {
  await Deno.writeTextFile(path, change(await Deno.readTextFile(path)));
}
