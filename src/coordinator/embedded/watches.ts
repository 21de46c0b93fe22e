/**
 * Watches of the tree in memory: which paths have changed, and who is waiting for that.
 *
 *     journal ── dataChanged, childrenChanged ──► changed paths ── notify ──► watches of those paths
 *
 * @module
 */

import type { Entry } from "../coordinator.ts";
import { LatestWatch, type Watch } from "../watch.ts";
import type { Tree, TreeObserver } from "./tree.ts";

/** See the header. */
export class TreeWatches implements TreeObserver {
  readonly #data = new PathWatches<Entry | undefined>(entryIn);
  readonly #children = new PathWatches<readonly string[]>((tree, path) => tree.childNames(path));

  dataChanged(path: string): void {
    this.#data.changed.add(path);
  }

  childrenChanged(path: string): void {
    this.#children.changed.add(path);
  }

  /** Anything may have changed: every watch gets its value with the next notification. */
  allChanged(): void {
    this.#data.allChanged();
    this.#children.allChanged();
  }

  /** Watches an entry; the watch holds its present value at once. */
  watchData(tree: Tree, path: string): Watch<Entry | undefined> {
    return this.#data.watch(tree, path);
  }

  /** Watches the names of an entry's children; otherwise as {@linkcode TreeWatches.watchData}. */
  watchChildren(tree: Tree, path: string): Watch<readonly string[]> {
    return this.#children.watch(tree, path);
  }

  /** Gives the watches of changed paths their values in `tree`. */
  notify(tree: Tree): void {
    this.#data.notify(tree);
    this.#children.notify(tree);
  }

  /** Ends every watch. */
  close(): void {
    this.#data.close();
    this.#children.close();
  }
}

/** Watches of one kind of value, by path. */
class PathWatches<T> {
  readonly changed = new Set<string>();
  readonly #watches = new Map<string, Set<LatestWatch<T>>>();
  readonly #valueOf: (tree: Tree, path: string) => T;

  constructor(valueOf: (tree: Tree, path: string) => T) {
    this.#valueOf = valueOf;
  }

  allChanged(): void {
    for (const path of this.#watches.keys()) this.changed.add(path);
  }

  watch(tree: Tree, path: string): Watch<T> {
    const watches = this.#watches.get(path) ?? new Set();
    const watch = new LatestWatch<T>(() => {
      watches.delete(watch);
      if (watches.size === 0) this.#watches.delete(path);
    });
    this.#watches.set(path, watches.add(watch));
    // No change can come between this value and the watch: both happen in one turn of the event loop.
    watch.push(this.#valueOf(tree, path));
    return watch;
  }

  notify(tree: Tree): void {
    for (const path of this.changed) {
      for (const watch of this.#watches.get(path) ?? []) watch.push(this.#valueOf(tree, path));
    }
    this.changed.clear();
  }

  close(): void {
    for (const watch of [...this.#watches.values()].flatMap((set) => [...set])) watch.close();
  }
}

/** An entry as readers get it; `undefined` when it is not there. */
export function entryIn(tree: Tree, path: string): Entry | undefined {
  const entry = tree.get(path);
  return entry === undefined ? undefined : { data: entry.data, version: entry.version };
}
