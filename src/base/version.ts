/**
 * How two versions of a program compare.
 *
 * @module
 */

/** Whether version `a` comes before `b`; both such as `3.2.11`. */
export function isOlder(a: string, b: string): boolean {
  const [partsA, partsB] = [a, b].map((version) =>
    version.split(".").map((part) => parseInt(part))
  );
  for (let i = 0; i < Math.max(partsA!.length, partsB!.length); i++) {
    const difference = (partsA![i] || 0) - (partsB![i] || 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
