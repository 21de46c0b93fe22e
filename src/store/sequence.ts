/**
 * Names that are numbers: ten digits from ZooKeeper, fewer or twenty from etcd, never re-spelled.
 *
 * @module
 */

/** Orders two sequence names by their number, however many zeros they begin with. */
export function compareSequence(a: string, b: string): number {
  const [digitsA, digitsB] = [a.replace(/^0+/, ""), b.replace(/^0+/, "")];
  if (digitsA.length !== digitsB.length) return digitsA.length - digitsB.length;
  return digitsA < digitsB ? -1 : digitsA > digitsB ? 1 : 0;
}

/** The names that are numbers, in the order of their numbers. */
export function sortSequence(names: readonly string[]): string[] {
  return names.filter((name) => /^\d+$/.test(name)).sort(compareSequence);
}
