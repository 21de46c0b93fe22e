/**
 * What `make build` makes of the modules.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { bundleProgram } from "../../../deploy/bundle.ts";
import { Child } from "../../support/child.ts";

/** The comment stays in the bundle, and the texts are told apart only by characters beyond Latin-1. */
const SHARED = `
export class Drawing {
  /** As in ┌──┐, … */
  static readonly text = "┌──┐ 😀";
  static readonly pattern = /^┌─{2}┐ \\u{1f600}$/u;
}
`;
const MAIN = `
import { Drawing } from "./shared.ts";
if (import.meta.main) {
  const { LATE } = await import("./late.ts");
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => {
    console.log(JSON.stringify([Drawing.text, Drawing.pattern.test(Drawing.text), LATE, data]));
    Deno.exit(0);
  };
}
`;
const WORKER = `
import { Drawing } from "../../shared.ts";
import("../../late.ts").then(({ LATE }) => postMessage([Drawing.text, LATE]));
`;

Deno.test("a bundle does what its modules do, with one byte a character and shared parts once", async () => {
  const folder = await Deno.makeTempDir({ prefix: "codis-bundle-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const bundle = `${folder}/bundle`;
  await Deno.mkdir(`${folder}/a/b`, { recursive: true });
  await Deno.mkdir(bundle);
  await Deno.writeTextFile(`${folder}/shared.ts`, SHARED);
  await Deno.writeTextFile(`${folder}/late.ts`, `export const LATE = "late…";`);
  await Deno.writeTextFile(`${folder}/main.ts`, MAIN);
  await Deno.writeTextFile(`${folder}/a/b/worker.ts`, WORKER);

  const names = await bundleProgram({
    entry: `${folder}/main.ts`,
    workers: [`${folder}/a/b/worker.ts`],
    folder: bundle,
  });

  assertEquals([...Deno.readDirSync(bundle)].map(({ name }) => name).sort(), names);
  assert(names.includes("main.js") && names.includes("worker.js"), names.join(" "));
  const texts = names.map((name) => Deno.readTextFileSync(`${bundle}/${name}`));
  for (const text of texts) assertEquals(text.match(/[^\t\n\r -~]/g), null);
  assertEquals(
    texts.filter((text) => /\bclass Drawing\b|\bDrawing = class\b/.test(text)).length,
    1,
  );
  const args = ["run", "--no-prompt", "--no-config", "--allow-read", `${bundle}/main.js`];
  const child = new Child(Deno.execPath(), { args });
  assertEquals((await child.ended).code, 0, child.stderr);
  assertEquals(JSON.parse(child.stdout), ["┌──┐ 😀", true, "late…", ["┌──┐ 😀", "late…"]]);
});
