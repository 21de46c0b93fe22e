/**
 * Changes of the tree, and trees rebuilt from snapshots.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Tree } from "../../../../src/coordinator/embedded/tree.ts";

function filledTree(): Tree {
  const tree = new Tree();
  tree.apply(1, [{ create: "/a", data: "1" }, { create: "/a/b", data: "2" }]);
  tree.apply(2, [{ create: "/a/s-0000000004", data: "", owner: "me", sequence: 4 }]);
  tree.apply(3, [{ write: "/a", data: "3" }]);
  return tree;
}

Deno.test("Tree reports changes to its observer", () => {
  const seen: string[] = [];
  const tree = filledTree();
  const observer = {
    dataChanged: (path: string) => seen.push(`data ${path}`),
    childrenChanged: (path: string) => seen.push(`children ${path}`),
  };
  tree.apply(
    4,
    [{ write: "/a", data: "4" }, { create: "/c", data: "" }, { delete: "/a/b" }],
    observer,
  );
  assertEquals(seen, ["data /a", "data /c", "children /", "data /a/b", "children /a"]);
});

Deno.test("Tree remembers versions, owners and the next number", () => {
  const tree = filledTree();
  assertEquals(tree.get("/a")!.version, 3);
  assertEquals(tree.get("/a/b")!.version, 1);
  assertEquals(tree.get("/a")!.nextSequence, 5);
  assertEquals(tree.owners(), ["me"]);
  assertEquals(tree.pathsOwnedBy("me"), ["/a/s-0000000004"]);
  tree.apply(4, [{ delete: "/a/s-0000000004" }]);
  assertEquals(tree.owners(), []);
  assertEquals(tree.get("/a")!.nextSequence, 5);
});

Deno.test("Tree.pathsBelow() lists children before parents", () => {
  assertEquals(filledTree().pathsBelow("/a"), ["/a/b", "/a/s-0000000004", "/a"]);
  assertEquals(filledTree().pathsBelow("/nowhere"), []);
});

Deno.test("Tree is the same after its snapshot was restored", () => {
  const tree = filledTree();
  const copy = new Tree();
  for (const entry of JSON.parse(JSON.stringify([...tree.snapshot()]))) copy.restore(entry);
  copy.restored(tree.version);
  assertEquals([...copy.snapshot()], [...tree.snapshot()]);
  assertEquals(copy.version, 3);
  assertEquals(copy.childNames("/a"), ["b", "s-0000000004"]);
  assertEquals(copy.pathsOwnedBy("me"), ["/a/s-0000000004"]);
});
