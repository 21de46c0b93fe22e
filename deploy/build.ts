/**
 * Makes dist/codis-proxy, one executable file.
 *
 * `deno compile` makes it where it can have its runtime archive: from DENORT_BIN, from Deno's cache
 * or from the download host. Elsewhere the same program is packed with Deno itself into a
 * self-extracting file.
 *
 * @module
 */

import denoJson from "../deno.json" with { type: "json" };
import { billOfMaterials, type LockFile } from "./sbom.ts";
import { packSelfExtracting } from "./self_extracting.ts";

/** A download that takes longer than this will not come. */
const COMPILE_LIMIT_MS = 180_000;
/** Longest time that the download host may take to say that it is there, in milliseconds. */
const ANSWER_MS = 10_000;
/** What `deno compile` puts before the program. */
const RUNTIME = `release/v${Deno.version.deno}/denort-${Deno.build.target}.zip`;
const RUNTIME_URL = `https://dl.deno.land/${RUNTIME}`;

const root = new URL("..", import.meta.url).pathname;
const output = `${root}dist/codis-proxy`;

/** What the proxy starts its threads with. */
const WORKER = "src/proxy/workers/worker.ts";

/** Only `demo` and `import` start a program; a compiled file gives up that right for all other commands. */
const DEMO_FLAG = "--allow-run=redis-server";
/** Only `--take-over` calls the C library; likewise. */
const TAKE_OVER_FLAG = "--allow-ffi";

/** The program is allowed what `deno task start` allows it. */
const flags = denoJson.tasks.start.command.split(" ").filter((word) =>
  /^--(no-prompt$|v8-flags=|allow-)/.test(word)
);

/** Why `deno compile` cannot have its runtime archive: it would wait for minutes where nobody answers. */
async function missingRuntime(): Promise<string | undefined> {
  if (Deno.env.has("DENORT_BIN")) return undefined;
  const { denoDir } = await denoInfo();
  try {
    await Deno.stat(`${denoDir}/dl/${RUNTIME}`);
    return undefined;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const remedy = "to use it, unpack that file from elsewhere and set DENORT_BIN=FILE";
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const { ok, status } = await fetch(RUNTIME_URL, { method: "HEAD", signal });
    return ok ? undefined : `${RUNTIME_URL} answers ${status}; ${remedy}`;
  } catch (error) {
    const isLate = (error as Error).name === "TimeoutError";
    const why = isLate ? `does not answer within ${ANSWER_MS / 1000} s` : "cannot be reached";
    return `${RUNTIME_URL} ${why}; ${remedy}`;
  }
}

/** Where Deno keeps things. */
async function denoInfo(): Promise<{ denoDir: string; npmCache: string }> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Returns whether `deno compile` made the file. */
async function compile(): Promise<boolean> {
  const missing = await missingRuntime();
  if (missing !== undefined) {
    console.log(`deno compile cannot do it here: ${missing}`);
    return false;
  }
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "compile",
      "--quiet",
      ...flags,
      DEMO_FLAG,
      TAKE_OVER_FLAG,
      "--include",
      WORKER,
      "--output",
      output,
      "main.ts",
    ],
    cwd: root,
    stdout: "null",
    stderr: "piped",
    signal: AbortSignal.timeout(COMPILE_LIMIT_MS),
  });
  const { success, stderr } = await child.output();
  if (success) return true;
  console.log(`deno compile cannot do it here: ${reasonIn(new TextDecoder().decode(stderr))}`);
  return false;
}

/** The first and the last line of Deno's chain of causes. */
function reasonIn(stderr: string): string {
  const lines = stderr.split("Stack backtrace:")[0]!.split("\n").map((line) => line.trim());
  const told = lines.filter((line) => line !== "" && line !== "Caused by:");
  if (told.length === 0) return `no answer in ${COMPILE_LIMIT_MS / 1000} s`;
  return told.length === 1 ? told[0]! : `${told[0]} (${told.at(-1)})`;
}

/** Writes what is in the file, beside it. */
async function writeBill(): Promise<void> {
  const { npmCache } = await denoInfo();
  const lock = JSON.parse(await Deno.readTextFile(`${root}deno.lock`)) as LockFile;
  const registries = [...Deno.readDirSync(npmCache)].map(({ name }) => `${npmCache}/${name}`);
  const bom = billOfMaterials(
    { ...denoJson, deno: Deno.version.deno },
    lock,
    (name, version) => {
      for (const registry of registries) {
        try {
          const text = Deno.readTextFileSync(`${registry}/${name}/${version}/package.json`);
          const { license } = JSON.parse(text) as { license?: unknown };
          if (typeof license === "string") return license;
        } catch (error) {
          if (!(error instanceof Deno.errors.NotFound)) throw error;
        }
      }
      return "";
    },
  );
  await Deno.writeTextFile(`${output}.cdx.json`, `${JSON.stringify(bom, null, 2)}\n`);
  console.log(`dist/codis-proxy.cdx.json: ${bom.components.length} components`);
}

async function main(): Promise<void> {
  await Deno.mkdir(`${root}dist`, { recursive: true });
  if (!await compile()) {
    console.log("packing the program and Deno into one self-extracting file instead");
    await packSelfExtracting({
      entry: `${root}main.ts`,
      workers: [`${root}${WORKER}`],
      output,
      version: denoJson.version,
      flags: [...denoJson.unstable.map((feature) => `--unstable-${feature}`), ...flags],
      demoFlags: [DEMO_FLAG],
      takeOverFlags: [TAKE_OVER_FLAG],
    });
  }
  await writeBill();
  // It is only built when it runs.
  const { success, stdout, stderr } = await new Deno.Command(output, { args: ["--version"] })
    .output();
  if (!success) throw new Error(`${output} does not run\n${new TextDecoder().decode(stderr)}`);
  const { size } = await Deno.stat(output);
  const version = new TextDecoder().decode(stdout).trim();
  console.log(`dist/codis-proxy: ${version}, ${(size / 1e6).toFixed(1)} MB`);
}

await main();
