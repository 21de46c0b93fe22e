/**
 * Where entries lie in etcd, and what its answers mean.
 *
 * @module
 */

import { assertEquals, assertInstanceOf } from "@std/assert";
import { BadVersionError, NoNodeError, NotEmptyError } from "../../../../src/coordinator/errors.ts";
import {
  childNameOf,
  decodeText,
  encodeText,
  entryKeysBelow,
} from "../../../../src/coordinator/etcd/keys.ts";
import {
  childNames,
  createTxn,
  entryOfKey,
  failureOf,
} from "../../../../src/coordinator/etcd/txn.ts";

const kv = (key: string, revision = "7") => ({
  key: encodeText(key),
  create_revision: "1",
  mod_revision: revision,
});

Deno.test("the keys below an entry are those of its children and all below them, and no others", () => {
  const { key, range_end } = entryKeysBelow("/a/b");
  const [from, to] = [decodeText(key), decodeText(range_end)];
  for (const inside of ["/a/b/c", "/a/b/c/d", "/a/b/~", "/a/b/日本"]) {
    assertEquals(from <= inside && inside < to, true, inside);
  }
  for (const outside of ["/a/b", "/a/bc", "/a/b0", "/a", "/a/b.c", "sequence:/a/b/c"]) {
    assertEquals(from <= outside && outside < to, false, outside);
  }
  assertEquals(decodeText(entryKeysBelow("/").key), "/");
});

Deno.test("only keys right below an entry are its children", () => {
  const kvs = ["/a/b/z", "/a/b/c", "/a/b/c/d", "/a/b/e/f"].map((key) => kv(key));
  assertEquals(childNames("/a/b", { header: { revision: "9" }, kvs }), ["c", "z"]);
  assertEquals(childNameOf("/", encodeText("/a")), "a");
  assertEquals(childNameOf("/", encodeText("/a/b")), undefined);
  assertEquals(childNames("/a", undefined), []);
});

Deno.test("an entry is a key's text and revision, and the root is always there", () => {
  assertEquals(entryOfKey("/a", { ...kv("/a", "12"), value: encodeText("日本🎈") }), {
    data: "日本🎈",
    version: 12,
  });
  assertEquals(entryOfKey("/a", kv("/a"))?.data, "");
  assertEquals(entryOfKey("/a", undefined), undefined);
  assertEquals(entryOfKey("/", undefined), { data: "", version: 0 });
});

Deno.test("why a change was not made follows from what is there instead", () => {
  const answer = (...kvs: ReturnType<typeof kv>[]) => ({
    header: { revision: "9" },
    responses: [{ response_range: { header: { revision: "9" }, kvs } }],
  });
  assertInstanceOf(failureOf("/a", "write", 3, answer()), NoNodeError);
  assertInstanceOf(failureOf("/a", "write", 3, answer(kv("/a"))), BadVersionError);
  assertInstanceOf(failureOf("/a", "delete", 7, answer(kv("/a"))), NotEmptyError);
  assertInstanceOf(failureOf("/a", "delete", undefined, answer(kv("/a"))), NotEmptyError);
});

Deno.test("an entry is made under the nearest parent that is there, with those that are not", () => {
  const plan = createTxn("/a/b/c", "x", "77", ["/a/b"]);
  const keys = plan.compare.map(({ key, result, target }) => {
    return `${decodeText(key)} ${target} ${result}`;
  });
  assertEquals(keys, [
    "/a/b/c CREATE EQUAL",
    "/a/b CREATE EQUAL",
    "/a CREATE GREATER",
    "/a LEASE EQUAL",
  ]);
  const puts = plan.success.map((step) => "request_put" in step ? step.request_put : undefined);
  assertEquals(puts.map((put) => [decodeText(put?.key), put?.lease]), [
    ["/a/b", undefined],
    ["/a/b/c", "77"],
  ]);
  assertEquals(createTxn("/a", "", undefined, []).compare.length, 1, "the root needs no proof");
});
