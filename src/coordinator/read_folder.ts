/**
 * Reading what all children of an entry hold.
 *
 * @module
 */

import { Turns } from "../base/turns.ts";
import type { ReadableTree } from "./coordinator.ts";
import { NoNodeError } from "./errors.ts";
import { childOf } from "./path.ts";

/**
 * How many entries are read at once: a call to the coordinator has a few seconds from when it is made, and one
 * that is far away, or busy, answers fewer than 1024 in that time.
 */
export const READS_MAX = 64;

/**
 * What the children of an entry hold, by name, sorted as strings. A child that is deleted meanwhile may be left
 * out.
 *
 * @throws {NoNodeError} When the entry is not there.
 */
export async function readFolder(
  tree: ReadableTree,
  path: string,
): Promise<ReadonlyMap<string, string>> {
  if (tree.readFolder !== undefined) return await tree.readFolder(path);
  const names = await tree.children(path);
  const turns = new Turns(READS_MAX);
  const texts = await Promise.all(
    names.map((name) => turns.take(() => textIfThere(tree, childOf(path, name)))),
  );
  // One may have been deleted between the listing and the reading.
  return new Map(names.flatMap((name, i) => texts[i] === undefined ? [] : [[name, texts[i]]]));
}

async function textIfThere(tree: ReadableTree, path: string): Promise<string | undefined> {
  try {
    return (await tree.read(path)).data;
  } catch (error) {
    if (error instanceof NoNodeError) return undefined;
    throw error;
  }
}
