/**
 * Which masters have other function libraries than the others: a function is called where its key is, so each master
 * that has slots needs the same.
 *
 * @module
 */

/** A master, and the code of its function libraries by their names. */
export interface MasterLibraries {
  /** `host:port`. */
  readonly addr: string;
  readonly libraries: ReadonlyMap<string, string>;
}

/** A library that a master lacks, or has with other code than the first master that has it. */
export interface LibraryDifference<M extends MasterLibraries> {
  readonly name: string;
  readonly master: M;
  readonly first: M;
  readonly isMissing: boolean;
}

/** Compares the libraries of all masters, by name. */
export function differentLibraries<M extends MasterLibraries>(
  masters: readonly M[],
): LibraryDifference<M>[] {
  const names = new Set(masters.flatMap(({ libraries }) => [...libraries.keys()]));
  return [...names].sort().flatMap((name) => {
    const first = masters.find(({ libraries }) => libraries.has(name))!;
    return masters.flatMap((master) => {
      const code = master.libraries.get(name);
      if (code === first.libraries.get(name)) return [];
      return [{ name, master, first, isMissing: code === undefined }];
    });
  });
}
