/**
 * The recorded tree of Codis 2.0, made whole: of its slots and actions only some were recorded.
 *
 * @module
 */

import { encodeSlot, slotIn } from "../../src/model/slot.ts";
import { storePaths } from "../../src/store/paths.ts";
import { RECORDED_PRODUCT, recordedTree } from "./codis2_tree.ts";

/** Every entry, parents before children. */
export async function goodTree(): Promise<{ path: string; data: string }[]> {
  const paths = storePaths(RECORDED_PRODUCT);
  const tree = new Map((await recordedTree()).map(({ path, data }) => [path, data]));
  for (let id = 0; id < 1024; id++) {
    if (tree.has(paths.slot(id))) continue;
    const slot = slotIn(RECORDED_PRODUCT, id, id < 512 ? 1 : 2, "online");
    tree.set(paths.slot(id), encodeSlot(slot));
  }
  for (const path of [...tree.keys()]) {
    const name = path.split(`${paths.actions}/`)[1];
    if (name !== undefined && !tree.has(paths.response(name))) tree.set(paths.response(name), "");
  }
  return [...tree].sort(([a], [b]) => a < b ? -1 : 1).map(([path, data]) => ({ path, data }));
}
