/**
 * The tree of entries in memory, and the changes that lead from one tree to the next.
 *
 * @module
 */

import { childOf, nameOf, parentOf, ROOT_PATH } from "../path.ts";

/** One change of the tree, as it is stored. */
export type TreeChange =
  | {
    readonly create: string;
    readonly data: string;
    /** The session whose end ends it; ephemeral entries only. */
    readonly owner?: string;
    /** The number that ends its name; sequential entries only. */
    readonly sequence?: number;
  }
  | { readonly write: string; readonly data: string }
  | { readonly delete: string };

/** An entry as the tree holds it. */
export interface TreeEntry {
  data: string;
  /** The number of the change that wrote it last. */
  version: number;
  /** The session that it ends with, if it is ephemeral. */
  readonly owner?: string | undefined;
  /** The number that the next sequential child gets. */
  nextSequence: number;
  readonly children: Set<string>;
}

/** An entry as a snapshot holds it. */
export interface SnapshotEntry {
  readonly path: string;
  readonly data: string;
  readonly version: number;
  readonly owner?: string;
  readonly next?: number;
}

/** What is called after changes, once per change. */
export interface TreeObserver {
  /** The entry was created, written or deleted. */
  dataChanged(path: string): void;
  /** A child came or went. */
  childrenChanged(path: string): void;
}

/** Entries by path. Changes must be legal: the plan has checked that. */
export class Tree {
  readonly #entries = new Map<string, TreeEntry>();
  readonly #pathsByOwner = new Map<string, Set<string>>();
  #version = 0;

  /** Holds the root alone. */
  constructor() {
    this.#entries.set(ROOT_PATH, { data: "", version: 0, nextSequence: 0, children: new Set() });
  }

  /** How many changes led here. */
  get version(): number {
    return this.#version;
  }

  /** How many entries there are, the root included. */
  get size(): number {
    return this.#entries.size;
  }

  /** Borrows an entry until the next change. */
  get(path: string): TreeEntry | undefined {
    return this.#entries.get(path);
  }

  /** The names of an entry's children, sorted as strings; none when it is not there. */
  childNames(path: string): string[] {
    return [...this.#entries.get(path)?.children ?? []].sort();
  }

  /** An entry and everything below it, children before parents; nothing when it is not there. */
  pathsBelow(path: string): string[] {
    const entry = this.#entries.get(path);
    if (entry === undefined) return [];
    const below = [...entry.children].flatMap((name) => this.pathsBelow(childOf(path, name)));
    return [...below, path];
  }

  /** The sessions that own ephemeral entries. */
  owners(): string[] {
    return [...this.#pathsByOwner.keys()];
  }

  /** The paths of the ephemeral entries of a session. */
  pathsOwnedBy(owner: string): string[] {
    return [...this.#pathsByOwner.get(owner) ?? []];
  }

  /** Makes one set of changes, which together are change number `version`. */
  apply(version: number, changes: readonly TreeChange[], observer?: TreeObserver): void {
    this.#version = version;
    for (const change of changes) {
      if ("create" in change) this.#create(change, observer);
      else if ("write" in change) this.#write(change.write, change.data, observer);
      else this.#delete(change.delete, observer);
    }
  }

  /** A tree of its own with the same entries. */
  copy(): Tree {
    const copy = new Tree();
    for (const [path, entry] of this.#entries) {
      copy.#entries.set(path, { ...entry, children: new Set(entry.children) });
    }
    for (const [owner, paths] of this.#pathsByOwner) copy.#pathsByOwner.set(owner, new Set(paths));
    copy.#version = this.#version;
    return copy;
  }

  /** Every entry but an untouched root, parents before children. */
  *snapshot(): Generator<SnapshotEntry> {
    for (const [path, entry] of this.#entries) {
      yield {
        path,
        data: entry.data,
        version: entry.version,
        ...(entry.owner === undefined ? {} : { owner: entry.owner }),
        ...(entry.nextSequence === 0 ? {} : { next: entry.nextSequence }),
      };
    }
  }

  /** Puts an entry of a snapshot in place; its parent is there already. */
  restore(entry: SnapshotEntry): void {
    const { path, data, version, owner, next } = entry;
    const children = this.#entries.get(path)?.children ?? new Set<string>();
    this.#entries.set(path, { data, version, owner, nextSequence: next ?? 0, children });
    if (path !== ROOT_PATH) this.#entries.get(parentOf(path))!.children.add(nameOf(path));
    if (owner !== undefined) this.#own(owner, path);
  }

  /** Ends a series of {@linkcode Tree.restore}: the tree is at this change now. */
  restored(version: number): void {
    this.#version = version;
  }

  #create(change: Extract<TreeChange, { create: string }>, observer?: TreeObserver): void {
    const path = change.create;
    const parent = this.#entries.get(parentOf(path))!;
    this.#entries.set(path, {
      data: change.data,
      version: this.#version,
      owner: change.owner,
      nextSequence: 0,
      children: new Set(),
    });
    parent.children.add(nameOf(path));
    if (change.owner !== undefined) this.#own(change.owner, path);
    if (change.sequence !== undefined) {
      parent.nextSequence = Math.max(parent.nextSequence, change.sequence + 1);
    }
    observer?.dataChanged(path);
    observer?.childrenChanged(parentOf(path));
  }

  #write(path: string, data: string, observer?: TreeObserver): void {
    const entry = this.#entries.get(path)!;
    entry.data = data;
    entry.version = this.#version;
    observer?.dataChanged(path);
  }

  #delete(path: string, observer?: TreeObserver): void {
    const { owner } = this.#entries.get(path)!;
    this.#entries.delete(path);
    if (owner !== undefined) this.#disown(owner, path);
    this.#entries.get(parentOf(path))!.children.delete(nameOf(path));
    observer?.dataChanged(path);
    observer?.childrenChanged(parentOf(path));
  }

  #own(owner: string, path: string): void {
    const paths = this.#pathsByOwner.get(owner);
    if (paths === undefined) this.#pathsByOwner.set(owner, new Set([path]));
    else paths.add(path);
  }

  #disown(owner: string, path: string): void {
    const paths = this.#pathsByOwner.get(owner)!;
    paths.delete(path);
    if (paths.size === 0) this.#pathsByOwner.delete(owner);
  }
}
