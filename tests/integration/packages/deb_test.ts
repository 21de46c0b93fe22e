/**
 * What users of the Debian package find in it.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { layOut } from "../../../deploy/deb.ts";

const ROOT = new URL("../../../", import.meta.url).pathname;

Deno.test("the package has all documents, and gives away or takes no rights of folders", async () => {
  const folder = await Deno.makeTempDir({ prefix: "codis-deb-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const stub = `${ROOT}LICENSE`;
  await layOut(folder, stub, stub, (shell) => Promise.resolve(`# ${shell}`));
  const documents = `${folder}/usr/share/doc/codis-proxy`;
  const names = (path: string) => [...Deno.readDirSync(path)].map(({ name }) => name).sort();
  const own = names(`${ROOT}docs`).filter((name) => name.endsWith(".md"));
  const others = ["CHANGELOG.md", "SECURITY.md", "codis-proxy.cdx.json", "copyright", "decisions"];
  assertEquals(names(documents), [...own, ...others].sort());
  assertEquals(names(`${documents}/decisions`), names(`${ROOT}docs/decisions`));
  const modes = new Map<string, number>();
  const walk = (path: string) => {
    const { isDirectory, mode } = Deno.lstatSync(path);
    modes.set(path.slice(folder.length), mode! & 0o777);
    if (isDirectory) { for (const name of names(path)) walk(`${path}/${name}`); }
  };
  walk(folder);
  assertEquals(modes.get(""), 0o755);
  for (const [path, mode] of modes) assert([0o755, 0o644, 0o777].includes(mode), path);
  assertEquals(modes.get("/usr/bin/codis-proxy"), 0o755);
});
