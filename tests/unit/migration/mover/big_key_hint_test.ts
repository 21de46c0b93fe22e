/**
 * The guess whether a server has big keys.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { mayHaveBigKeys, usualSize } from "../../../../src/migration/mover/big_key_hint.ts";

const BIG = 1_000_000;
/** Keys of 132 bytes, 32 of which the dataset does not count. */
const ALIKE = Array(1_000).fill(132);
const KEYS = 300_000;

Deno.test("keys like those of the sample leave no room for a big key", () => {
  const sample = { keys: KEYS, datasetBytes: KEYS * 100, sizes: ALIKE };
  assertEquals(mayHaveBigKeys(sample, BIG), false);
  assertEquals(mayHaveBigKeys({ ...sample, datasetBytes: KEYS * 100 + BIG }, BIG), true);
});

Deno.test("what a sample of unequal keys cannot tell is taken for chance", () => {
  const sizes = ALIKE.map((size, i) => i % 10 === 0 ? 10 * size : size);
  const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length - 32;
  const sample = { keys: KEYS, datasetBytes: KEYS * mean + 2 * BIG, sizes };
  assertEquals(mayHaveBigKeys(sample, BIG), false);
  assertEquals(mayHaveBigKeys({ ...sample, datasetBytes: KEYS * mean + 20 * BIG }, BIG), true);
});

Deno.test("a big key of the sample says it, and a sample of all keys says it for sure", () => {
  const [keys, datasetBytes] = [3, 10 * BIG];
  assertEquals(mayHaveBigKeys({ keys, datasetBytes, sizes: [100, BIG, 100] }, BIG), true);
  assertEquals(mayHaveBigKeys({ keys, datasetBytes, sizes: [100, 100, 100] }, BIG), false);
});

Deno.test("who knows nothing has to look", () => {
  assertEquals(mayHaveBigKeys({ keys: KEYS, datasetBytes: NaN, sizes: ALIKE }, BIG), true);
  assertEquals(mayHaveBigKeys({ keys: KEYS, datasetBytes: 0, sizes: [] }, BIG), true);
});

Deno.test("keys that are alike have a usual size, unless what may hide among them is too big", () => {
  const sample = { keys: KEYS, datasetBytes: KEYS * 100, sizes: ALIKE };
  assertEquals(usualSize(sample, BIG), 132);
  assertEquals(usualSize({ ...sample, datasetBytes: KEYS * 100 + BIG }, BIG), undefined);
  const many = 10 * KEYS;
  assertEquals(usualSize({ ...sample, keys: many, datasetBytes: many * 100 }, BIG), undefined);
  const unequal = ALIKE.map((size, i) => i % 2 === 0 ? size : 20 * size);
  assertEquals(usualSize({ ...sample, datasetBytes: 0, sizes: unequal }, BIG), undefined);
  assertEquals(usualSize({ keys: 3, datasetBytes: 10 * BIG, sizes: [100, 300, 200] }, BIG), 200);
});
