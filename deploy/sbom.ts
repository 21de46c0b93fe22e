/**
 * The bill of materials of the program: what is in it that others have written. CycloneDX 1.6, in JSON.
 *
 * The lock file says it all: names, versions, checksums, and what needs what. Tests' packages are left out.
 *
 * @module
 */

/** The parts of deno.lock that are read. */
export interface LockFile {
  /** `npm:htm@3.1.1` → `3.1.1` */
  readonly specifiers: Readonly<Record<string, string>>;
  /** By name and version. */
  readonly npm: Readonly<Record<string, LockedPackage>>;
}

interface LockedPackage {
  /** `sha512-` and the checksum in base 64. */
  readonly integrity: string;
  /** Names; with a version where there are several. */
  readonly dependencies?: readonly string[];
}

/** The program that it is about. */
export interface BuiltProgram {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** The version of Deno that runs it. */
  readonly deno: string;
  /** The import map of deno.json. */
  readonly imports: Readonly<Record<string, string>>;
}

interface Component {
  readonly type: "application" | "library" | "platform";
  readonly "bom-ref": string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly licenses?: readonly { readonly expression: string }[];
  readonly hashes?: readonly { readonly alg: "SHA-512"; readonly content: string }[];
}

/** A bill of materials; see the header. */
export interface Bom {
  readonly bomFormat: "CycloneDX";
  readonly specVersion: "1.6";
  readonly version: 1;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/**
 * Makes the bill of materials. It has no time and no serial number: the same source makes the same file.
 *
 * @param licenseOf The SPDX expression of a package; empty where it is not known.
 * @throws {Error} When a package is not in the lock file.
 */
export function billOfMaterials(
  program: BuiltProgram,
  lock: LockFile,
  licenseOf: (name: string, version: string) => string,
): Bom {
  const roots = new Set<string>();
  for (const target of Object.values(program.imports)) {
    const specifier = /^npm:(?:@[^/]+\/)?[^/]+/.exec(target)?.[0];
    if (specifier === undefined) continue; // a file of ours
    const version = lock.specifiers[specifier];
    if (version === undefined) throw new Error(`${specifier} is not in deno.lock`);
    roots.add(keyOf(lock, `${specifier.slice("npm:".length).replace(/(?!^)@.*/, "")}@${version}`));
  }
  const keys = new Set(roots);
  for (const key of keys) for (const each of needsOf(lock, key)) keys.add(each);
  const deno = componentOf("platform", "deno", program.deno, `pkg:npm/deno@${program.deno}`, "MIT");
  const own = componentOf(
    ...["application", program.name, program.version] as const,
    `pkg:generic/${program.name}@${program.version}`,
    program.license,
  );
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { component: own },
    components: [
      deno,
      ...[...keys].sort().map((key) => {
        const [name, version] = partsOf(key);
        const { integrity } = lock.npm[key]!;
        const content = Uint8Array.fromBase64(integrity.replace(/^sha512-/, "")).toHex();
        return {
          ...componentOf("library", name, version, purlOf(key), licenseOf(name, version)),
          hashes: [{ alg: "SHA-512" as const, content }],
        };
      }),
    ],
    dependencies: [
      { ref: own["bom-ref"], dependsOn: [deno["bom-ref"], ...[...roots].sort().map(purlOf)] },
      ...[...keys].sort().map((key) => ({
        ref: purlOf(key),
        dependsOn: needsOf(lock, key).map(purlOf),
      })),
    ],
  };
}

function componentOf(
  type: Component["type"],
  name: string,
  version: string,
  purl: string,
  license: string,
): Component {
  const licenses = license === "" ? {} : { licenses: [{ expression: license }] };
  return { type, "bom-ref": purl, name, version, purl, ...licenses };
}

function needsOf(lock: LockFile, key: string): string[] {
  return (lock.npm[key]?.dependencies ?? []).map((name) => keyOf(lock, name));
}

/** The key of a package by its name, with or without the version, and without those of its peers. */
function keyOf(lock: LockFile, name: string): string {
  const keys = Object.keys(lock.npm);
  const found = keys.find((key) => key === name) ??
    keys.find((key) => key.startsWith(`${name}_`)) ??
    keys.find((key) => partsOf(key)[0] === name);
  if (found === undefined) throw new Error(`${name} is not in deno.lock`);
  return found;
}

function partsOf(key: string): [name: string, version: string] {
  const [, name, version] = /^(@?[^@]+)@([^_]+)/.exec(key)!;
  return [name!, version!];
}

function purlOf(key: string): string {
  const [name, version] = partsOf(key);
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}
