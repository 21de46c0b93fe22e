/**
 * Plans the embedded coordinator's changes: which of them are legal on a tree, and what they are.
 *
 * @module
 */

import type { Operation } from "../coordinator.ts";
import {
  BadVersionError,
  CoordinatorError,
  NodeExistsError,
  NoNodeError,
  NotEmptyError,
} from "../errors.ts";
import { parentOf, ROOT_PATH } from "../path.ts";
import type { Tree, TreeChange } from "./tree.ts";

/** Digits of a sequential entry's number, as in ZooKeeper. */
const SEQUENCE_DIGITS = 10;

/**
 * Plans one entry and whatever of its parents is missing.
 *
 * @param owner The session that the entry ends with, if any.
 * @throws {NodeExistsError} When it is there.
 * @throws {CoordinatorError} When it would be the child of an ephemeral entry.
 */
export function planCreate(tree: Tree, path: string, data: string, owner?: string): TreeChange[] {
  return planOne(tree, { path, data, owner }, new Set());
}

/** Plans one entry whose name ends in its parent's next number; otherwise as {@linkcode planCreate}. */
export function planCreateSequential(
  tree: Tree,
  prefix: string,
  data: string,
  owner?: string,
): { path: string; changes: TreeChange[] } {
  const sequence = tree.get(parentOf(prefix))?.nextSequence ?? 0;
  const path = prefix + String(sequence).padStart(SEQUENCE_DIGITS, "0");
  return { path, changes: planOne(tree, { path, data, owner, sequence }, new Set()) };
}

/** Plans many persistent entries, parents before children; otherwise as {@linkcode planCreate}. */
export function planCreateAll(
  tree: Tree,
  entries: readonly { path: string; data: string }[],
): TreeChange[] {
  const planned = new Set<string>();
  return entries.flatMap((entry) => planOne(tree, entry, planned));
}

/**
 * Plans new data for an entry.
 *
 * @throws {NoNodeError} When it is not there.
 * @throws {BadVersionError} When it is at another version.
 */
export function planWrite(tree: Tree, path: string, data: string, version?: number): TreeChange[] {
  checkVersion(tree, path, "write", version);
  return [{ write: path, data }];
}

/**
 * Plans the end of one entry.
 *
 * @throws {NoNodeError} When it is not there.
 * @throws {NotEmptyError} When it has children; the root counts as having some.
 * @throws {BadVersionError} When it is at another version.
 */
export function planDelete(tree: Tree, path: string, version?: number): TreeChange[] {
  checkVersion(tree, path, "delete", version);
  if (path === ROOT_PATH || tree.get(path)!.children.size > 0) throw new NotEmptyError(path);
  return [{ delete: path }];
}

/**
 * Plans new data, and another owner, for an entry without children.
 *
 * @throws As {@linkcode planDelete}.
 */
export function planAdopt(
  tree: Tree,
  { path, data, owner }: { path: string; data: string; owner: string },
  version?: number,
): TreeChange[] {
  return [...planDelete(tree, path, version), { create: path, data, owner }];
}

/** Plans the end of an entry and all below it; nothing when it is not there. */
export function planDeleteTree(tree: Tree, path: string): TreeChange[] {
  const paths = tree.pathsBelow(path).filter((below) => below !== ROOT_PATH);
  return paths.map((below) => ({ delete: below }));
}

/**
 * Plans a transaction.
 *
 * @throws As the plans of its operations.
 */
export function planTransaction(tree: Tree, operations: readonly Operation[]): TreeChange[] {
  const planned = new Set<string>();
  return operations.flatMap((operation): TreeChange[] => {
    if ("check" in operation) {
      checkVersion(tree, operation.check, "check", operation.version);
      return [];
    }
    if ("write" in operation) {
      return planWrite(tree, operation.write, operation.data, operation.version);
    }
    if ("delete" in operation) return planDelete(tree, operation.delete, operation.version);
    const parent = parentOf(operation.create);
    if (tree.get(parent) === undefined && !planned.has(parent)) {
      throw new NoNodeError(parent, "read");
    }
    return planOne(tree, { path: operation.create, data: operation.data }, planned);
  });
}

/** Plans the end of everything that a session owns. */
export function planEndOfOwner(tree: Tree, owner: string): TreeChange[] {
  return tree.pathsOwnedBy(owner).map((path) => ({ delete: path }));
}

/** Whether changes must outlive a loss of power: all but those of ephemeral entries. */
export function isDurable(tree: Tree, changes: readonly TreeChange[]): boolean {
  return changes.some((change) => {
    if ("create" in change) return change.owner === undefined;
    return tree.get("write" in change ? change.write : change.delete)?.owner === undefined;
  });
}

interface NewEntry {
  readonly path: string;
  readonly data: string;
  readonly owner?: string | undefined;
  readonly sequence?: number;
}

/** `planned` holds the paths that earlier parts of the same plan create; ours are added. */
function planOne(tree: Tree, entry: NewEntry, planned: Set<string>): TreeChange[] {
  const { path, data, owner, sequence } = entry;
  if (tree.get(path) !== undefined || planned.has(path)) throw new NodeExistsError(path);
  const changes: TreeChange[] = [{
    create: path,
    data,
    ...(owner === undefined ? {} : { owner }),
    ...(sequence === undefined ? {} : { sequence }),
  }];
  planned.add(path);
  let parent = parentOf(path);
  for (; tree.get(parent) === undefined && !planned.has(parent); parent = parentOf(parent)) {
    changes.unshift({ create: parent, data: "" });
    planned.add(parent);
  }
  if (tree.get(parent)?.owner !== undefined) {
    throw new CoordinatorError(path, `cannot create "${path}": "${parent}" is ephemeral`);
  }
  return changes;
}

function checkVersion(tree: Tree, path: string, verb: string, version: number | undefined): void {
  const entry = tree.get(path);
  if (entry === undefined) throw new NoNodeError(path, verb);
  if (version !== undefined && version !== entry.version) {
    throw new BadVersionError(path, verb, version, entry.version);
  }
}
