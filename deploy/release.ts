/**
 * Puts what is released into dist/release: the program in an archive, Debian's package, the chart, the bill of materials,
 * what has changed, and the checksums of all. Nothing is published.
 *
 * @module
 */

import denoJson from "../deno.json" with { type: "json" };
import { changesIn } from "./changes.ts";

const root = new URL("..", import.meta.url).pathname;
const folder = `${root}dist/release`;
const { version } = denoJson;

/** What of deploy/ is of use without the source. */
const DEPLOYED = [
  "codis-proxy@.service",
  "alerts.yml",
  "grafana",
  "compose",
  "helm",
  "kubernetes",
];

async function run(name: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(name, { args, cwd: root }).output();
  if (!success) throw new Error(`${name} failed\n${new TextDecoder().decode(stderr)}`);
}

/** Packs a folder of `parent`; nothing in it is anybody's. */
async function pack(parent: string, name: string, archive: string): Promise<void> {
  const flags = ["--owner=0", "--group=0", "--mode=u=rwX,go=rX", "--exclude=compose/secrets"];
  await run("tar", "-C", parent, ...flags, "-czf", `${folder}/${archive}`, name);
}

async function sha256(path: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  return new Uint8Array(digest).toHex();
}

async function main(): Promise<void> {
  const changes = changesIn(await Deno.readTextFile(`${root}CHANGELOG.md`), version);
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  const name = `codis-proxy-${version}-${Deno.build.os}-${Deno.build.arch}`;
  await Deno.mkdir(`${folder}/${name}`, { recursive: true });
  const files = ["dist/codis-proxy", "config.ini", "LICENSE", "README.md", "CHANGELOG.md", "docs"];
  await run("cp", "-r", ...files, `${folder}/${name}`);
  // Documents name them by these paths.
  const deployed = DEPLOYED.map((file) => `deploy/${file}`);
  await Deno.mkdir(`${folder}/${name}/deploy`);
  await run("cp", "-r", ...deployed, `${folder}/${name}/deploy`);
  await pack(folder, name, `${name}.tar.gz`);
  // As `helm package` makes it.
  await pack(`${root}deploy/helm`, "codis-proxy", `codis-proxy-chart-${version}.tgz`);
  await Deno.remove(`${folder}/${name}`, { recursive: true });
  await run("sh", "-c", `cp dist/codis-proxy_${version}_*.deb "$0"`, folder);
  await Deno.copyFile(`${root}dist/codis-proxy.cdx.json`, `${folder}/${name}.cdx.json`);
  await Deno.writeTextFile(`${folder}/CHANGES.md`, changes);
  const names = [...Deno.readDirSync(folder)].map((file) => file.name).sort();
  const sums = await Promise.all(
    names.map(async (file) => `${await sha256(`${folder}/${file}`)}  ${file}\n`),
  );
  await Deno.writeTextFile(`${folder}/SHA256SUMS`, sums.join(""));
  console.log(`dist/release: ${[...names, "SHA256SUMS"].join(", ")}`);
}

await main();
