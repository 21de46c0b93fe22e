/**
 * The bill of materials says what is in the program: all of it, and nothing else.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { billOfMaterials, type LockFile } from "../../deploy/sbom.ts";
import denoJson from "../../deno.json" with { type: "json" };

const lock = JSON.parse(
  await Deno.readTextFile(new URL("../../deno.lock", import.meta.url)),
) as LockFile;
const program = { ...denoJson, deno: "2.9.6" };
const bom = billOfMaterials(program, lock, () => "MIT");

Deno.test("every package that the program imports is in the bill, with the lock's checksum", () => {
  const named = Object.values(denoJson.imports).flatMap((target) =>
    /^npm:((?:@[^/]+\/)?[^/]+)/.exec(target)?.[1] ?? []
  );
  const shown = bom.components.map(({ name, version }) => `${name}@${version}`);
  for (const each of named) assert(shown.includes(each), each);
  for (const { type, name, version, hashes } of bom.components) {
    if (type !== "library") continue;
    const key = Object.keys(lock.npm).find((each) => each.split("_")[0] === `${name}@${version}`)!;
    const checksum = `sha512-${Uint8Array.fromHex(hashes![0]!.content).toBase64()}`;
    assertEquals(checksum, lock.npm[key]!.integrity);
  }
});

Deno.test("whatever a package needs is in the bill, too, and no package is there twice", () => {
  const refs = bom.components.map((component) => component["bom-ref"]);
  assertEquals(new Set(refs).size, refs.length);
  const reached = new Set(bom.dependencies.flatMap(({ dependsOn }) => dependsOn));
  assertEquals([...reached].sort(), [...refs].sort());
  for (const { ref } of bom.dependencies.slice(1)) assert(refs.includes(ref), ref);
});

Deno.test("packages of tests alone are not in the bill", () => {
  const names = bom.components.map(({ name }) => name);
  for (const target of Object.values(denoJson.scopes["./tests/"])) {
    const name = /^npm:((?:@[^/]+\/)?[^@/]+)/.exec(target)![1]!;
    assertEquals(names.includes(name), false, name);
  }
});

Deno.test("a package that the lock file does not have is named", () => {
  const imports = { x: "npm:nowhere@1.0.0" };
  const { message } = assertThrows(
    () => billOfMaterials({ ...program, imports }, lock, () => ""),
    Error,
  );
  assertEquals(message, "npm:nowhere@1.0.0 is not in deno.lock");
});
